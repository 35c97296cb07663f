//! From a sweep's spec to a directory of results: plan, local worker pool, report input.

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

pub use known::{KnownRuns, cost_within, known_runs};
pub use plan::{Rerun, Selected, Shard, cost, refuse_halving};
pub use pool::{Event, Outcome, RunOptions, StackSize, Tally, check_data, run};
pub use slurm::{
    DEFAULT_MOST_TASKS, Job, JobTexts, Submission, Submissions, TimeLimit, time_limit,
};
pub use status::{Failure, SweepStatus, status};
pub use summary::{describe, report_input};

#[cfg(test)]
mod halving_tests;
#[cfg(test)]
mod stack_tests;
#[cfg(test)]
mod tests;
