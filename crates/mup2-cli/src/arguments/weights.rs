//! The arguments of `mup2 evaluate` and `mup2 weights`.

use super::names;
use clap::{Args, ValueEnum};
use mup2_train::config::TrainingDevice;
use mup2_train::data::ImageShape;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 train RUN.toml --weights weights
  mup2 evaluate weights/best.safetensors
  mup2 evaluate weights/best.safetensors --set data.path=/data/other
  mup2 evaluate resnet18.safetensors --run RUN.toml --names pytorch

Weights that mup2 has trained know their run and the names of their classes, by which labels are matched;
others need the run's file. Batch normalization evaluates with
the running statistics of the file.")]
pub struct EvaluateArguments {
    /// A safetensors file
    #[arg(value_name = "WEIGHTS")]
    pub weights: PathBuf,
    /// The run's TOML file: data, architecture and widths [default: the run in the weights' file]
    #[arg(long, value_name = "RUN.toml")]
    pub run: Option<PathBuf>,
    /// Replace one value of the run, such as data.path=\"/data/cifar10\"; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Whose names the file has
    #[arg(long, value_enum, default_value = "mup2")]
    pub names: WeightNames,
    /// What computes; a GPU needs a build with its feature
    #[arg(long, value_name = "NAME", default_value = "flex", value_parser = names::<TrainingDevice>())]
    pub device: TrainingDevice,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 weights weights/best.safetensors --to pytorch --image 3x32x32 --classes 10 --out resnet18.safetensors
  mup2 weights resnet18.safetensors --run RUN.toml --to mup2 --image 3x32x32 --classes 10 --out start.safetensors

PyTorch's names are those of torchvision's ResNet, timm's VisionTransformer, and a module with `gru` (a
torch.nn.GRU) and `readout` (a Linear). In Python:
  model.load_state_dict(safetensors.torch.load_file(\"resnet18.safetensors\"), strict=False)
where `strict=False` is for the counters num_batches_tracked.")]
pub struct WeightsArguments {
    /// A safetensors file
    #[arg(value_name = "WEIGHTS")]
    pub weights: PathBuf,
    /// The run's TOML file: architecture and widths [default: the run in the weights' file]
    #[arg(long, value_name = "RUN.toml")]
    pub run: Option<PathBuf>,
    /// Replace one value of the run; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Whose names to write; the file has the other ones
    #[arg(long, value_enum)]
    pub to: WeightNames,
    /// Images of the network
    #[arg(long, value_name = "CxHxW")]
    pub image: ImageShape,
    /// Classes of the network
    #[arg(long, value_name = "N")]
    pub classes: usize,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Whose names and layouts weights have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightNames {
    /// mup2's own
    Mup2,
    /// Those of the common PyTorch model of the architecture
    Pytorch,
}
