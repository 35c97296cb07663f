//! The arguments of `mup2 check`.

use super::{CheckFormat, CheckSchemeArguments, names};
use clap::Args;
use mup2_train::config::{ModelKind, TrainingDevice};
use mup2_train::data::DatasetName;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 check                                        # µP² on the embedded images: passes
  mup2 check --perturb global                       # names the layers that are not perturbed
  mup2 check --scheme sp-naive --format html > check.html
  mup2 check --rule asam --widths 64,256,1024 --seeds 5
  mup2 check --model resnet --rule sam-on
  mup2 check RUN.toml --base-width 64 --format json | jq '.tensors[] | {name, verdict}'
  mup2 check --exponent d=0.5                       # what a wrong sign of d does
  mup2 check --points points.jsonl --scheme mup2    # what another framework measured

Trains a few real steps at each width on one batch and fits the slope of each layer's effect against
the width, on logarithmic axes: 0 is effective, below 0 vanishes, above 0 explodes. Open it first
when SAM does not transfer.

The slopes are those of the limit of wide networks. At a base width of 1, the default, every
multiplier is as far from 1 as at an infinitely narrow base and the limit is near; with your own base
width the check says how your own networks behave.

Exit code 0 if the scheme is stable and perturbs every tensor effectively, 1 if not, 2 for bad
input.")]
pub struct CheckArguments {
    /// Check this run's model, data, optimizer and scheme; other flags replace its values
    #[arg(value_name = "RUN.toml")]
    pub spec: Option<PathBuf>,
    /// Judge points that another framework measured, and train nothing: JSON Lines with tensor, role
    /// or shape, size, seed, effect, update
    #[arg(
        long,
        value_name = "POINTS.jsonl",
        conflicts_with_all = ["spec", "model", "widths", "steps", "dataset", "base_width", "depth", "bias", "lr", "rho", "batch_size", "overrides", "workers"]
    )]
    pub points: Option<PathBuf>,
    /// Architecture [default: mlp, or the run file's]
    #[arg(long, value_name = "NAME", conflicts_with = "spec", value_parser = names::<ModelKind>())]
    pub model: Option<ModelKind>,
    /// Widths to measure [default: 64,128,256,512,1024 for an MLP, four of 16 to 2048 for other models]
    #[arg(
        long,
        value_name = "N,N,…",
        value_delimiter = ',',
        value_parser = clap::value_parser!(u32).range(1..=1 << 20)
    )]
    pub widths: Vec<u32>,
    #[command(flatten)]
    pub scheme: CheckSchemeArguments,
    /// Steps to train [default: 4, 6 for a vit; with a run file 16, since its η and ρ may be large]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub steps: Option<u16>,
    /// Number of seeds, counted from 0 [default: 3]
    #[arg(long, value_name = "N", default_value = "3", hide_default_value = true, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub seeds: u16,
    /// Images [default: embedded]; `random` is Gaussian noise
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<DatasetName>,
    /// Width at which every multiplier is 1 [default: 1, or the run file's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub base_width: Option<u32>,
    /// MLP: weight layers, the readout included [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub depth: Option<u16>,
    /// MLP: with biases
    #[arg(long)]
    pub bias: bool,
    /// Learning rate η at the base width
    #[arg(long, value_name = "ETA")]
    pub lr: Option<f64>,
    /// Perturbation radius ρ at the base width
    #[arg(long, value_name = "RHO")]
    pub rho: Option<f64>,
    /// Images in the batch [default: 64]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Replace one value of the run, such as model.activation=\"gelu\"; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// A slope within this distance of 0 counts as 0
    #[arg(long, value_name = "X", default_value = "0.2")]
    pub tolerance: f64,
    /// What computes; a GPU needs a build with its feature
    #[arg(long, value_name = "NAME", default_value = "flex", value_parser = names::<TrainingDevice>())]
    pub device: TrainingDevice,
    /// Worker threads [default: one a core; 1 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: CheckFormat,
}
