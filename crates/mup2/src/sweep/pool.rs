//! The local worker pool: one thread a trial, each with a rayon pool of its own.

use super::plan::{Selected, cost};
use super::queue::{Queue, Taken};
use crate::config::{PlannedRun, RunId, Selection, SweepSpec};
use crate::data::{BatchOrder, Dataset};
use crate::error::{Error, Result};
use crate::results::{
    HEARTBEAT_INTERVAL, Heartbeat, RESULT_FORMAT, ResultStore, RunResult, RunStatus,
};
use crate::train::{
    Cancel, Checkpointing, Progress, one_core_pool, panic_message, train_resumably,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};

/// How a sweep is worked off; nothing here changes a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// Worker threads; at least 1.
    pub workers: usize,
    /// Which runs are to be done.
    pub selected: Selected,
}

/// Between two looks at what other processes have done.
const POLL_INTERVAL: std::time::Duration = std::time::Duration::from_millis(500);

/// At most this much of a long run is repeated when its process is killed.
const CHECKPOINT_INTERVAL: std::time::Duration = std::time::Duration::from_secs(60);

/// What the pool tells while it works.
#[derive(Debug)]
pub enum Event<'a> {
    /// The work is known; results that already exist are not run again.
    Planned {
        /// Distinct runs that were selected.
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
        /// Its estimated cost, in the units of `Planned`.
        cost: f64,
    },
    /// Another process published the result of a run that was to be done here.
    FinishedElsewhere {
        /// The result.
        result: &'a RunResult,
        /// Its estimated cost, in the units of `Planned`.
        cost: f64,
    },
    /// All that is left is being done by other processes; the call waits for their results.
    Waiting {
        /// Runs that are waited for.
        runs: usize,
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
    /// All runs that were selected.
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

/// Runs what is missing of the selected runs and publishes each result in `store` as it is ready.
///
/// A run that panics or diverges is recorded and costs only itself; a failed run is tried again
/// by the next call. Several processes may work on one directory: a run that another one is at
/// is left to it, and taken over when that process gives no sign of life any more.
///
/// # Errors
/// [`Error::Interrupted`] when cancelled, and the first error that would hit every run, such as
/// a full disk. What was published stays in both cases.
pub fn run(
    sweep: &SweepSpec,
    data: &Dataset,
    store: &ResultStore,
    options: &RunOptions,
    cancel: &Cancel,
    mut on_event: impl FnMut(Event),
) -> Result<Outcome> {
    let mut tally = Tally::default();
    let mut missing = Vec::new();
    let runs = options.selected.runs(sweep)?;
    let total = runs.len();
    for planned in runs {
        match store.result(&planned.id)? {
            Some(result) if options.selected.is_settled_by(&result) => tally.count(&result.status),
            _ => missing.push(planned),
        }
    }
    on_event(Event::Planned {
        total,
        done: total - missing.len(),
        cost: missing.iter().map(cost).sum(),
    });
    let workers = options.workers.clamp(1, missing.len().max(1));
    let queue = Queue::new(missing, store, &options.selected);
    let first_error: Mutex<Option<Error>> = Mutex::new(None);
    let alive: Mutex<Vec<Option<Heartbeat>>> = Mutex::new((0..workers).map(|_| None).collect());
    let mut trained = 0;
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        let (_stop_heart, heart) = channel::<()>();
        scope.spawn({
            let alive = &alive;
            move || beat(alive, &heart)
        });
        for place in 0..workers {
            let worker = Worker {
                place,
                queue: &queue,
                data,
                cancel,
                alive: &alive,
                sender: sender.clone(),
            };
            let first_error = &first_error;
            scope.spawn(move || {
                if let Err(error) = worker.work() {
                    worker.queue.close();
                    lock(first_error).get_or_insert(error);
                }
            });
        }
        drop(sender);
        for news in receiver {
            match news {
                News::Trained(result, cost) => {
                    tally.count(&result.status);
                    trained += 1;
                    on_event(Event::Finished {
                        result: &result,
                        cost,
                    });
                }
                News::Elsewhere(result, cost) => {
                    tally.count(&result.status);
                    on_event(Event::FinishedElsewhere {
                        result: &result,
                        cost,
                    });
                }
                News::Waiting(runs) => on_event(Event::Waiting { runs }),
            }
        }
    });
    match first_error.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(Outcome { tally, trained }),
    }
}

enum News {
    Trained(Box<RunResult>, f64),
    Elsewhere(Box<RunResult>, f64),
    Waiting(usize),
}

/// Locks also after a panic of another thread: what is kept here is whole at any moment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Renews the heartbeats until the sender of `stop` is gone.
fn beat(alive: &Mutex<Vec<Option<Heartbeat>>>, stop: &std::sync::mpsc::Receiver<()>) {
    while stop.recv_timeout(HEARTBEAT_INTERVAL) == Err(RecvTimeoutError::Timeout) {
        for heartbeat in lock(alive).iter().flatten() {
            heartbeat.renew();
        }
    }
}

/// One worker thread: takes the next run until none is left.
struct Worker<'a> {
    place: usize,
    queue: &'a Queue<'a>,
    data: &'a Dataset,
    cancel: &'a Cancel,
    alive: &'a Mutex<Vec<Option<Heartbeat>>>,
    sender: Sender<News>,
}

impl Worker<'_> {
    fn work(&self) -> Result<()> {
        let pool = one_core_pool()?;
        loop {
            if self.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            let news = match self.queue.take()? {
                Taken::None => return Ok(()),
                Taken::Wait { runs, news } => {
                    if news && self.sender.send(News::Waiting(runs)).is_err() {
                        return Err(Error::Interrupted);
                    }
                    std::thread::sleep(POLL_INTERVAL);
                    continue;
                }
                Taken::Settled(planned, result) => News::Elsewhere(result, cost(&planned)),
                Taken::Run(planned, heartbeat) => {
                    self.keep(Some(heartbeat));
                    let checkpointing = Checkpointing {
                        directory: self.queue.checkpoints(&planned.id),
                        interval: CHECKPOINT_INTERVAL,
                        resume: true,
                    };
                    let trained =
                        pool.install(|| trial(&planned, self.data, self.cancel, &checkpointing));
                    let published = trained.and_then(|result| {
                        self.queue.publish(&result)?;
                        Ok(result)
                    });
                    self.keep(None);
                    News::Trained(Box::new(published?), cost(&planned))
                }
            };
            if self.sender.send(news).is_err() {
                return Err(Error::Interrupted);
            }
        }
    }

    fn keep(&self, heartbeat: Option<Heartbeat>) {
        if let Some(place) = lock(self.alive).get_mut(self.place) {
            *place = heartbeat;
        }
    }
}

/// One run, with a panic or an error of its own turned into a failed result.
fn trial(
    planned: &PlannedRun,
    data: &Dataset,
    cancel: &Cancel,
    checkpointing: &Checkpointing,
) -> Result<RunResult> {
    let trained = catch_unwind(AssertUnwindSafe(|| {
        train_resumably(
            &planned.spec,
            data,
            cancel,
            Some(checkpointing),
            |progress| {
                if let Progress::Note(note) = progress {
                    tracing::info!(run = %planned.id, note);
                }
            },
        )
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
