//! Working off a sweep: pass by pass over what is known and missing, until nothing is.

use super::known::{Checkpoints, cost_within, known, known_runs, standing};
use super::pass::Pass;
use super::plan::Selected;
use super::trainer::Trainer;
use crate::config::{PlannedRun, RunId, SweepSpec};
use crate::error::Result;
use crate::results::{ResultStore, RunResult, RunStatus};
use mup2_scaling::workers::Cancel;
use std::collections::HashSet;

/// How a sweep is worked off; nothing here changes a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// Worker threads; at least 1.
    pub workers: usize,
    /// Which runs are to be done.
    pub selected: Selected,
}

/// What the pool tells while it works.
#[derive(Debug)]
pub enum Event<'a> {
    /// The work is known; results that already exist are not run again. A search by halving tells it
    /// anew whenever results have decided who goes on.
    Planned {
        /// Distinct runs that were selected; of a halving, those to be expected.
        total: usize,
        /// Runs whose result exists.
        done: usize,
        /// Estimated cost of what is still to be done, in arbitrary units.
        cost: f64,
    },
    /// A run ended and its result is published.
    Finished {
        /// The run.
        run: &'a PlannedRun,
        /// The result.
        result: &'a RunResult,
        /// Its estimated cost, in the units of `Planned`.
        cost: f64,
    },
    /// Another process published the result of a run that was to be done here.
    FinishedElsewhere {
        /// The run.
        run: &'a PlannedRun,
        /// The result.
        result: &'a RunResult,
        /// Its estimated cost, in the units of `Planned`.
        cost: f64,
    },
    /// A worker is at several runs at once.
    Stacked {
        /// How many.
        runs: usize,
        /// Steps done.
        step: usize,
        /// Steps of each run.
        total: usize,
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
    pub(super) fn count(&mut self, status: &RunStatus) {
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

/// Runs what is missing of the selected runs and publishes each result in `store` as it is ready. Of a
/// search by halving, results decide which runs follow, until none does.
///
/// A run that panics or diverges is recorded and costs only itself; a failed run is tried again
/// by the next call. Several processes may work on one directory: a run that another one is at
/// is left to it, and taken over when that process gives no sign of life any more.
///
/// # Errors
/// [`Error::Interrupted`](crate::error::Error::Interrupted) when cancelled, and the first error that would hit every run, such as
/// a full disk. What was published stays in both cases.
pub fn run(
    sweep: &SweepSpec,
    trainer: &dyn Trainer,
    store: &ResultStore,
    options: &RunOptions,
    cancel: &Cancel,
    mut on_event: impl FnMut(Event),
) -> Result<Outcome> {
    let halving = sweep.halving();
    let mut outcome = Outcome {
        tally: Tally::default(),
        trained: 0,
    };
    // What was looked at once is done: not every result that is asked for is one to be had.
    let mut handled: HashSet<RunId> = HashSet::new();
    let mut is_first = true;
    loop {
        let known = match standing(sweep, Some(store))? {
            Some(standing) => {
                Checkpoints::of(store).remove_unneeded(&standing);
                known(&standing)
            }
            None => known_runs(sweep, None)?,
        };
        let mut missing = Vec::new();
        let selected = options.selected.runs(sweep, &known)?;
        let mut total = selected.len();
        for planned in selected {
            if !handled.insert(planned.id.clone()) {
                continue;
            }
            match store.result(&planned.id)? {
                Some(result) if options.selected.is_settled_by(&result) => {
                    outcome.tally.count(&result.status);
                }
                _ => missing.push(planned),
            }
        }
        if missing.is_empty() && !is_first {
            return Ok(outcome);
        }
        is_first = false;
        let mut cost: f64 = missing
            .iter()
            .map(|run| cost_within(halving.as_ref(), run))
            .sum();
        let done = total - missing.len();
        if options.selected.is_everything() {
            total = known.total();
            cost += known.later_cost;
        }
        on_event(Event::Planned { total, done, cost });
        let pass = Pass {
            sweep,
            trainer,
            store,
            options,
            halving: halving.as_ref(),
            cancel,
        };
        pass.run(missing, &mut outcome, &mut on_event)?;
        if halving.is_none() {
            return Ok(outcome);
        }
    }
}
