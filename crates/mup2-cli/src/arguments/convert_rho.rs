//! The arguments of `mup2 convert-rho`.

use super::names;
use clap::{Args, ValueEnum};
use mup2_scaling::error::Error;
use mup2_scaling::{Denominator, RadiusConvention, RadiusLayer};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 convert-rho 0.05 --from plain --to plain:asam --weight-size input=0.1,hidden=0.1,output=0.1
  mup2 convert-rho 0.5 --from plain:asam --to mup2:asam --width 1024 --base-width 128 --asam-eta 0
  mup2 convert-rho 0.1 --from mup2 --to paper --width 512 --base-width 64 \\
      --shares input=97,hidden=2,output=1

A convention is SCALING or SCALING:RULE. Scalings: plain (public SAM code, one ρ at every width),
mup2 (µP² relative to --base-width), paper (µP² in powers of the width itself). Rules: sam, asam
(T = |w| + η, 1 for biases), asam-absolute (T = |w|). docs/reference/radius-conventions.md says
which code has which, and derives the formulas.")]
pub struct ConvertRhoArguments {
    /// The radius
    #[arg(value_name = "RHO")]
    pub rho: f64,
    /// The convention that it is given in
    #[arg(long, value_name = "CONVENTION")]
    pub from: RadiusConvention,
    /// The convention to convert to
    #[arg(long, value_name = "CONVENTION")]
    pub to: RadiusConvention,
    /// Width of the network that is trained; for mup2 and paper
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub width: Option<u32>,
    /// Base width; for mup2
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub base_width: Option<u32>,
    /// µP²'s norm [default: decoupled]
    #[arg(long, value_name = "NAME", value_parser = names::<Denominator>())]
    pub denominator: Option<Denominator>,
    /// ASAM's η
    #[arg(long, value_name = "NUMBER", default_value = "0.01")]
    pub asam_eta: f64,
    /// Typical |w| of each layer, where the rules differ: LAYER=NUMBER,… of input, hidden, output and bias
    #[arg(long, value_name = "LAYER=NUMBER,…", value_delimiter = ',')]
    pub weight_size: Vec<String>,
    /// Each layer's part of the squared norm under --from, where the norms differ: LAYER=NUMBER,…
    #[arg(long, value_name = "LAYER=NUMBER,…", value_delimiter = ',')]
    pub shares: Vec<String>,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: ConvertRhoFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConvertRhoFormat {
    /// A sentence, or a line for each layer
    Table,
    /// JSON
    Json,
}

/// Parses `LAYER=NUMBER` of `--flag`.
pub fn parse_layers(flag: &str, assignments: &[String]) -> Result<Vec<(RadiusLayer, f64)>, Error> {
    let parse = |assignment: &String| {
        let (layer, number) = assignment.split_once('=')?;
        Some((layer.trim().parse().ok()?, number.trim().parse().ok()?))
    };
    let mut layers: Vec<(RadiusLayer, f64)> = Vec::new();
    for assignment in assignments {
        let entry =
            parse(assignment).filter(|(layer, _)| layers.iter().all(|(other, _)| other != layer));
        layers.push(entry.ok_or_else(|| {
            Error::invalid(
                format!("{flag} {assignment}"),
                "is no LAYER=NUMBER, or a layer a second time",
                "input, hidden, output and bias, each with a number",
            )
        })?);
    }
    Ok(layers)
}
