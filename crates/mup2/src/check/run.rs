//! The check as a whole: all widths and seeds on the worker threads, then the judgement.

use super::judge::judge;
use super::measure::{Measured, measure};
use super::result::CheckReport;
use crate::config::{RunSpec, TrainingDevice};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::scaling::scale;
use crate::train::{Cancel, network_for, one_core_pool, panic_message};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is checked beside the run that is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckOptions {
    /// Widths, at least two distinct ones.
    pub widths: Vec<usize>,
    /// Seeds, at least one; with the widths at least three trainings.
    pub seeds: Vec<u64>,
    /// Steps of each training, at least 1.
    pub steps: usize,
    /// A slope within this distance of 0 counts as 0; the theory's exponents are multiples of ½.
    pub tolerance: f64,
    /// Worker threads, one training a thread; no result depends on it.
    pub workers: usize,
    /// What computes.
    pub device: TrainingDevice,
}

/// What the check tells while it works: one training is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckProgress {
    /// Trainings done.
    pub done: usize,
    /// Trainings in all.
    pub total: usize,
}

/// Trains the network of `spec` for a few steps at every width and seed and measures each layer.
///
/// The width and the seed of `spec` are replaced; ρ must be above 0, and `spec.sam.every` is taken
/// as 1, since a step without a perturbation has nothing to measure. Schedules are not applied.
///
/// # Errors
/// [`Error::Invalid`] for options that cannot be fitted, or as [`crate::train::train`]'s and
/// [`crate::train::open_device`]'s; [`Error::Interrupted`] when cancelled.
pub fn check(
    spec: &RunSpec,
    data: &Dataset,
    options: &CheckOptions,
    cancel: &Cancel,
    mut progress: impl FnMut(CheckProgress),
) -> Result<CheckReport> {
    validate(spec, options)?;
    let mut widths = options.widths.clone();
    widths.sort_unstable();
    // The most expensive first, so that no worker ends alone with a wide network.
    let trainings: Vec<RunSpec> = widths
        .iter()
        .rev()
        .flat_map(|&width| options.seeds.iter().map(move |&seed| (width, seed)))
        .map(|(width, seed)| at(spec, width, seed))
        .collect();
    let mut measured = work(&trainings, data, options, cancel, &mut progress)?;
    measured.sort_by_key(|(index, _)| *index);
    let mut points = Vec::new();
    let mut divergences = Vec::new();
    // Narrowest first, as a reader expects.
    for (_, training) in measured.into_iter().rev() {
        points.extend(training.points);
        divergences.extend(training.divergence);
    }
    points.sort_by_key(|point| (point.width, point.seed, point.step));
    divergences.sort_by_key(|divergence| (divergence.width, divergence.seed));
    let widest = at(spec, widths.last().copied().unwrap_or_default(), 0);
    let table = scale(&spec.scheme(), &network_for(&widest, data)?.tensor_shapes())?;
    Ok(judge(spec, data, options, &table, points, divergences))
}

fn at(spec: &RunSpec, width: usize, seed: u64) -> RunSpec {
    let mut spec = spec.clone();
    spec.model.width = width;
    spec.seed = seed;
    spec.sam.every = 1;
    spec
}

fn validate(spec: &RunSpec, options: &CheckOptions) -> Result<()> {
    let distinct: HashSet<usize> = options.widths.iter().copied().collect();
    let wrong =
        |place: &str, problem: String, allowed: &str| Err(Error::invalid(place, problem, allowed));
    if distinct.len() != options.widths.len() {
        return wrong(
            "--widths",
            "holds a width twice".to_owned(),
            "each width once",
        );
    }
    if distinct.len() < 2 || distinct.len() * options.seeds.len() < 3 {
        return wrong(
            "--widths",
            format!(
                "{} widths with {} seeds are too few to fit a slope and its error",
                distinct.len(),
                options.seeds.len()
            ),
            "at least two widths, and at least three trainings",
        );
    }
    if options.steps == 0 {
        return wrong("--steps", "is 0".to_owned(), "at least 1");
    }
    if spec.sam.rho <= 0.0 {
        return wrong(
            "sam.rho",
            "is 0, so there is no perturbation to check".to_owned(),
            "a radius above 0",
        );
    }
    if !(options.tolerance > 0.0 && options.tolerance < 0.5) {
        return wrong(
            "--tolerance",
            format!("is {}", options.tolerance),
            "numbers above 0 and below 0.5, the distance of the theory's exponents",
        );
    }
    Ok(())
}

fn work(
    trainings: &[RunSpec],
    data: &Dataset,
    options: &CheckOptions,
    cancel: &Cancel,
    progress: &mut dyn FnMut(CheckProgress),
) -> Result<Vec<(usize, Measured)>> {
    let next = AtomicUsize::new(0);
    let first_error: Mutex<Option<Error>> = Mutex::new(None);
    let mut done = Vec::new();
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel();
        for _ in 0..options.workers.clamp(1, trainings.len().max(1)) {
            let sender = sender.clone();
            let (next, first_error) = (&next, &first_error);
            scope.spawn(move || {
                let take = || -> Result<()> {
                    let pool = one_core_pool()?;
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(spec) = trainings.get(index) else {
                            return Ok(());
                        };
                        let measured = catch_unwind(AssertUnwindSafe(|| {
                            pool.install(|| {
                                measure(spec, data, options.device, options.steps, cancel)
                            })
                        }));
                        let measured = measured.unwrap_or_else(|panic| {
                            let problem = format!("panic: {}", panic_message(panic.as_ref()));
                            let place = format!("training at width {}", spec.model.width);
                            Err(Error::invalid(
                                place,
                                problem,
                                "a network that can be trained",
                            ))
                        })?;
                        if sender.send((index, measured)).is_err() {
                            return Ok(());
                        }
                    }
                };
                if let Err(error) = take() {
                    next.store(trainings.len(), Ordering::Relaxed);
                    if let Ok(mut slot) = first_error.lock() {
                        slot.get_or_insert(error);
                    }
                }
            });
        }
        drop(sender);
        for measured in receiver {
            done.push(measured);
            progress(CheckProgress {
                done: done.len(),
                total: trainings.len(),
            });
        }
    });
    match first_error.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(done),
    }
}
