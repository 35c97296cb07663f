//! `mup2 convert-rho`: one radius in the terms of other code.

use super::scale_table::{aligned, number};
use crate::arguments::{ConvertRhoArguments, ConvertRhoFormat, parse_layers};
use crate::terminal::print;
use mup2_scaling::error::Error;
use mup2_scaling::{
    ConvertedRadius, LayerSizes, RadiusLayer, RadiusScaling, RadiusSetting, convert_radius,
};
use serde_json::json;
use std::process::ExitCode;

pub fn run(arguments: &ConvertRhoArguments) -> anyhow::Result<ExitCode> {
    let setting = setting(arguments)?;
    let (from, to) = (arguments.from, arguments.to);
    let converted = convert_radius(arguments.rho, from, to, &setting)?;
    print(&match arguments.format {
        ConvertRhoFormat::Table => text(arguments, &converted),
        ConvertRhoFormat::Json => {
            let layers = converted.layers.iter();
            let layers = layers.map(|(layer, rho)| (layer.to_string(), json!(rho)));
            let layers: serde_json::Map<_, _> = layers.collect();
            let value = json!({
                "from": from.to_string(),
                "to": to.to_string(),
                "given": arguments.rho,
                "rho": converted.rho,
                "layers": layers,
            });
            format!("{}\n", serde_json::to_string_pretty(&value)?)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn setting(arguments: &ConvertRhoArguments) -> Result<RadiusSetting, Error> {
    let scalings = [arguments.from.scaling, arguments.to.scaling];
    let needs_base = scalings.contains(&RadiusScaling::Mup2);
    let needs_width = needs_base || scalings.contains(&RadiusScaling::Paper);
    let width = |flag: &str, value: Option<u32>, needed: bool| match value {
        Some(value) => Ok(value as usize),
        None if needed => Err(Error::invalid(
            flag,
            "is not given, and one of the conventions depends on it",
            "the width of a network, such as 1024",
        )),
        None => Ok(1),
    };
    let weights = parse_layers("--weight-size", &arguments.weight_size)?;
    let shares = parse_layers("--shares", &arguments.shares)?;
    let of = |values: &[(RadiusLayer, f64)], layer| {
        let mut values = values.iter();
        values
            .find(|(other, _)| *other == layer)
            .map(|(_, value)| *value)
    };
    let layers = [
        RadiusLayer::Input,
        RadiusLayer::Hidden,
        RadiusLayer::Output,
        RadiusLayer::Bias,
    ];
    let layers = layers.into_iter().map(|layer| LayerSizes {
        layer,
        weight: of(&weights, layer),
        share: of(&shares, layer),
    });
    // A network without biases is the ordinary case; one with them says something of them.
    let layers = layers.filter(|sizes| {
        sizes.layer != RadiusLayer::Bias || sizes.weight.is_some() || sizes.share.is_some()
    });
    Ok(RadiusSetting {
        width: width("--width", arguments.width, needs_width)?,
        base_width: width("--base-width", arguments.base_width, needs_base)?,
        denominator: arguments.denominator,
        asam_eta: arguments.asam_eta,
        layers: layers.collect(),
    })
}

fn text(arguments: &ConvertRhoArguments, converted: &ConvertedRadius) -> String {
    let (given, from, to) = (number(arguments.rho), arguments.from, arguments.to);
    if let Some(rho) = converted.rho {
        return format!("ρ = {given} of {from} is ρ = {} of {to}\n", number(rho));
    }
    let rows: Vec<[String; 2]> = std::iter::once(["layer".to_owned(), "ρ".to_owned()])
        .chain(
            converted
                .layers
                .iter()
                .map(|(layer, rho)| [layer.to_string(), number(*rho)]),
        )
        .collect();
    format!(
        "ρ = {given} of {from} is no one ρ of {to}; it is, layer by layer:\n{}",
        aligned(&rows, 1)
    )
}
