//! How far a sweep is: what is published, what is running, and when it will be done.

use super::known::{cost_within, known_runs};
use crate::config::{PlannedRun, RunId, SweepSpec};
use crate::error::Result;
use crate::results::{ResultStore, RunStatus};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

/// The speed is that of the runs published within this time.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Fewer runs than this tell no speed.
const LEAST_RUNS: usize = 3;

/// The state of a sweep; the five counts sum up to `total`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepStatus {
    /// Name of the sweep.
    pub name: String,
    /// Distinct runs; of a search by halving, those to be expected.
    pub total: usize,
    /// Trained to the end.
    pub done: usize,
    /// Stopped by a divergence; a result too.
    pub diverged: usize,
    /// Broken, and tried again by the next call.
    pub failed: usize,
    /// Without a valid result, and some process works on it.
    pub running: usize,
    /// Without a result, and nobody works on it.
    pub missing: usize,
    /// Of the missing runs of a halving, those in rungs for which it is still open who gets there.
    #[serde(skip_serializing_if = "is_zero")]
    pub undecided: usize,
    /// How many runs the narrowest widths' best points, still unknown, may add to `total` at most.
    #[serde(skip_serializing_if = "is_zero")]
    pub carried_at_most: usize,
    /// Seconds to the end at the speed of the last minutes; absent if nothing is running or too
    /// little is known.
    pub eta_seconds: Option<f64>,
    /// The runs that broke.
    pub failures: Vec<Failure>,
}

/// A run that broke.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// Its id.
    pub id: RunId,
    /// What happened.
    pub reason: String,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl SweepStatus {
    /// Whether every run has a result that no call would make again.
    pub fn is_finished(&self) -> bool {
        self.done + self.diverged == self.total
    }
}

/// Reads the state of `sweep` in `store`.
///
/// # Errors
/// When a result file exists but cannot be read.
pub fn status(sweep: &SweepSpec, store: &ResultStore) -> Result<SweepStatus> {
    let known = known_runs(sweep, Some(store))?;
    let halving = sweep.halving();
    let cost = |run: &PlannedRun| cost_within(halving.as_ref(), run);
    let undecided = known.total() - known.runs.len();
    let runs = &known.runs;
    // Thousands of small files: reading them is waiting.
    let endings = runs
        .par_iter()
        .map(|run| store.ending(&run.id))
        .collect::<Result<Vec<_>>>()?;
    let alive = store.running();
    let alive: HashSet<&RunId> = alive.iter().map(|run| &run.id).collect();
    let mut status = SweepStatus {
        name: sweep.name.clone(),
        total: known.total(),
        done: 0,
        diverged: 0,
        failed: 0,
        running: 0,
        missing: undecided,
        undecided,
        carried_at_most: known.carried_at_most,
        eta_seconds: None,
        failures: Vec::new(),
    };
    let mut left = known.later_cost;
    let mut published: Vec<(SystemTime, f64)> = Vec::new();
    for (run, ending) in runs.iter().zip(endings) {
        let settled = match ending.as_ref().map(|ending| &ending.status) {
            Some(RunStatus::Completed) => {
                status.done += 1;
                true
            }
            Some(RunStatus::Diverged) => {
                status.diverged += 1;
                true
            }
            _ if alive.contains(&run.id) => {
                status.running += 1;
                false
            }
            Some(RunStatus::Failed { reason }) => {
                status.failed += 1;
                status.failures.push(Failure {
                    id: run.id.clone(),
                    reason: reason.clone(),
                });
                false
            }
            None => {
                status.missing += 1;
                false
            }
        };
        if !settled {
            left += cost(run);
        } else if let Some(time) = ending.and_then(|ending| ending.published) {
            published.push((time, cost(run)));
        }
    }
    if status.running > 0 {
        status.eta_seconds = eta(published, left, SystemTime::now());
    }
    Ok(status)
}

/// Seconds for the cost that is left, at the speed since the first run of the last minutes.
fn eta(mut published: Vec<(SystemTime, f64)>, left: f64, now: SystemTime) -> Option<f64> {
    let age = |time: SystemTime| now.duration_since(time).unwrap_or_default();
    published.retain(|(time, _)| age(*time) <= WINDOW);
    published.sort_by_key(|(time, _)| *time);
    let (first, rest) = published.split_first()?;
    if published.len() < LEAST_RUNS {
        return None;
    }
    // What the first run cost was spent before the clock of this measurement started.
    let done: f64 = rest.iter().map(|(_, cost)| cost).sum();
    let elapsed = age(first.0).as_secs_f64();
    (done > 0.0 && elapsed > 0.0).then(|| left * elapsed / done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eta_is_that_of_the_last_minutes() {
        let now = SystemTime::now();
        let ago = |seconds| now - Duration::from_secs(seconds);
        // Two runs of cost 5 in 100 s; an hour-old burst does not count.
        let runs = vec![
            (ago(3600), 1e9),
            (ago(100), 7.0),
            (ago(50), 5.0),
            (ago(10), 5.0),
        ];
        assert_eq!(eta(runs, 20.0, now), Some(200.0));
        assert_eq!(eta(vec![(ago(5), 1.0), (ago(1), 1.0)], 1.0, now), None);
    }
}
