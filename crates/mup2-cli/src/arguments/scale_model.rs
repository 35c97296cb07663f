//! The arguments of `mup2 scale` for a network of the built-in trainer.

use super::names;
use clap::Args;
use mup2_train::config::ModelKind;
use mup2_train::data::ImageShape;

/// Which network.
#[derive(Debug, Args)]
pub struct ScaleModelArguments {
    /// Architecture
    #[arg(long, value_name = "NAME", default_value = "mlp", value_parser = names::<ModelKind>())]
    pub model: ModelKind,
    /// Width to scale to
    #[arg(long, value_name = "N", required_unless_present = "base", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub width: Option<u32>,
    /// Width at which every multiplier is 1; 1 is the paper's own convention
    #[arg(long, value_name = "N", required_unless_present = "base", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub base_width: Option<u32>,
    /// MLP: weight layers, the readout included [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub depth: Option<u16>,
    /// MLP: input features [default: 784]
    #[arg(long, value_name = "N", conflicts_with = "image", value_parser = clap::value_parser!(u32).range(1..))]
    pub inputs: Option<u32>,
    /// Images [default: 3x32x32, or 784 features for an MLP]
    #[arg(long, value_name = "CxHxW")]
    pub image: Option<ImageShape>,
    /// Classes
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    pub classes: u32,
    /// MLP: with biases
    #[arg(long)]
    pub bias: bool,
    /// Set a key of the model, such as model.resnet.layers=50; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}
