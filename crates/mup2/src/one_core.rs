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

/// The first line of what a panic said.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    message.lines().next().unwrap_or_default().to_owned()
}
