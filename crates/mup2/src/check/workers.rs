//! All widths and seeds of a check on worker threads, one training a thread.

use super::judge::Extent;
use super::measure::Measured;
use super::run::CheckProgress;
use crate::error::{Error, Result};
use crate::one_core::{one_core_pool, panic_message};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The measurements of all trainings, narrowest first; `measure` makes those of one width and seed.
///
/// # Errors
/// The first error or panic of a training: a slope with a hole is none.
pub(super) fn measure_all(
    extent: &Extent,
    workers: usize,
    progress: &mut dyn FnMut(CheckProgress),
    measure: impl Fn(usize, u64) -> Result<Measured> + Sync,
) -> Result<Measured> {
    let mut widths = extent.widths.to_vec();
    widths.sort_unstable();
    // The most expensive first, so that no worker ends alone with a wide network.
    let trainings: Vec<(usize, u64)> = widths
        .iter()
        .rev()
        .flat_map(|&width| extent.seeds.iter().map(move |&seed| (width, seed)))
        .collect();
    let mut measured = work(&trainings, workers, progress, &measure)?;
    measured.sort_by_key(|(index, _)| *index);
    let mut all = Measured::default();
    // Narrowest first, as a reader expects.
    for (_, training) in measured.into_iter().rev() {
        all.points.extend(training.points);
        all.divergences.extend(training.divergences);
    }
    all.points
        .sort_by_key(|point| (point.width, point.seed, point.step));
    all.divergences
        .sort_by_key(|divergence| (divergence.width, divergence.seed));
    Ok(all)
}

fn work(
    trainings: &[(usize, u64)],
    workers: usize,
    progress: &mut dyn FnMut(CheckProgress),
    measure: &(impl Fn(usize, u64) -> Result<Measured> + Sync),
) -> Result<Vec<(usize, Measured)>> {
    let next = AtomicUsize::new(0);
    let first_error: Mutex<Option<Error>> = Mutex::new(None);
    let mut done = Vec::new();
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel();
        for _ in 0..workers.clamp(1, trainings.len().max(1)) {
            let sender = sender.clone();
            let (next, first_error) = (&next, &first_error);
            scope.spawn(move || {
                let take = || -> Result<()> {
                    let pool = one_core_pool()?;
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(&(width, seed)) = trainings.get(index) else {
                            return Ok(());
                        };
                        let measured = catch_unwind(AssertUnwindSafe(|| {
                            pool.install(|| measure(width, seed))
                        }));
                        let measured = measured.unwrap_or_else(|panic| {
                            let problem = format!("panic: {}", panic_message(panic.as_ref()));
                            let place = format!("training at width {width}");
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
