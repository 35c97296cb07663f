//! How fast this machine trains a run.

use super::resume::Keeping;
use super::run::{Progress, train_resumably};
use crate::config::{RunSpec, TrainingDevice};
use crate::data::Dataset;
use crate::error::{Error, Result};
use mup2_scaling::workers::{Cancel, panic_message};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// How a throughput is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThroughputOptions {
    /// What computes.
    pub device: TrainingDevice,
    /// Copies of the run that train at once.
    pub workers: usize,
    /// Threads of each copy.
    pub threads: usize,
    /// Steps of each copy before the clock starts; at least 1.
    pub warmup: usize,
    /// Steps of each copy that are timed; at least 1.
    pub steps: usize,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Throughput {
    /// Steps per second, all copies together.
    pub steps_per_second: f64,
    /// Seconds of each timed step of the first copy.
    pub step_seconds: Vec<f64>,
}

/// Trains copies of `spec` on `data` side by side, as workers of a sweep do, and times their steps. What a
/// run does between steps is part of it: order, augmentation, the making of batches. Evaluations are not.
///
/// # Errors
/// As [`train_resumably`]'s; when a copy diverges; when the system cannot start threads.
pub fn throughput(
    spec: &RunSpec,
    data: &Dataset,
    options: &ThroughputOptions,
    cancel: &Cancel,
) -> Result<Throughput> {
    /// More than anyone waits for: no evaluation falls into the timed steps.
    const EPOCHS: usize = 1_000_000;
    let mut spec = spec.clone();
    spec.train.epochs = EPOCHS;
    spec.train.schedule_epochs = None;
    spec.train.evaluate_every = EPOCHS;
    spec.train.evaluate_every_steps = None;
    spec.sharpness.every_epochs = 0;
    let crew = Crew {
        start: Barrier::new(options.workers),
        finished: AtomicUsize::new(0),
        size: options.workers,
    };
    let copy = || step_seconds(&spec, data, options, &Member::of(&crew), cancel);
    let times = std::thread::scope(|scope| {
        let copies: Vec<_> = (0..options.workers).map(|_| scope.spawn(copy)).collect();
        let joined = copies.into_iter().map(|copy| match copy.join() {
            Ok(times) => times,
            Err(panic) => Err(failed(panic_message(&*panic))),
        });
        joined.collect::<Result<Vec<Vec<f64>>>>()
    })?;
    let rate = |times: &Vec<f64>| times.len() as f64 / times.iter().sum::<f64>();
    Ok(Throughput {
        steps_per_second: times.iter().map(rate).sum(),
        step_seconds: times.into_iter().next().unwrap_or_default(),
    })
}

fn failed(problem: String) -> Error {
    Error::invalid("throughput", problem, "a run that trains")
}

/// The copies that train at once.
struct Crew {
    start: Barrier,
    finished: AtomicUsize,
    size: usize,
}

/// One copy of a crew. Whatever happens to it, it starts and finishes: the others would wait forever.
struct Member<'a> {
    crew: &'a Crew,
    started: AtomicBool,
    finished: AtomicBool,
}

impl<'a> Member<'a> {
    fn of(crew: &'a Crew) -> Self {
        Self {
            crew,
            started: AtomicBool::new(false),
            finished: AtomicBool::new(false),
        }
    }

    /// Waits until all copies are here.
    fn start(&self) {
        if !self.started.swap(true, Ordering::Relaxed) {
            self.crew.start.wait();
        }
    }

    fn finish(&self) {
        if !self.finished.swap(true, Ordering::Relaxed) {
            self.crew.finished.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn all_have_finished(&self) -> bool {
        self.crew.finished.load(Ordering::Relaxed) == self.crew.size
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.start();
        self.finish();
    }
}

/// Seconds of each timed step of one copy.
fn step_seconds(
    spec: &RunSpec,
    data: &Dataset,
    options: &ThroughputOptions,
    member: &Member,
    cancel: &Cancel,
) -> Result<Vec<f64>> {
    let enough = Cancel::default();
    let mut times = Vec::with_capacity(options.steps);
    let mut last = Instant::now();
    let watch = |progress| {
        let Progress::Step { step, .. } = progress else {
            return;
        };
        if step == options.warmup {
            member.start();
            last = Instant::now();
        } else if step > options.warmup && times.len() < options.steps {
            times.push(last.elapsed().as_secs_f64());
            last = Instant::now();
        }
        if times.len() == options.steps {
            member.finish();
        }
        // Whoever has finished trains on, so that nobody is timed with a core to spare.
        if cancel.is_cancelled() || member.all_have_finished() {
            enough.cancel();
        }
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build();
    let pool = pool.map_err(|error| failed(error.to_string()))?;
    let keeping = Keeping::default();
    let train = || train_resumably(spec, data, options.device, &enough, &keeping, watch);
    let trained = pool.install(train);
    match trained {
        Err(Error::Interrupted) if times.len() == options.steps => Ok(times),
        Err(error) => Err(error),
        Ok(_) => Err(failed("the run diverged".to_owned())),
    }
}
