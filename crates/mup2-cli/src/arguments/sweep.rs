//! The arguments of `mup2 sweep`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct SweepArguments {
    #[command(subcommand)]
    pub command: SweepCommand,
}

#[derive(Debug, Subcommand)]
pub enum SweepCommand {
    /// Train what is missing of a sweep, then report
    #[command(after_help = "Examples:
  mup2 spec sweep > SWEEP.toml
  mup2 sweep run SWEEP.toml --out results/first
  mup2 sweep run SWEEP.toml --out results/first --set grid.seed=[0,1,2,3]   # runs the new seeds only

Runs whose result exists are skipped, so an interrupted sweep goes on where it was. Exit code 1 if
any run failed; such runs are tried again by the next call.")]
    Run(SweepRunArguments),
}

#[derive(Debug, Args)]
pub struct SweepRunArguments {
    /// The sweep's TOML file
    #[arg(value_name = "SWEEP.toml")]
    pub spec: PathBuf,
    /// Results directory: new, or one that this sweep has made
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Worker threads; one trial a thread [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Replace one value, such as run.train.epochs=20; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}
