//! The arguments of `mup2 check` in a program without the trainer: points that others measured.

use super::{CheckFormat, CheckSchemeArguments};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 check --points points.jsonl --scheme mup2    # what another framework measured
  mup2 check --points points.jsonl --rule asam --format html > check.html

Fits the slope of each layer's effect against the width, on logarithmic axes: 0 is effective, below 0
vanishes, above 0 explodes.

Exit code 0 if the scheme is stable and perturbs every tensor effectively, 1 if not, 2 for bad
input.")]
pub struct CheckArguments {
    /// Points that another framework measured: JSON Lines with tensor, role or shape, size, seed, effect,
    /// update
    #[arg(long, value_name = "POINTS.jsonl")]
    pub points: PathBuf,
    #[command(flatten)]
    pub scheme: CheckSchemeArguments,
    /// A slope within this distance of 0 counts as 0
    #[arg(long, value_name = "X", default_value = "0.2")]
    pub tolerance: f64,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: CheckFormat,
}
