//! `mup2 scale`: each tensor's multipliers and the theory's verdict.

use crate::arguments::{ScaleArguments, ScaleFormat, parse_exponents};
use crate::terminal::print;
use mup2::config::{ModelKind, RunSpec, parse_run};
use mup2::data::ImageShape;
use mup2::error::Error;
use mup2::scaling::{ScalingTable, Scheme, TensorScaling, scale};
use mup2::train::tensor_shapes;
use serde_json::json;
use std::fmt::Write;
use std::process::ExitCode;

pub fn run(arguments: &ScaleArguments) -> anyhow::Result<ExitCode> {
    let mut scheme = Scheme::new(arguments.param, arguments.perturb);
    scheme.denominator = arguments.denominator;
    scheme.rule = arguments.rule;
    scheme.optimizer = arguments.optimizer;
    scheme.asam_bias = arguments.asam_bias;
    scheme.weight_multipliers = arguments.weight_multipliers;
    scheme.exponents = parse_exponents(&arguments.exponents)?;
    let shapes = tensor_shapes(
        &spec(arguments)?,
        image(arguments),
        arguments.classes as usize,
    )?;
    let table = scale(&scheme, &shapes)?;
    print(&match arguments.format {
        ScaleFormat::Table => text_table(&scheme, &table),
        ScaleFormat::Json => format!("{}\n", serde_json::to_string_pretty(&json!(table))?),
        ScaleFormat::Csv => csv(&table),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A run that differs from the default one in its model.
fn spec(arguments: &ScaleArguments) -> Result<RunSpec, Error> {
    let kind = format!("model.kind=\"{}\"", arguments.model);
    let overrides: Vec<String> = std::iter::once(kind)
        .chain(arguments.overrides.iter().cloned())
        .collect();
    let mut spec = parse_run("", "mup2 scale", &overrides)?;
    if let Some(depth) = arguments.depth {
        spec.model.depth = usize::from(depth);
    }
    spec.model.bias |= arguments.bias;
    spec.validate("mup2 scale")?;
    spec.model.width = arguments.width as usize;
    spec.model.base_width = arguments.base_width as usize;
    Ok(spec)
}

fn image(arguments: &ScaleArguments) -> ImageShape {
    let features = |count: u32| ImageShape {
        channels: count as usize,
        height: 1,
        width: 1,
    };
    match (arguments.image, arguments.inputs) {
        (Some(image), _) => image,
        (None, Some(inputs)) => features(inputs),
        (None, None) if arguments.model == ModelKind::Mlp => features(784),
        (None, None) => ImageShape {
            channels: 3,
            height: 32,
            width: 32,
        },
    }
}

fn shape(row: &TensorScaling) -> String {
    let sides: Vec<String> = row.shape.iter().map(ToString::to_string).collect();
    sides.join("x")
}

fn effect(row: &TensorScaling) -> String {
    row.effect_exponent
        .map_or_else(|| "-".to_owned(), |effect| effect.to_string())
}

fn csv(table: &ScalingTable) -> String {
    let mut text = String::from(
        "name,role,shape,init_std,lr_mult,rho_mult,norm_mult,wd_mult,effect_exponent\n",
    );
    for row in &table.tensors {
        let effect = row
            .effect_exponent
            .map_or_else(String::new, |e| e.to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{effect}",
            row.name,
            row.role,
            shape(row),
            row.init_std,
            row.lr_mult,
            row.rho_mult,
            row.norm_mult,
            row.wd_mult,
        );
    }
    text
}

fn text_table(scheme: &Scheme, table: &ScalingTable) -> String {
    let mut rows = vec![
        [
            "name",
            "role",
            "shape",
            "init_std",
            "lr_mult",
            "rho_mult",
            "norm_mult",
            "wd_mult",
            "effect",
        ]
        .map(str::to_owned),
    ];
    for row in &table.tensors {
        rows.push([
            row.name.clone(),
            row.role.to_string(),
            shape(row),
            number(row.init_std),
            number(row.lr_mult),
            number(row.rho_mult),
            number(row.norm_mult),
            number(row.wd_mult),
            effect(row),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| {
                // Words to the left, numbers to the right.
                if column < 3 {
                    format!("{cell:width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&verdict(scheme, table));
    text
}

fn number(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e6).contains(&value.abs()) {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn verdict(scheme: &Scheme, table: &ScalingTable) -> String {
    let verdict = &table.verdict;
    let mut text = format!(
        "c∇ = {}, d = {}, {} denominator\n{}\n",
        table.c_nabla,
        table.d,
        scheme.denominator(),
        if verdict.stable {
            "stable"
        } else {
            "UNSTABLE: something grows with the width"
        }
    );
    for (title, names) in [
        ("effectively perturbed", &verdict.effective),
        ("perturbation vanishes", &verdict.vanishing),
        ("perturbation blows up", &verdict.unstable),
        ("not perturbed", &verdict.unperturbed),
        ("update blows up", &verdict.unstable_updates),
    ] {
        if !names.is_empty() {
            let _ = writeln!(text, "{title}: {}", names.join(", "));
        }
    }
    text
}
