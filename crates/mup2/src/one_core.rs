//! A pool of one thread, so that a trial stays on one core and its sums keep their order.

use crate::error::{Error, Result};

/// Name of the threads that trials run on: a panic there is caught and reported, so a program may
/// keep its own report of it quiet.
pub const TRIAL_THREAD: &str = "mup2-trial";

/// Starts a rayon pool of one thread; training inside its `install` is one trial on one core.
///
/// # Errors
/// When the system cannot start threads.
pub fn one_core_pool() -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(|_| TRIAL_THREAD.to_owned())
        .build()
        .map_err(|error| {
            Error::invalid(
                "worker thread",
                error.to_string(),
                "a system that can start threads",
            )
        })
}
