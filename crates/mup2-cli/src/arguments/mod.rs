//! The command line, as clap parses it.

mod bench;
mod check;
mod convert_rho;
mod data;
mod doctor;
mod exponents;
mod export;
mod phases;
mod scale;
mod scale_files;
mod sweep;
mod table;
mod weights;

pub use bench::BenchArguments;
pub use check::{CheckArguments, CheckFormat};
pub use convert_rho::{ConvertRhoArguments, ConvertRhoFormat, parse_layers};
pub use data::{DataArguments, DataCommand, DataShowArguments, FetchArguments};
pub use doctor::{DoctorArguments, DoctorFormat};
pub use exponents::parse_exponents;
pub use export::ExportArguments;
pub use phases::{PhasesArguments, PhasesFormat};
pub use scale::{ScaleArguments, ScaleFormat};
pub use scale_files::ScaleFilesArguments;
pub use sweep::{
    PlanFormat, StatusFormat, SweepArguments, SweepCancelArguments, SweepCommand,
    SweepCommandsArguments, SweepFileArguments, SweepPlanArguments, SweepRunArguments,
    SweepStatusArguments, SweepSubmitArguments,
};
pub use table::{TableArguments, only_directory};
pub use weights::{EvaluateArguments, WeightNames, WeightsArguments};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use mup2_train::config::TrainingDevice;
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
    /// Measure the accuracy of trained weights
    Evaluate(EvaluateArguments),
    /// Convert weights to the names of PyTorch models, and back
    Weights(WeightsArguments),
    /// Run a grid of trainings
    Sweep(SweepArguments),
    /// Write report.html, report.json and figures of a results directory, or of any tables
    Report(ReportArguments),
    /// Print each tensor's multipliers and the theory's verdict
    Scale(ScaleArguments),
    /// Convert a perturbation radius between the conventions of different code
    ConvertRho(ConvertRhoArguments),
    /// Measure on a real network whether every layer is effectively perturbed at every width
    Check(CheckArguments),
    /// Say in plain words what goes wrong in a sweep, and what to do
    Doctor(DoctorArguments),
    /// Draw what the theory says of every choice of perturbation exponents
    Phases(PhasesArguments),
    /// Write the results of a sweep as CSV or Parquet tables
    Export(ExportArguments),
    /// Get datasets, and look at them
    Data(DataArguments),
    /// Measure how fast this machine trains a run
    Bench(BenchArguments),
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

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mup2 report mup2-quickstart
  mup2 report results/first --format json | jq .transfer
  mup2 report runs.csv --y rho        # with columns scheme, width, lr, rho, seed, accuracy
  mup2 report a.jsonl.gz b.parquet --x weight_decay --metric loss --minimize --out transfer
  mup2 report runs.csv --column lr=optimizer.lr --column width=model.width --metric val_acc

Tables are CSV, TSV, JSON Lines or Parquet, also packed with gzip; several files are one table. What
cannot be used is counted in the report's warnings.")]
pub struct ReportArguments {
    /// A directory made by `mup2 sweep run` or `mup2 quickstart`, or files of tables
    #[arg(value_name = "DIR|FILE", required = true)]
    pub paths: Vec<PathBuf>,
    /// Where the report of tables goes; that of a sweep stays in its directory
    #[arg(long, value_name = "DIR", default_value = "mup2-report")]
    pub out: PathBuf,
    #[command(flatten)]
    pub table: TableArguments,
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
    /// Tables for a note
    Markdown,
    /// Tables for a paper (booktabs)
    Latex,
}

/// The flags of an MLP as overrides of its keys: they are refused where another model is asked for.
pub fn mlp_overrides(depth: Option<u16>, bias: bool) -> impl Iterator<Item = String> {
    let depth = depth.map(|depth| format!("model.depth={depth}"));
    let bias = bias.then(|| "model.bias=true".to_owned());
    depth.into_iter().chain(bias)
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
  mup2 spec run > RUN.toml
  mup2 spec sweep > SWEEP.toml
  mup2 spec command > SWEEP.toml")]
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
    /// The file of `mup2 sweep run` for a training script of your own
    Command,
}
