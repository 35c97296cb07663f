//! All widths and seeds of a check on worker threads, one training a thread.

use super::CheckProgress;
use super::Measured;
use crate::error::{Error, Result};
use crate::scaling::check::Extent;
use mup2_scaling::workers::{one_core_pool, panic_message, run_workers};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

/// The measurements of all trainings, narrowest first; `measure` makes those of one width and seed.
///
/// # Errors
/// The first error or panic of a training: a slope with a hole is none.
pub fn measure_all(
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

/// What was measured of each training, with its place among `trainings`.
fn work(
    trainings: &[(usize, u64)],
    workers: usize,
    progress: &mut dyn FnMut(CheckProgress),
    measure: &(impl Fn(usize, u64) -> Result<Measured> + Sync),
) -> Result<Vec<(usize, Measured)>> {
    let next = AtomicUsize::new(0);
    let mut done = Vec::new();
    let take = |sender: &Sender<(usize, Measured)>| -> Result<()> {
        let pool = one_core_pool()?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(width, seed)) = trainings.get(index) else {
                return Ok(());
            };
            let measured = caught(width, || pool.install(|| measure(width, seed)))?;
            if sender.send((index, measured)).is_err() {
                return Ok(());
            }
        }
    };
    let work = |_, sender: &Sender<_>| {
        // After an error nobody need begin another training.
        take(sender).inspect_err(|_| next.store(trainings.len(), Ordering::Relaxed))
    };
    run_workers(workers.min(trainings.len()), work, |measured| {
        done.push(measured);
        progress(CheckProgress {
            done: done.len(),
            total: trainings.len(),
        });
    })?;
    Ok(done)
}

/// A panic of a training is an error of the check.
fn caught(width: usize, training: impl FnOnce() -> Result<Measured>) -> Result<Measured> {
    catch_unwind(AssertUnwindSafe(training)).unwrap_or_else(|panic| {
        let problem = format!("panic: {}", panic_message(panic.as_ref()));
        let place = format!("training at width {width}");
        Err(Error::invalid(
            place,
            problem,
            "a network that can be trained",
        ))
    })
}
