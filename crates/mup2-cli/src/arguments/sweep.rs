//! The arguments of `mup2 sweep`.

#[cfg(feature = "train")]
use super::names;
use clap::{Args, Subcommand, ValueEnum};
use mup2_sweep::config::RunId;
use mup2_sweep::{Rerun, Selected, Shard};
use std::path::PathBuf;

const RUN_EXAMPLES: &str = match cfg!(feature = "train") {
    true => {
        "Examples:
  mup2 spec sweep > SWEEP.toml
  mup2 sweep run SWEEP.toml --out results/first
  mup2 sweep run SWEEP.toml --out results/first --set grid.seed=[0,1,2,3]   # runs the new seeds only
  mup2 sweep run SWEEP.toml --out results/first --rerun diverged
  mup2 sweep run SWEEP.toml --out results/first --shard 2/8                 # one of eight machines
  mup2 sweep run SWEEP.toml --out results/gpu --device vulkan --stack 81    # 81 trials at once
  mup2 sweep run COMMAND.toml --out results/mine --gpus 0,1,2               # of your own script"
    }
    false => {
        "Examples:
  mup2 spec command > SWEEP.toml
  mup2 sweep run SWEEP.toml --out results/mine --workers 4
  mup2 sweep run SWEEP.toml --out results/mine --gpus 0,1,2                 # one command on each
  mup2 sweep run SWEEP.toml --out results/mine --set grid.seed=[0,1,2,3]    # runs the new seeds only
  mup2 sweep run SWEEP.toml --out results/mine --shard 2/8                  # one of eight machines"
    }
};

const RUN_RULES: &str = "Runs whose result exists are skipped, so an interrupted sweep goes on where it was. Several calls may
work on one directory at the same time, also from several machines: a run that another process is at
is left to it. Exit code 1 if any run failed; such runs are tried again by the next call.";

#[derive(Debug, Args)]
pub struct SweepArguments {
    #[command(subcommand)]
    pub command: SweepCommand,
}

#[derive(Debug, Subcommand)]
pub enum SweepCommand {
    /// Train what is missing of a sweep, then report
    #[command(after_help = format!("{RUN_EXAMPLES}\n\n{RUN_RULES}"))]
    Run(SweepRunArguments),
    /// Print one line a run, the most expensive first
    #[command(after_help = "Examples:
  mup2 sweep plan SWEEP.toml
  mup2 sweep plan SWEEP.toml --shard 1/8 | wc -l
  mup2 sweep plan SWEEP.toml --out results/first        # of a halving also what was promoted
  mup2 sweep plan SWEEP.toml --format json | jq -r 'select(.spec.model.width == 1024) | .id'

The cost is an estimate in units of the cheapest run. Cells of the grid that are one computation
(all schemes at the base width, all perturbation scalings at ρ = 0) are one run. Of a search by
halving, later rungs are decided by results; how many runs they will have is said on stderr.")]
    Plan(SweepPlanArguments),
    /// Say how far a sweep is: done, running, failed, diverged, missing, ETA
    #[command(after_help = "Examples:
  mup2 sweep status results/first
  mup2 sweep status results/first --watch
  mup2 sweep status results/first --format json | jq .missing")]
    Status(SweepStatusArguments),
    /// Print one shell line for each run that is missing
    #[command(after_help = "Examples:
  mup2 sweep commands SWEEP.toml --out results/first | parallel -j 4
  mup2 sweep commands SWEEP.toml --out results/first > lines && xargs -P 4 -I{} sh -c {} < lines
  mup2 report results/first      # afterwards

Words with spaces or quotes come in percent encoding, after --encoded, so that every such tool passes
them on as they are.")]
    Commands(SweepCommandsArguments),
    /// Submit a sweep to a cluster as a job array, with a report that follows it
    #[command(after_help = "Examples:
  mup2 sweep submit SWEEP.toml --out results/first --slurm --partition main --time 60
  mup2 sweep submit SWEEP.toml --out results/first --slurm --shards 200 --array-limit 50 --cpus 4
  mup2 sweep submit SWEEP.toml --out results/first --slurm --dry-run
  mup2 sweep status results/first --watch
  mup2 sweep cancel results/first

Writes DIR/slurm/ (the sweep as it was submitted, job.sh, report.sh, logs/) and calls sbatch. A task
that runs out of time is put back into the queue and goes on with the runs that it has not published.
DIR must be on a file system that all nodes share.")]
    Submit(SweepSubmitArguments),
    /// Cancel the jobs that `submit` has made for a results directory
    #[command(after_help = "Example:
  mup2 sweep cancel results/first

What was published stays; `mup2 sweep submit` or `mup2 sweep run` goes on from there.")]
    Cancel(SweepCancelArguments),
}

#[derive(Debug, Args)]
pub struct SweepSubmitArguments {
    #[command(flatten)]
    pub sweep: SweepFileArguments,
    /// Results directory, on a file system that all nodes share
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Submit to Slurm, the one scheduler that is known
    #[arg(long, required = true)]
    pub slurm: bool,
    /// Array tasks; each does one part of the sweep [default: one a run, at most what Slurm allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub shards: Option<u32>,
    /// Array tasks of a search by halving, all of which work on the whole of it [default: 8, at most
    /// one a run of the first rung]
    #[arg(long, value_name = "N", conflicts_with = "shards", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub tasks: Option<u32>,
    /// Array tasks that may run at the same time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub array_limit: Option<u32>,
    /// Cores a task, and so workers
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub cpus: u16,
    /// Partition
    #[arg(long, value_name = "NAME")]
    pub partition: Option<String>,
    /// Time limit of a task as Slurm writes it, such as 60 (minutes), 12:00:00 or 1-12; at least 3 minutes;
    /// a task that runs out of time goes on from its checkpoints
    #[arg(long, value_name = "TIME")]
    pub time: Option<String>,
    /// Memory of a task as Slurm writes it, such as 2G; without it many clusters give a task its whole
    /// node
    #[arg(long, value_name = "SIZE")]
    pub mem: Option<String>,
    /// Another argument for sbatch, such as --sbatch=--account=lab; may be repeated
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub sbatch: Vec<String>,
    /// Write the files and print the sbatch calls, but submit nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: StatusFormat,
}

#[derive(Debug, Args)]
pub struct SweepCancelArguments {
    /// A directory that `mup2 sweep submit` was given
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// Which runs.
#[derive(Debug, Args)]
pub struct SelectionArguments {
    /// Only part I of N, with I from 1; the parts have no run in common. Not for a search by halving
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Only this run; may be repeated
    #[arg(long, value_name = "ID")]
    pub only: Vec<RunId>,
    /// Make results again: `failed`, `diverged` or a run's id; may be repeated
    #[arg(long, value_name = "WHICH")]
    pub rerun: Vec<Rerun>,
}

impl SelectionArguments {
    pub fn selected(&self) -> Selected {
        Selected {
            shard: self.shard,
            only: self.only.clone(),
            rerun: self.rerun.clone(),
        }
    }
}

/// Which sweep.
#[derive(Debug, Args)]
pub struct SweepFileArguments {
    /// The sweep's TOML file
    #[arg(value_name = "SWEEP.toml")]
    pub spec: PathBuf,
    /// Replace one value, such as run.train.epochs=20; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

#[derive(Debug, Args)]
pub struct SweepRunArguments {
    #[command(flatten)]
    pub sweep: SweepFileArguments,
    /// Results directory: new, or one that this sweep has made
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub workers: WorkerArguments,
    /// GPUs for the commands of a `[command]` sweep, such as 0,1,2: each worker's commands see one of them
    /// (CUDA_VISIBLE_DEVICES); there are as many workers, unless --workers says otherwise
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub gpus: Vec<String>,
    /// Print the commands that are missing of a `[command]` sweep, and run none
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub selection: SelectionArguments,
}

/// What computes, and how much at once.
#[derive(Debug, Args)]
pub struct WorkerArguments {
    /// What computes; a GPU needs a build with its feature. A results directory keeps to one device
    #[cfg(feature = "train")]
    #[arg(long, value_name = "NAME", default_value = "flex", value_parser = names::<mup2_train::config::TrainingDevice>())]
    pub device: mup2_train::config::TrainingDevice,
    /// Worker threads; one trial a thread [default: one a core; 1 on a GPU and for commands]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Trials that a GPU trains at once, as one model: those of a width that differ in learning rate,
    /// radius and seed [default: as many as fit into half of its free memory]
    #[cfg(feature = "train")]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    pub stack: Option<u16>,
}

#[derive(Debug, Args)]
pub struct SweepPlanArguments {
    #[command(flatten)]
    pub sweep: SweepFileArguments,
    /// Only part I of N, with I from 1
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Results directory of a search by halving, whose results decide about its later rungs
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: PlanFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Columns for reading
    Table,
    /// One JSON object a line, with the whole spec
    Json,
}

#[derive(Debug, Args)]
pub struct SweepStatusArguments {
    /// A directory made by `mup2 sweep run`, `mup2 sweep submit` or `mup2 quickstart`
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Look again every two seconds until the sweep is finished
    #[arg(long)]
    pub watch: bool,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub format: StatusFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// For reading
    Table,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub struct SweepCommandsArguments {
    #[command(flatten)]
    pub sweep: SweepFileArguments,
    /// Results directory of the runs
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
