//! A sweep as values and files: its spec, the runs of its grid or search, their results on disk, who
//! works on what, and a [`Trainer`] that trains them, which may be any command.
//!
//! Nothing here knows an engine, and nothing prints.

pub mod command;
pub mod config;
pub mod export;
mod halving;
mod known;
mod pass;
mod plan;
mod pool;
mod pruned;
mod queue;
pub mod results;
mod slurm;
mod status;
mod summary;
mod trainer;

pub use known::{KnownRuns, cost_within, known_runs};
pub use plan::{Rerun, Selected, Shard, refuse_halving};
pub use pool::{Event, Outcome, RunOptions, Tally, run};
pub use slurm::{
    DEFAULT_MOST_TASKS, JobTexts, Submission, Submissions, SubmittedJob, TimeLimit, time_limit,
};
pub use status::{Failure, SweepStatus, status};
pub use summary::report_input;
pub use trainer::{Earlier, Job, Trainer};

use mup2_report::report;
use mup2_scaling::{error, publish, random};

#[cfg(test)]
mod halving_tests;
#[cfg(test)]
mod tests;
