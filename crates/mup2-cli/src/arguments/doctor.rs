//! The arguments of `mup2 doctor`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 doctor mup2-quickstart
  mup2 doctor results/first --format json | jq '.schemes[] | {scheme, healthy}'

Looks for the four failure signatures of the paper: perturbations that vanish in the hidden layers,
instability, an optimum that shifts with the width, and no gain over SGD. Each finding comes with the
numbers behind it and what to do. What the seeds or the grid leave open is said to be open.")]
pub struct DoctorArguments {
    /// A directory made by `mup2 sweep run` or `mup2 quickstart`
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value = "text")]
    pub format: DoctorFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// Plain words
    Text,
    /// Every finding with its numbers
    Json,
}
