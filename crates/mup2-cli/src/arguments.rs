//! The command line, as clap parses it.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use mup2::scaling::{
    AsamBias, BaseOptimizer, Denominator, Parameterization, Perturbation, Role, Rule,
};
use std::path::PathBuf;
use std::str::FromStr;
use strum::VariantNames;

/// Tune sharpness-aware training on a small network, train the big one once.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Start with `mup2 quickstart`; every command has `--help` with examples.")]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tune (η, ρ) on a narrow network and watch it transfer: minutes, no set-up, no network
    Quickstart(QuickstartArguments),
    /// Train one network
    Train(TrainArguments),
    /// Run a grid of trainings
    Sweep(SweepArguments),
    /// Write report.html, report.json and figures of a results directory
    Report(ReportArguments),
    /// Print each tensor's multipliers and the theory's verdict
    Scale(ScaleArguments),
    /// Get datasets
    Data(DataArguments),
    /// Print a commented TOML file with every key and its default
    Spec(SpecArguments),
}

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
  mup2 train RUN.toml --set optimizer.lr=0.1 --set model.width=1024 --out result.json")]
pub struct TrainArguments {
    /// The run's TOML file
    #[arg(value_name = "RUN.toml")]
    pub spec: PathBuf,
    /// Replace one value, such as optimizer.lr=0.1; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Write the result to this JSON file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

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

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 report mup2-quickstart
  mup2 report results/first --format json | jq .transfer")]
pub struct ReportArguments {
    /// A directory made by `mup2 sweep run` or `mup2 quickstart`
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// What to print; the files are written in any case
    #[arg(long, value_enum, default_value = "table")]
    pub format: ReportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Tables for reading
    Table,
    /// The contents of report.json
    Json,
}

/// A parser of one of `T`'s names, which `--help` and errors list.
fn names<T>() -> impl TypedValueParser<Value = T>
where
    T: VariantNames + FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync,
{
    PossibleValuesParser::new(T::VARIANTS).try_map(|name| name.parse::<T>())
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 scale --model mlp --width 1024 --base-width 256
  mup2 scale --model mlp --width 4096 --base-width 128 --perturb global
  mup2 scale --model mlp --width 1024 --base-width 64 --rule asam --format json
  mup2 scale --model mlp --width 1024 --base-width 64 --exponent d-layer=0,1,0 --exponent d=0

Columns: initialization std, multipliers of learning rate, of ρ in the numerator, of the tensor in
the denominator's norm and of the weight decay (for decay that the optimizer multiplies by the
learning rate), and the predicted exponent of the perturbation's effect: 0 is effective, below 0
vanishes with the width, above 0 blows up.")]
pub struct ScaleArguments {
    /// Architecture
    #[arg(long, value_enum, default_value = "mlp")]
    pub model: ScaleModel,
    /// Width to scale to
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub width: u32,
    /// Width at which every multiplier is 1; 1 is the paper's own convention
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub base_width: u32,
    /// Weight layers, the readout included
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub depth: u16,
    /// Input features
    #[arg(long, value_name = "N", default_value = "784", value_parser = clap::value_parser!(u32).range(1..))]
    pub inputs: u32,
    /// Classes
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    pub classes: u32,
    /// With biases
    #[arg(long)]
    pub bias: bool,
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScaleModel {
    /// Multilayer perceptron
    Mlp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScaleFormat {
    /// A table for reading
    Table,
    /// JSON
    Json,
    /// Comma-separated values
    Csv,
}

/// Roles in the order in which exponents are given.
pub const EXPONENT_ROLES: [Role; 4] = [Role::Input, Role::Hidden, Role::Output, Role::Fixed];

#[derive(Debug, Args)]
pub struct DataArguments {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Download, verify and unpack a dataset
    #[command(after_help = "Examples:
  mup2 data fetch fashion-mnist
  mup2 data fetch cifar10 --dir /data/cifar10

Goes to $MUP2_DATA/NAME, else ~/.cache/mup2/NAME. An interrupted download is resumed.")]
    Fetch(FetchArguments),
}

#[derive(Debug, Args)]
pub struct FetchArguments {
    /// Dataset
    #[arg(value_parser = ["fashion-mnist", "mnist", "cifar10", "cifar100"])]
    pub name: String,
    /// Directory for its files
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 spec run > RUN.toml
  mup2 spec sweep > SWEEP.toml")]
pub struct SpecArguments {
    /// Which file
    #[arg(value_enum)]
    pub kind: SpecKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SpecKind {
    /// The file of `mup2 train`
    Run,
    /// The file of `mup2 sweep run`
    Sweep,
}
