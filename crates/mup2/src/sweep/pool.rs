//! The local worker pool: one thread a trial, each with a rayon pool of its own.

use crate::config::{PlannedRun, RunId, Selection, SweepSpec};
use crate::data::{BatchOrder, Dataset};
use crate::error::{Error, Result};
use crate::results::{RESULT_FORMAT, ResultStore, RunResult, RunStatus};
use crate::train::{Cancel, one_core_pool, panic_message, train};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// How a sweep is worked off; nothing here changes a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// Worker threads; at least 1.
    pub workers: usize,
}

/// What the pool tells while it works.
#[derive(Debug)]
pub enum Event<'a> {
    /// The work is known; results that already exist are not run again.
    Planned {
        /// Distinct runs of the sweep.
        total: usize,
        /// Runs whose result exists.
        done: usize,
        /// Estimated cost of each run still to be done, summed, in arbitrary units.
        cost: f64,
    },
    /// A run ended and its result is published.
    Finished {
        /// The result.
        result: &'a RunResult,
        /// Wall-clock time that it took.
        elapsed: Duration,
        /// Its estimated cost, in the units of `Planned`.
        cost: f64,
    },
}

/// How many runs ended in which way, those of earlier calls included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Trained to the end.
    pub completed: usize,
    /// Stopped by a divergence.
    pub diverged: usize,
    /// Broken.
    pub failed: usize,
}

impl Tally {
    fn count(&mut self, status: &RunStatus) {
        match status {
            RunStatus::Completed => self.completed += 1,
            RunStatus::Diverged => self.diverged += 1,
            RunStatus::Failed { .. } => self.failed += 1,
        }
    }
}

/// How a call of [`run`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// All runs of the sweep.
    pub tally: Tally,
    /// Runs that this call has trained.
    pub trained: usize,
}

/// Checks what only the data can tell, before a directory is made.
///
/// # Errors
/// When a batch is larger than the training set, or hyperparameters are to be selected on a
/// validation split that is empty.
pub fn check_data(sweep: &SweepSpec, data: &Dataset) -> Result<()> {
    BatchOrder::new(0, data.train.len(), sweep.run.train.batch_size)?;
    if data.validation.is_empty() && sweep.selection != Selection::BestTest {
        return Err(Error::invalid(
            "selection",
            format!(
                "is `{}`, but the validation split is empty",
                sweep.selection
            ),
            "`run.data.validation_fraction` above 0, or `best-test`",
        ));
    }
    Ok(())
}

/// Runs what is missing of `sweep` and publishes each result in `store` as it is ready.
///
/// A run that panics or diverges is recorded and costs only itself; a failed run is tried again
/// by the next call.
///
/// # Errors
/// [`Error::Interrupted`] when cancelled, and the first error that would hit every run, such as
/// a full disk. What was published stays in both cases.
pub fn run(
    sweep: &SweepSpec,
    data: &Dataset,
    store: &ResultStore,
    options: RunOptions,
    cancel: &Cancel,
    mut on_event: impl FnMut(Event),
) -> Result<Outcome> {
    let mut tally = Tally::default();
    let mut missing = Vec::new();
    let runs = sweep.distinct_runs();
    let total = runs.len();
    for planned in runs {
        match store.result(&planned.id)? {
            Some(result) if !matches!(result.status, RunStatus::Failed { .. }) => {
                tally.count(&result.status);
            }
            _ => missing.push(planned),
        }
    }
    on_event(Event::Planned {
        total,
        done: total - missing.len(),
        cost: missing.iter().map(cost).sum(),
    });
    let next = AtomicUsize::new(0);
    let first_error: Mutex<Option<Error>> = Mutex::new(None);
    let stop = |error: Error| {
        if let Ok(mut slot) = first_error.lock() {
            slot.get_or_insert(error);
        }
        next.store(missing.len(), Ordering::Relaxed);
    };
    let mut trained = 0;
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..options.workers.clamp(1, missing.len().max(1)) {
            let sender = sender.clone();
            scope.spawn(|| {
                if let Err(error) = work(&missing, &next, data, store, cancel, sender) {
                    stop(error);
                }
            });
        }
        drop(sender);
        for finished in receiver {
            tally.count(&finished.result.status);
            trained += 1;
            on_event(Event::Finished {
                result: &finished.result,
                elapsed: finished.elapsed,
                cost: finished.cost,
            });
        }
    });
    match first_error.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(Outcome { tally, trained }),
    }
}

struct Finished {
    result: RunResult,
    elapsed: Duration,
    cost: f64,
}

/// One worker: takes the next run until none is left.
fn work(
    runs: &[PlannedRun],
    next: &AtomicUsize,
    data: &Dataset,
    store: &ResultStore,
    cancel: &Cancel,
    sender: Sender<Finished>,
) -> Result<()> {
    let pool = one_core_pool()?;
    while let Some(planned) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
        if cancel.is_cancelled() {
            return Err(Error::Interrupted);
        }
        let start = Instant::now();
        let result = pool.install(|| trial(planned, data, cancel))?;
        store.publish(&result)?;
        let finished = Finished {
            result,
            elapsed: start.elapsed(),
            cost: cost(planned),
        };
        if sender.send(finished).is_err() {
            return Err(Error::Interrupted);
        }
    }
    Ok(())
}

/// One run, with a panic or an error of its own turned into a failed result.
fn trial(planned: &PlannedRun, data: &Dataset, cancel: &Cancel) -> Result<RunResult> {
    let trained = catch_unwind(AssertUnwindSafe(|| {
        train(&planned.spec, data, cancel, |_| {})
    }));
    let reason = match trained {
        Ok(Ok(result)) => return Ok(result),
        Ok(Err(Error::Interrupted)) => return Err(Error::Interrupted),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => format!("panic: {}", panic_message(panic.as_ref())),
    };
    Ok(RunResult {
        format: RESULT_FORMAT,
        id: RunId::of(&planned.spec),
        mup2_version: env!("CARGO_PKG_VERSION").to_owned(),
        spec: planned.spec.clone(),
        status: RunStatus::Failed { reason },
        steps: 0,
        epochs: Vec::new(),
    })
}

/// Estimated cost of a run for the ETA: multiply-adds of its weights, plus a constant a step.
fn cost(planned: &PlannedRun) -> f64 {
    /// Inputs of an image, about; only the ratio between widths matters.
    const INPUTS: f64 = 784.0;
    /// What a step costs beyond its products, in the units of one multiply-add a sample.
    const OVERHEAD: f64 = 40_000.0;
    let spec = &planned.spec;
    let width = spec.model.width as f64;
    let hidden = spec.model.depth.saturating_sub(2) as f64;
    let passes = if spec.sam.rho > 0.0 { 2.0 } else { 1.0 };
    passes * spec.train.epochs as f64 * (OVERHEAD + width * (INPUTS + hidden * width))
}
