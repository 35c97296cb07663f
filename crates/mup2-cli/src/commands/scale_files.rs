//! `mup2 scale --base … --target …`: multipliers for the tensors of a PyTorch checkpoint.

use super::scale_table::{aligned, emit, named, number, shape, verdict};
use crate::arguments::{ScaleArguments, ScaleFormat};
use mup2_scaling::error::Error;
use mup2_scaling::shapes::{
    Declarations, Evidence, ModelScaling, ModelShapes, ParameterScaling, Reason, Widths, compare,
    python_file, read_shapes, write_shapes,
};
use std::fmt::Write;
use std::process::ExitCode;

/// More names than this on one line help nobody.
const MOST_NAMES: usize = 12;

pub fn run(arguments: &ScaleArguments) -> anyhow::Result<ExitCode> {
    let files = &arguments.files;
    let optional = |path: &Option<_>| -> Result<Option<ModelShapes>, Error> {
        path.as_deref().map(read_shapes).transpose()
    };
    let Some(base) = optional(&files.base)? else {
        return Err(incomplete().into());
    };
    if let Some(path) = &files.save_shapes {
        write_shapes(path, &base)?;
        emit(None, &format!("{}\n", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(target) = optional(&files.target)? else {
        return Err(incomplete().into());
    };
    let roles = files.roles.as_deref().map(Declarations::read);
    let other = optional(&files.other)?;
    let widths = Widths {
        base: &base,
        target: &target,
        other: other.as_ref(),
    };
    let comparison = compare(&widths, &roles.transpose()?.unwrap_or_default())?;
    let scaling = comparison.scale(&arguments.scheme()?)?;
    let text = match arguments.format {
        ScaleFormat::Table => text_table(&scaling),
        ScaleFormat::Json => format!("{}\n", serde_json::to_string_pretty(&scaling)?),
        ScaleFormat::Csv => csv(&scaling),
        ScaleFormat::Torch => python_file(&scaling)?,
    };
    if arguments.format != ScaleFormat::Table {
        // Whoever takes the numbers on sees what was taken for granted.
        eprint!("{}", taken_for_granted(&scaling));
    }
    emit(arguments.out.as_deref(), &text)?;
    Ok(ExitCode::SUCCESS)
}

fn incomplete() -> Error {
    Error::invalid(
        "--base",
        "is given alone",
        "--base and --target, or --base and --save-shapes",
    )
}

fn text_table(scaling: &ModelScaling) -> String {
    let mut rows = vec![
        [
            "name",
            "role",
            "from",
            "shape",
            "init_std",
            "init_mult",
            "lr_mult",
            "rho_mult",
            "norm_mult",
            "wd_mult",
            "effect",
        ]
        .map(str::to_owned),
    ];
    for row in &scaling.tensors {
        rows.push([
            row.name.clone(),
            row.role.to_string(),
            row.evidence.to_string(),
            shape(&row.shape),
            number(row.init_std),
            number(row.init_mult),
            number(row.lr_mult),
            number(row.rho_mult),
            number(row.norm_mult),
            number(row.wd_mult),
            row.effect_exponent
                .map_or_else(|| "-".to_owned(), |effect| effect.to_string()),
        ]);
    }
    let mut text = aligned(&rows, 4);
    let _ = write!(
        text,
        "\nwidth ratio {}\n{}{}",
        number(scaling.width_ratio),
        taken_for_granted(scaling),
        left_out(scaling)
    );
    text.push_str(&verdict(
        (scaling.c_nabla, scaling.d),
        scaling.denominator,
        &scaling.verdict,
        MOST_NAMES,
    ));
    text
}

/// The tensor that is the readout because nothing says otherwise.
fn taken_for_granted(scaling: &ModelScaling) -> String {
    let mut candidates = scaling.tensors.iter();
    let only = candidates.find(|row| row.evidence == Evidence::OnlyCandidate);
    only.map_or_else(String::new, |row| {
        format!(
            "`{}` is taken for the readout; if it is an embedding table, say so in a roles.toml\n",
            row.name
        )
    })
}

fn left_out(scaling: &ModelScaling) -> String {
    let mut text = String::new();
    for reason in [
        Reason::RunningStatistics,
        Reason::Integers,
        Reason::Declared,
    ] {
        let entries = scaling
            .left_out
            .iter()
            .filter(|entry| entry.reason == reason);
        let names: Vec<String> = entries.map(|entry| entry.name.clone()).collect();
        if !names.is_empty() {
            let _ = writeln!(
                text,
                "no parameters ({reason}): {}",
                named(&names, MOST_NAMES)
            );
        }
    }
    text
}

fn csv(scaling: &ModelScaling) -> String {
    let mut text = String::from(
        "name,role,from,shape,init_std,init_mult,lr_mult,rho_mult,norm_mult,wd_mult,asam_eta_mult,effect_exponent\n",
    );
    for row in &scaling.tensors {
        let effect = row
            .effect_exponent
            .map_or_else(String::new, |effect| effect.to_string());
        let ParameterScaling {
            role,
            evidence,
            init_std,
            init_mult,
            lr_mult,
            rho_mult,
            norm_mult,
            wd_mult,
            asam_eta_mult,
            ..
        } = row;
        let _ = writeln!(
            text,
            "{},{role},{evidence},{},{init_std},{init_mult},{lr_mult},{rho_mult},{norm_mult},{wd_mult},{asam_eta_mult},{effect}",
            field(&row.name),
            shape(&row.shape),
        );
    }
    text
}

/// A field of CSV, in quotes where it has to be.
fn field(name: &str) -> String {
    if name.contains([',', '"']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}
