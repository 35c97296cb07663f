//! The arguments of `mup2 scale` for the shapes of a PyTorch checkpoint.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[cfg_attr(
    feature = "train",
    command(next_help_heading = "PyTorch checkpoint, in place of --model")
)]
#[cfg_attr(
    not(feature = "train"),
    command(next_help_heading = "PyTorch checkpoint")
)]
pub struct ScaleFilesArguments {
    /// Shapes at the base width: .safetensors (its header only), .safetensors.index.json, or .toml of --save-shapes
    #[arg(long, value_name = "FILE")]
    #[cfg_attr(not(feature = "train"), arg(required = true))]
    #[cfg_attr(feature = "train", arg(conflicts_with_all = [
        "model", "width", "base_width", "depth", "inputs", "image", "classes", "bias", "overrides",
        "weight_multipliers",
    ]))]
    pub base: Option<PathBuf>,
    /// Shapes of the same model at the width to scale to
    #[arg(long, value_name = "FILE", requires = "base")]
    pub target: Option<PathBuf>,
    /// Shapes at a third width, to see what grows where --base and --target are the same
    #[arg(long, value_name = "FILE", requires = "target")]
    pub other: Option<PathBuf>,
    /// What shapes do not show, such as embeddings: see docs/guides/pytorch.md
    #[arg(long, value_name = "ROLES.toml", requires = "target")]
    pub roles: Option<PathBuf>,
    /// Write the shapes of --base to this file, which can stand in for the weights
    #[arg(long, value_name = "SHAPES.toml", requires = "base", conflicts_with_all = ["target", "format", "out"])]
    pub save_shapes: Option<PathBuf>,
}
