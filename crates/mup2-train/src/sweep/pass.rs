//! One pass over runs that are all known: worker threads, each with a rayon pool of one thread.

use super::known::{Checkpoints, cost_within};
use super::pool::{Event, Outcome, RunOptions, StackSize};
use super::queue::{Queue, Taken};
use crate::config::{Halving, PlannedRun, RunId, RunSpec};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::results::{HEARTBEAT_INTERVAL, Heartbeat, ResultStore, RunResult, RunStatus};
use crate::train::{Checkpointing, Earlier, Keeping, Progress, train_resumably, train_stack};
use mup2::one_core::one_core_pool;
use mup2_scaling::workers::{Cancel, panic_message};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks at what other processes have done.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// At most this much of a long run is repeated when its process is killed.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// What all runs of a pass share.
pub(super) struct Pass<'a> {
    pub data: &'a Dataset,
    pub store: &'a ResultStore,
    pub options: &'a RunOptions,
    /// The rungs of the sweep, if it has any.
    pub halving: Option<&'a Halving>,
    pub cancel: &'a Cancel,
}

impl Pass<'_> {
    /// Runs what is `missing`, waits for what other processes are at, and adds to `outcome`.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when cancelled, and the first error that would hit every run.
    pub fn run(
        &self,
        missing: Vec<PlannedRun>,
        outcome: &mut Outcome,
        on_event: &mut impl FnMut(Event),
    ) -> Result<()> {
        let workers = self.options.workers.clamp(1, missing.len().max(1));
        let queue = Queue::new(missing, self.store, &self.options.selected);
        let first_error: Mutex<Option<Error>> = Mutex::new(None);
        let alive: Mutex<Vec<Vec<Heartbeat>>> =
            Mutex::new((0..workers).map(|_| Vec::new()).collect());
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
                    data: self.data,
                    halving: self.halving,
                    stack: match self.halving {
                        Some(_) => StackSize::AtMost(1),
                        None => self.options.stack,
                    },
                    cancel: self.cancel,
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
                        outcome.tally.count(&result.status);
                        outcome.trained += 1;
                        on_event(Event::Finished {
                            result: &result,
                            cost,
                        });
                    }
                    News::Elsewhere(result, cost) => {
                        outcome.tally.count(&result.status);
                        on_event(Event::FinishedElsewhere {
                            result: &result,
                            cost,
                        });
                    }
                    News::Stacked { runs, step, total } => {
                        on_event(Event::Stacked { runs, step, total });
                    }
                    News::Waiting(runs) => on_event(Event::Waiting { runs }),
                }
            }
        });
        match first_error.into_inner() {
            Ok(Some(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

enum News {
    Trained(Box<RunResult>, f64),
    Elsewhere(Box<RunResult>, f64),
    Stacked {
        runs: usize,
        step: usize,
        total: usize,
    },
    Waiting(usize),
}

/// Locks also after a panic of another thread: what is kept here is whole at any moment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Renews the heartbeats until the sender of `stop` is gone.
fn beat(alive: &Mutex<Vec<Vec<Heartbeat>>>, stop: &std::sync::mpsc::Receiver<()>) {
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
    halving: Option<&'a Halving>,
    stack: StackSize,
    cancel: &'a Cancel,
    alive: &'a Mutex<Vec<Vec<Heartbeat>>>,
    sender: Sender<News>,
}

impl Worker<'_> {
    fn work(&self) -> Result<()> {
        let pool = one_core_pool()?;
        loop {
            if self.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            match self.queue.take(|spec| self.stack.most(spec, self.data))? {
                Taken::None => return Ok(()),
                Taken::Wait { runs, news } => {
                    if news {
                        self.tell(News::Waiting(runs))?;
                    }
                    std::thread::sleep(POLL_INTERVAL);
                }
                Taken::Settled(planned, result) => {
                    let cost = cost_within(self.halving, &planned);
                    self.tell(News::Elsewhere(result, cost))?;
                }
                Taken::Runs(runs) => {
                    let (planned, heartbeats): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
                    self.keep(heartbeats);
                    let done = pool.install(|| self.together(&planned));
                    self.keep(Vec::new());
                    done?;
                }
            }
        }
    }

    /// # Errors
    /// When nobody hears: the call is ending.
    fn tell(&self, news: News) -> Result<()> {
        self.sender.send(news).map_err(|_| Error::Interrupted)
    }

    /// Trains what was taken, at once where it is several runs, and publishes the results. What breaks a stack
    /// costs the run that it is of: all are then trained one by one.
    fn together(&self, planned: &[PlannedRun]) -> Result<()> {
        if planned.len() > 1 {
            match self.stacked(planned)? {
                Ok(results) => {
                    for (planned, result) in planned.iter().zip(results) {
                        self.publish(planned, result)?;
                    }
                    return Ok(());
                }
                Err(reason) => {
                    let runs = planned.len();
                    tracing::warn!(
                        runs,
                        reason,
                        "a stack broke; its runs are trained one by one"
                    );
                }
            }
        }
        for planned in planned {
            let checkpointing = self.checkpointing(planned);
            let result = self.trial(planned, &checkpointing)?;
            let failed = matches!(result.status, RunStatus::Failed { .. });
            self.publish(planned, result)?;
            if !failed {
                // What this run has gone on from has served.
                for earlier in &checkpointing.earlier {
                    earlier.directory.remove(&RunId::of(&earlier.spec));
                }
            }
        }
        Ok(())
    }

    fn publish(&self, planned: &PlannedRun, result: RunResult) -> Result<()> {
        self.queue.publish(&result)?;
        let cost = cost_within(self.halving, planned);
        self.tell(News::Trained(Box::new(result), cost))
    }

    /// The results of runs that are trained at once, or what broke them.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when cancelled.
    fn stacked(
        &self,
        planned: &[PlannedRun],
    ) -> Result<std::result::Result<Vec<RunResult>, String>> {
        let specs: Vec<RunSpec> = planned.iter().map(|run| run.spec.clone()).collect();
        let runs = specs.len();
        let mut told: Option<Instant> = None;
        let trained = catch_unwind(AssertUnwindSafe(|| {
            let device = self.queue.store().device();
            train_stack(&specs, self.data, device, self.cancel, |step, total| {
                if told.is_none_or(|told| told.elapsed() >= POLL_INTERVAL) {
                    told = Some(Instant::now());
                    // Nobody may hear any more; the next result finds that out.
                    let _ = self.sender.send(News::Stacked { runs, step, total });
                }
            })
        }));
        match trained {
            Ok(Ok(results)) => Ok(Ok(results)),
            Ok(Err(Error::Interrupted)) => Err(Error::Interrupted),
            Ok(Err(error)) => Ok(Err(error.to_string())),
            Err(panic) => Ok(Err(format!("panic: {}", panic_message(panic.as_ref())))),
        }
    }

    /// Where a run keeps its checkpoints. A rung of a halving leaves one for the next rung, which
    /// starts from it.
    fn checkpointing(&self, planned: &PlannedRun) -> Checkpointing {
        let checkpoints = Checkpoints::of(self.queue.store());
        let epochs = planned.spec.train.epochs;
        let rungs = self.halving.map(Halving::rungs).unwrap_or_default();
        let before = self
            .halving
            .into_iter()
            .flat_map(|halving| halving.before(epochs));
        let earlier = before.map(|rung| planned.cut_short(rung));
        Checkpointing {
            directory: checkpoints.run(&planned.id),
            interval: CHECKPOINT_INTERVAL,
            resume: true,
            earlier: earlier
                .map(|run| Earlier {
                    directory: checkpoints.run(&run.id),
                    spec: run.spec,
                })
                .collect(),
            keep: rungs.last().is_some_and(|last| epochs < *last),
        }
    }

    fn keep(&self, heartbeats: Vec<Heartbeat>) {
        if let Some(place) = lock(self.alive).get_mut(self.place) {
            *place = heartbeats;
        }
    }

    /// One run, with a panic or an error of its own turned into a failed result.
    fn trial(&self, planned: &PlannedRun, checkpointing: &Checkpointing) -> Result<RunResult> {
        let trained = catch_unwind(AssertUnwindSafe(|| {
            train_resumably(
                &planned.spec,
                self.data,
                self.queue.store().device(),
                self.cancel,
                &Keeping {
                    start: None,
                    checkpoints: Some(checkpointing.clone()),
                    weights: None,
                },
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
            status: RunStatus::Failed { reason },
            ..RunResult::before_training(&planned.spec)
        })
    }
}
