//! From a sweep's spec to a directory of results: plan, local worker pool, report input.

mod plan;
mod pool;
mod queue;
mod slurm;
mod status;
mod summary;

pub use plan::{Rerun, Selected, Shard, cost, planned_runs};
pub use pool::{Event, Outcome, RunOptions, Tally, check_data, run};
pub use slurm::{DEFAULT_MOST_TASKS, JobTexts, Submission, Submissions};
pub use status::{Failure, SweepStatus, status};
pub use summary::{describe, report_input};

#[cfg(test)]
mod tests;
