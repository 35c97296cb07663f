//! From a sweep's spec to a directory of results: plan, local worker pool, report input.

pub mod command;
mod halving;
mod known;
mod pass;
mod plan;
mod pool;
mod pruned;
mod queue;
mod slurm;
mod status;
mod summary;
mod trainer;

pub use known::{KnownRuns, cost_within, known_runs};
pub use plan::{Rerun, Selected, Shard, refuse_halving};
pub use pool::{Event, Outcome, RunOptions, Tally, run};
pub use slurm::{DEFAULT_MOST_TASKS, JobTexts, Submission, Submissions};
pub use status::{Failure, SweepStatus, status};
pub use summary::report_input;
pub use trainer::{Earlier, Job, Trainer};

#[cfg(test)]
mod halving_tests;

#[cfg(test)]
mod tests;
