//! One pass over runs that are all known: worker threads, each with a rayon pool of one thread.

use super::known::{Checkpoints, cost_within};
use super::pool::{Event, Outcome, RunOptions};
use super::queue::{Queue, Taken};
use super::trainer::{Earlier, Job, Trainer};
use crate::config::{Halving, PlannedRun, SweepSpec};
use crate::error::{Error, Result};
use crate::results::{HEARTBEAT_INTERVAL, Heartbeat, ResultStore, RunResult, RunStatus};
use mup2_scaling::workers::{Cancel, one_core_pool, panic_message};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks at what other processes have done.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What all runs of a pass share.
pub(super) struct Pass<'a> {
    pub sweep: &'a SweepSpec,
    pub trainer: &'a dyn Trainer,
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
        // The runs of a halving go on from each other's checkpoints.
        let together = self.halving.is_none().then_some(self.trainer);
        let queue = Queue::new(missing, self.store, &self.options.selected, together);
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
                    pass: self,
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
                    News::Trained(done, cost) => {
                        let (run, result) = &*done;
                        outcome.tally.count(&result.status);
                        outcome.trained += 1;
                        on_event(Event::Finished { run, result, cost });
                    }
                    News::Elsewhere(done, cost) => {
                        let (run, result) = &*done;
                        outcome.tally.count(&result.status);
                        on_event(Event::FinishedElsewhere { run, result, cost });
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
    Trained(Box<(PlannedRun, RunResult)>, f64),
    Elsewhere(Box<(PlannedRun, RunResult)>, f64),
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
    pass: &'a Pass<'a>,
    alive: &'a Mutex<Vec<Vec<Heartbeat>>>,
    sender: Sender<News>,
}

impl Worker<'_> {
    fn work(&self) -> Result<()> {
        let pool = one_core_pool()?;
        loop {
            if self.pass.cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            match self.queue.take()? {
                Taken::None => return Ok(()),
                Taken::Wait { runs, news } => {
                    if news {
                        self.tell(News::Waiting(runs))?;
                    }
                    std::thread::sleep(POLL_INTERVAL);
                }
                Taken::Settled(done) => {
                    let cost = cost_within(self.pass.halving, &done.0);
                    self.tell(News::Elsewhere(done, cost))?;
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

    /// Trains what was taken, at once where it is several runs, and publishes the results. What breaks
    /// one of several costs that one alone: all are then trained one by one.
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
                        "runs that were trained at once broke; they are trained one by one"
                    );
                }
            }
        }
        for planned in planned {
            let job = self.job(planned);
            let result = self.trial(&job)?;
            let failed = matches!(result.status, RunStatus::Failed { .. });
            self.publish(planned, result)?;
            if !failed {
                // What this run has gone on from has served, and so has what it kept for itself.
                let checkpoints = Checkpoints::of(self.pass.store);
                let own = (!job.keep).then_some(planned);
                let served = job.earlier.iter().map(|earlier| &earlier.run).chain(own);
                served.for_each(|run| checkpoints.remove(&run.id));
            }
        }
        Ok(())
    }

    fn publish(&self, planned: &PlannedRun, result: RunResult) -> Result<()> {
        self.queue.publish(&result)?;
        let cost = cost_within(self.pass.halving, planned);
        self.tell(News::Trained(Box::new((planned.clone(), result)), cost))
    }

    /// The results of runs that are trained at once, or what broke them.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when cancelled.
    fn stacked(
        &self,
        planned: &[PlannedRun],
    ) -> Result<std::result::Result<Vec<RunResult>, String>> {
        let runs = planned.len();
        let mut told: Option<Instant> = None;
        let mut progress = |step, total| {
            if told.is_none_or(|told| told.elapsed() >= POLL_INTERVAL) {
                told = Some(Instant::now());
                // Nobody may hear any more; the next result finds that out.
                let _ = self.sender.send(News::Stacked { runs, step, total });
            }
        };
        let (trainer, cancel) = (self.pass.trainer, self.pass.cancel);
        let trained = catch_unwind(AssertUnwindSafe(|| {
            trainer.train_together(planned, cancel, &mut progress)
        }));
        match trained {
            Ok(Ok(results)) => Ok(Ok(results)),
            Ok(Err(Error::Interrupted)) => Err(Error::Interrupted),
            Ok(Err(error)) => Ok(Err(error.to_string())),
            Err(panic) => Ok(Err(format!("panic: {}", panic_message(panic.as_ref())))),
        }
    }

    /// A run to train, and where it keeps its checkpoints. A rung of a halving leaves one for the next
    /// rung, which starts from it.
    fn job<'job>(&'job self, planned: &'job PlannedRun) -> Job<'job> {
        let checkpoints = Checkpoints::of(self.pass.store);
        let halving = self.pass.halving;
        let rungs = halving.map(Halving::rungs).unwrap_or_default();
        let before = halving
            .into_iter()
            .flat_map(|halving| halving.before(planned.epochs));
        let earlier = before.map(|rung| self.pass.sweep.cut_short(planned, rung));
        Job {
            run: planned,
            worker: self.place,
            results: self.pass.store.directory(),
            checkpoints: checkpoints.run(&planned.id),
            earlier: earlier
                .map(|run| Earlier {
                    checkpoints: checkpoints.run(&run.id),
                    run,
                })
                .collect(),
            keep: rungs.last().is_some_and(|last| planned.epochs < *last),
            cancel: self.pass.cancel,
        }
    }

    fn keep(&self, heartbeats: Vec<Heartbeat>) {
        if let Some(place) = lock(self.alive).get_mut(self.place) {
            *place = heartbeats;
        }
    }

    /// One run, with a panic or an error of its own turned into a failed result.
    fn trial(&self, job: &Job) -> Result<RunResult> {
        let trained = catch_unwind(AssertUnwindSafe(|| self.pass.trainer.train(job)));
        let reason = match trained {
            Ok(Ok(result)) => return Ok(result),
            Ok(Err(Error::Interrupted)) => return Err(Error::Interrupted),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("panic: {}", panic_message(panic.as_ref())),
        };
        Ok(RunResult {
            status: RunStatus::Failed { reason },
            ..RunResult::new(job.run.id.clone(), self.pass.sweep.spec(job.run))
        })
    }
}
