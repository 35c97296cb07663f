//! The arguments of `mup2 scale`.

use super::{ScaleFilesArguments, names, parse_exponents};
use clap::{Args, ValueEnum};
use mup2_scaling::error::Error;
use mup2_scaling::{
    AsamBias, BaseOptimizer, Denominator, Parameterization, Perturbation, Rule, Scheme,
};
use mup2_train::config::ModelKind;
use mup2_train::data::ImageShape;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 scale --model mlp --width 1024 --base-width 256
  mup2 scale --model mlp --width 4096 --base-width 128 --perturb global
  mup2 scale --model mlp --width 1024 --base-width 64 --rule asam --format json
  mup2 scale --model resnet --width 64 --base-width 16 --set model.resnet.layers=50
  mup2 scale --model mlp --width 1024 --base-width 64 --exponent d-layer=0,1,0 --exponent d=0
  mup2 scale --base small.safetensors --target large.safetensors
  mup2 scale --base small.toml --target large.safetensors --format torch --out mup2_groups.py
  mup2 scale --base small.safetensors --save-shapes small.toml

Columns: initialization std, multipliers of learning rate, of ρ in the numerator, of the tensor in
the denominator's norm and of the weight decay (for decay that the optimizer multiplies by the
learning rate), and the predicted exponent of the perturbation's effect: 0 is effective, below 0
vanishes with the width, above 0 blows up.")]
pub struct ScaleArguments {
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
    /// Parameterization
    #[arg(long, value_name = "NAME", default_value = "mup", value_parser = names::<Parameterization>())]
    pub param: Parameterization,
    /// Perturbation scaling
    #[arg(long, value_name = "NAME", default_value = "mup2", value_parser = names::<Perturbation>())]
    pub perturb: Perturbation,
    /// Perturbation rule
    #[arg(long, value_name = "NAME", default_value = "sam", value_parser = names::<Rule>())]
    pub rule: Rule,
    /// Base optimizer
    #[arg(long, value_name = "NAME", default_value = "sgd", value_parser = names::<BaseOptimizer>())]
    pub optimizer: BaseOptimizer,
    /// Norm of the denominator [default: decoupled for mup2, coupled for the others]
    #[arg(long, value_name = "NAME", value_parser = names::<Denominator>())]
    pub denominator: Option<Denominator>,
    /// ASAM's treatment of biases
    #[arg(long, value_name = "NAME", default_value = "one", value_parser = names::<AsamBias>())]
    pub asam_bias: AsamBias,
    /// Put the width dependence into weight multipliers in the forward pass
    #[arg(long)]
    pub weight_multipliers: bool,
    /// Exponents of your own: b, c, d-layer, e or a = INPUT,HIDDEN,OUTPUT or INPUT,HIDDEN,OUTPUT,FIXED; d=NUMBER
    #[arg(
        long = "exponent",
        value_name = "NAME=VALUES",
        allow_hyphen_values = true
    )]
    pub exponents: Vec<String>,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: ScaleFormat,
    /// Write it to this file instead
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub files: ScaleFilesArguments,
}

impl ScaleArguments {
    /// The scheme that the flags describe.
    pub fn scheme(&self) -> Result<Scheme, Error> {
        Ok(Scheme {
            parameterization: self.param,
            perturbation: self.perturb,
            denominator: self.denominator,
            rule: self.rule,
            optimizer: self.optimizer,
            asam_bias: self.asam_bias,
            exponents: parse_exponents(&self.exponents)?,
            weight_multipliers: self.weight_multipliers,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScaleFormat {
    /// A table for reading
    Table,
    /// JSON
    Json,
    /// Comma-separated values
    Csv,
    /// A Python file with parameter groups and a SAM optimizer for PyTorch; needs --base and --target
    Torch,
}
