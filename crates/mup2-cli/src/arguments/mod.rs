//! The command line, as clap parses it.

#[cfg(feature = "train")]
mod bench;
#[cfg_attr(not(feature = "train"), path = "check_points.rs")]
mod check;
mod check_scheme;
mod convert_rho;
#[cfg(feature = "train")]
mod data;
mod doctor;
mod exponents;
mod export;
mod phases;
mod scale;
mod scale_files;
#[cfg(feature = "train")]
mod scale_model;
mod sweep;
mod table;
#[cfg(feature = "train")]
mod train;
#[cfg(feature = "train")]
mod weights;

pub use check::CheckArguments;
pub use check_scheme::{CheckFormat, CheckSchemeArguments};
pub use convert_rho::{ConvertRhoArguments, ConvertRhoFormat, parse_layers};
pub use doctor::{DoctorArguments, DoctorFormat};
pub use exponents::parse_exponents;
pub use export::ExportArguments;
pub use phases::{PhasesArguments, PhasesFormat};
pub use scale::{ScaleArguments, ScaleFormat};
pub use scale_files::ScaleFilesArguments;
pub use sweep::{
    PlanFormat, StatusFormat, SweepArguments, SweepCancelArguments, SweepCommand,
    SweepCommandsArguments, SweepFileArguments, SweepPlanArguments, SweepRunArguments,
    SweepStatusArguments, SweepSubmitArguments, WorkerArguments,
};
pub use table::{TableArguments, only_directory};
#[cfg(feature = "train")]
pub use {
    bench::BenchArguments,
    data::{DataArguments, DataCommand, DataShowArguments, FetchArguments},
    scale_model::ScaleModelArguments,
    train::{QuickstartArguments, TrainArguments, mlp_overrides},
    weights::{EvaluateArguments, WeightNames, WeightsArguments},
};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;
use strum::VariantNames;

/// Where a new user starts.
const START: &str = match cfg!(feature = "train") {
    true => "Start with `mup2 quickstart`; every command has `--help` with examples.",
    false => {
        "Start with `mup2 spec command`; every command has `--help` with examples. This program was \
         built without the trainer: it trains nothing itself."
    }
};

/// Tune sharpness-aware training on a small network, train the big one once.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = START)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tune (η, ρ) on a narrow network and watch it transfer: minutes, no set-up, no network
    #[cfg(feature = "train")]
    Quickstart(QuickstartArguments),
    /// Train one network
    #[cfg(feature = "train")]
    Train(TrainArguments),
    /// Measure the accuracy of trained weights
    #[cfg(feature = "train")]
    Evaluate(EvaluateArguments),
    /// Convert weights to the names of PyTorch models, and back
    #[cfg(feature = "train")]
    Weights(WeightsArguments),
    /// Run a grid of trainings
    Sweep(SweepArguments),
    /// Write report.html, report.json and figures of a results directory, or of any tables
    Report(ReportArguments),
    /// Print each tensor's multipliers and the theory's verdict
    Scale(ScaleArguments),
    /// Convert a perturbation radius between the conventions of different code
    ConvertRho(ConvertRhoArguments),
    #[cfg_attr(
        feature = "train",
        doc = "Measure on a real network whether every layer is effectively perturbed at every width"
    )]
    #[cfg_attr(
        not(feature = "train"),
        doc = "Judge from measured points whether every layer is effectively perturbed at every width"
    )]
    Check(CheckArguments),
    /// Say in plain words what goes wrong in a sweep, and what to do
    Doctor(DoctorArguments),
    /// Draw what the theory says of every choice of perturbation exponents
    Phases(PhasesArguments),
    /// Write the results of a sweep as CSV or Parquet tables
    Export(ExportArguments),
    /// Get datasets, and look at them
    #[cfg(feature = "train")]
    Data(DataArguments),
    /// Measure how fast this machine trains a run
    #[cfg(feature = "train")]
    Bench(BenchArguments),
    /// Print a commented TOML file with every key and its default
    Spec(SpecArguments),
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

/// A parser of one of `T`'s names, which `--help` and errors list.
fn names<T>() -> impl TypedValueParser<Value = T>
where
    T: VariantNames + FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync,
{
    PossibleValuesParser::new(T::VARIANTS).try_map(|name| name.parse::<T>())
}

const SPEC_EXAMPLES: &str = match cfg!(feature = "train") {
    true => {
        "Examples:
  mup2 spec run > RUN.toml
  mup2 spec sweep > SWEEP.toml
  mup2 spec command > SWEEP.toml"
    }
    false => "Example:\n  mup2 spec command > SWEEP.toml",
};

#[derive(Debug, Args)]
#[command(after_help = SPEC_EXAMPLES)]
pub struct SpecArguments {
    /// Which file
    #[arg(value_enum)]
    pub kind: SpecKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SpecKind {
    /// The file of `mup2 train`
    #[cfg(feature = "train")]
    Run,
    /// The file of `mup2 sweep run`
    #[cfg(feature = "train")]
    Sweep,
    /// The file of `mup2 sweep run` for a training script of your own
    Command,
}
