//! From a sweep's spec to a directory of results: plan, local worker pool, report input.

mod pool;
mod summary;

pub use pool::{Event, Outcome, RunOptions, Tally, check_data, run};
pub use summary::{describe, report_input};

#[cfg(test)]
mod tests;
