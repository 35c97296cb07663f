//! The arguments of `mup2 doctor`.

use super::TableArguments;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 doctor mup2-quickstart
  mup2 doctor results/first --format json | jq '.schemes[] | {scheme, healthy}'
  mup2 doctor runs.csv --metric val_acc      # columns scheme, width, lr, rho, seed, val_acc

Looks for the four failure signatures of the paper: perturbations that vanish in the hidden layers,
instability, an optimum that shifts with the width, and no gain over SGD. Each finding comes with the
numbers behind it and what to do. What the seeds or the grid leave open is said to be open. Of tables
the theory of the schemes is not known, so nothing is predicted.")]
pub struct DoctorArguments {
    /// A directory made by `mup2 sweep run` or `mup2 quickstart`, or files of tables
    #[arg(value_name = "DIR|FILE", required = true)]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub table: TableArguments,
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
