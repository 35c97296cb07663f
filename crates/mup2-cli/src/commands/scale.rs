//! `mup2 scale`: each tensor's multipliers and the theory's verdict.

use super::scale_files;
use super::scale_table::{aligned, emit, number, shape, verdict};
use crate::arguments::{ScaleArguments, ScaleFormat, ScaleModelArguments, mlp_overrides};
use mup2_scaling::error::Error;
use mup2_scaling::{ScalingTable, Scheme, TensorScaling, scale};
use mup2_train::config::{ModelKind, RunSpec, parse_run};
use mup2_train::data::ImageShape;
use mup2_train::train::tensor_shapes;
use serde_json::json;
use std::fmt::Write;
use std::process::ExitCode;

pub fn run(arguments: &ScaleArguments) -> anyhow::Result<ExitCode> {
    if arguments.files.base.is_some() {
        return scale_files::run(arguments);
    }
    let scheme = arguments.scheme()?;
    let network = &arguments.network;
    let shapes = tensor_shapes(&spec(network)?, image(network), network.classes as usize)?;
    let table = scale(&scheme, &shapes)?;
    let text = match arguments.format {
        ScaleFormat::Table => text_table(&scheme, &table),
        ScaleFormat::Json => format!("{}\n", serde_json::to_string_pretty(&json!(table))?),
        ScaleFormat::Csv => csv(&table),
        ScaleFormat::Torch => {
            return Err(Error::invalid(
                "--format torch",
                "is for the shapes of a PyTorch model, whose names it needs",
                "--base and --target in place of --model",
            )
            .into());
        }
    };
    emit(arguments.out.as_deref(), &text)?;
    Ok(ExitCode::SUCCESS)
}

/// A run that differs from the default one in its model.
fn spec(network: &ScaleModelArguments) -> Result<RunSpec, Error> {
    let kind = format!("model.kind=\"{}\"", network.model);
    let overrides: Vec<String> = std::iter::once(kind)
        .chain(network.overrides.iter().cloned())
        .chain(mlp_overrides(network.depth, network.bias))
        .collect();
    let mut spec = parse_run("", "mup2 scale", &overrides)?;
    // clap asks for both where there are no files.
    spec.model.width = network.width.unwrap_or(1) as usize;
    spec.model.base_width = network.base_width.unwrap_or(1) as usize;
    Ok(spec)
}

fn image(network: &ScaleModelArguments) -> ImageShape {
    let features = |count: u32| ImageShape {
        channels: count as usize,
        height: 1,
        width: 1,
    };
    match (network.image, network.inputs) {
        (Some(image), _) => image,
        (None, Some(inputs)) => features(inputs),
        (None, None) if network.model == ModelKind::Mlp => features(784),
        (None, None) => ImageShape {
            channels: 3,
            height: 32,
            width: 32,
        },
    }
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
            shape(&row.shape),
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
            shape(&row.shape),
            number(row.init_std),
            number(row.lr_mult),
            number(row.rho_mult),
            number(row.norm_mult),
            number(row.wd_mult),
            effect(row),
        ]);
    }
    let mut text = aligned(&rows, 3);
    text.push('\n');
    text.push_str(&verdict(
        (table.c_nabla, table.d),
        scheme.denominator(),
        &table.verdict,
        usize::MAX,
    ));
    text
}
