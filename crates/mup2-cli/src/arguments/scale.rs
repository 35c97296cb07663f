//! The arguments of `mup2 scale`.

#[cfg(feature = "train")]
use super::ScaleModelArguments;
use super::{ScaleFilesArguments, names, parse_exponents};
use clap::{Args, ValueEnum};
use mup2_scaling::error::Error;
use mup2_scaling::{
    AsamBias, BaseOptimizer, Denominator, Parameterization, Perturbation, Rule, Scheme,
};
use std::path::PathBuf;

const EXAMPLES: &str = match cfg!(feature = "train") {
    true => {
        "Examples:
  mup2 scale --model mlp --width 1024 --base-width 256
  mup2 scale --model mlp --width 4096 --base-width 128 --perturb global
  mup2 scale --model mlp --width 1024 --base-width 64 --rule asam --format json
  mup2 scale --model resnet --width 64 --base-width 16 --set model.resnet.layers=50
  mup2 scale --model mlp --width 1024 --base-width 64 --exponent d-layer=0,1,0 --exponent d=0
  mup2 scale --base small.safetensors --target large.safetensors
  mup2 scale --base small.toml --target large.safetensors --format torch --out mup2_groups.py
  mup2 scale --base small.safetensors --save-shapes small.toml"
    }
    false => {
        "Examples:
  mup2 scale --base small.safetensors --target large.safetensors
  mup2 scale --base small.toml --target large.safetensors --format torch --out mup2_groups.py
  mup2 scale --base small.safetensors --save-shapes small.toml"
    }
};

const COLUMNS: &str = "Columns: initialization std, multipliers of learning rate, of ρ in the numerator, of the tensor in
the denominator's norm and of the weight decay (for decay that the optimizer multiplies by the
learning rate), and the predicted exponent of the perturbation's effect: 0 is effective, below 0
vanishes with the width, above 0 blows up.";

#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{COLUMNS}"))]
pub struct ScaleArguments {
    #[cfg(feature = "train")]
    #[command(flatten)]
    pub network: ScaleModelArguments,
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
    #[cfg(feature = "train")]
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
            #[cfg(feature = "train")]
            weight_multipliers: self.weight_multipliers,
            // Tensors of a checkpoint have the form that is common elsewhere.
            #[cfg(not(feature = "train"))]
            weight_multipliers: false,
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
