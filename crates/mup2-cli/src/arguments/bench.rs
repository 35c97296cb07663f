//! The arguments of `mup2 bench`.

use super::names;
use clap::Args;
use mup2_train::config::TrainingDevice;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 bench RUN.toml
  mup2 bench RUN.toml --set model.width=1024 --workers 1 --threads 2
  mup2 bench RUN.toml --steps 100 --json

Each worker trains a copy of the run; what a run does between its steps is part of them, evaluations are not.
Times of different machines, or of one machine at different hours, tell little: compare within minutes.")]
pub struct BenchArguments {
    /// The run's TOML file
    #[arg(value_name = "RUN.toml")]
    pub spec: PathBuf,
    /// Replace one value, such as model.width=1024; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// What computes; a GPU needs a build with its feature
    #[arg(long, value_name = "NAME", default_value = "flex", value_parser = names::<TrainingDevice>())]
    pub device: TrainingDevice,
    /// Copies of the run that train at once [default: one a core; 1 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Threads of each copy; a sweep gives each trial one
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: u16,
    /// Steps of each copy that are timed
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub steps: u32,
    /// Steps of each copy before the clock starts
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub warmup: u32,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}
