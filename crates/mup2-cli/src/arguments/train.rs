//! The arguments of `mup2 train` and `mup2 quickstart`, and flags of models.

use super::names;
use clap::Args;
use mup2_train::config::TrainingDevice;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 quickstart
  mup2 quickstart --out /tmp/first --workers 1

Interrupted with Ctrl-C or killed, the same command goes on where it was.")]
pub struct QuickstartArguments {
    /// Results directory
    #[arg(long, value_name = "DIR", default_value = "mup2-quickstart")]
    pub out: PathBuf,
    /// Worker threads; one trial a thread [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Print the sweep file and stop
    #[arg(long)]
    pub print_sweep: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 spec run > RUN.toml
  mup2 train RUN.toml
  mup2 train RUN.toml --set optimizer.lr=0.1 --set model.width=1024 --out result.json
  mup2 train RUN.toml --weights weights --tensorboard curves
  mup2 train RUN.toml --init weights/best.safetensors
  mup2 train RUN.toml --device vulkan
  mup2 train RUN.toml --checkpoints checkpoints --resume    # again and again, until it is done
  mpirun -n 4 mup2 train RUN.toml --set train.micro_batches=4 --mpi")]
pub struct TrainArguments {
    /// The run's TOML file
    #[arg(value_name = "RUN.toml")]
    pub spec: PathBuf,
    /// Replace one value, such as optimizer.lr=0.1; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// What computes; a GPU needs a build with its feature
    #[arg(long, value_name = "NAME", default_value = "flex", value_parser = names::<TrainingDevice>())]
    pub device: TrainingDevice,
    /// Write the result to this JSON file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write the weights of the best and of the last evaluation to this directory, as best.safetensors
    /// and last.safetensors
    #[arg(long, value_name = "DIR")]
    pub weights: Option<PathBuf>,
    /// Start from the weights of this file in place of random ones: from `mup2 train --weights`, or from
    /// `mup2 weights --to mup2`
    #[arg(long, value_name = "FILE")]
    pub init: Option<PathBuf>,
    /// Write curves for TensorBoard to this directory
    #[arg(long, value_name = "DIR")]
    pub tensorboard: Option<PathBuf>,
    /// Keep checkpoints in this directory: the run's last one and the one before; those of a finished
    /// run stay for a longer one. Runs may share it
    #[arg(long, value_name = "DIR")]
    pub checkpoints: Option<PathBuf>,
    /// Seconds of work between checkpoints; Ctrl-C writes one too
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "300",
        requires = "checkpoints"
    )]
    pub checkpoint_every: u64,
    /// Go on from the last usable checkpoint, also from that of a run with fewer epochs where learning
    /// rate and radius are constant; on the processor to the same bits as without an interruption
    #[arg(long, requires = "checkpoints")]
    pub resume: bool,
    /// Train once in all the processes that mpirun or srun has started, each with its share of every
    /// batch; needs a build with the feature mpi
    #[arg(long)]
    pub mpi: bool,
}

/// The flags of an MLP as overrides of its keys: they are refused where another model is asked for.
pub fn mlp_overrides(depth: Option<u16>, bias: bool) -> impl Iterator<Item = String> {
    let depth = depth.map(|depth| format!("model.depth={depth}"));
    let bias = bias.then(|| "model.bias=true".to_owned());
    depth.into_iter().chain(bias)
}
