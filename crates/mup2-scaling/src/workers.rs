//! Worker threads that share one task, and the flag by which a user ends it.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

/// Runs `work` on so many threads (at least one) until each returns, and hands what they send to
/// `receive`, on the thread of the caller. `work` gets the worker's number, from 0, and its sender.
///
/// A worker that fails does not stop the others: `work` has to see to it that they find nothing
/// more to do.
///
/// # Errors
/// The first error of a worker.
pub fn run_workers<M: Send>(
    workers: usize,
    work: impl Fn(usize, &Sender<M>) -> Result<()> + Sync,
    mut receive: impl FnMut(M),
) -> Result<()> {
    let first_error: Mutex<Option<Error>> = Mutex::new(None);
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for number in 0..workers.max(1) {
            let sender = sender.clone();
            let (work, first_error) = (&work, &first_error);
            scope.spawn(move || {
                if let Err(error) = work(number, &sender) {
                    let mut first = first_error.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert(error);
                }
            });
        }
        // What is left are the workers' own: the receiver ends when they do.
        drop(sender);
        for message in receiver {
            receive(message);
        }
    });
    match first_error
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
    {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// A flag that ends work at its next step.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    /// Asks for the end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Name of the threads that trials run on: a panic there is caught and reported, so a program may
/// keep its own report of it quiet.
pub const TRIAL_THREAD: &str = "mup2-trial";

/// Starts a rayon pool of one thread; training inside its `install` is one trial on one core, whose
/// sums keep their order.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn every_message_arrives_and_the_first_error_is_returned() {
        let next = AtomicUsize::new(0);
        let mut received = Vec::new();
        let result = run_workers(
            3,
            |_, sender| {
                loop {
                    match next.fetch_add(1, Ordering::Relaxed) {
                        number @ 0..10 => sender.send(number).map_err(|_| Error::Interrupted)?,
                        10 => return Err(Error::invalid("task 10", "is bad", "others")),
                        _ => return Ok(()),
                    }
                }
            },
            |number| received.push(number),
        );
        received.sort_unstable();
        assert_eq!(received, (0..10).collect::<Vec<_>>());
        assert!(result.unwrap_err().to_string().starts_with("task 10"));
    }
}
