//! The runs of a sweep that are decided: all of a grid, and of a halving those that results have
//! promoted.

use super::halving::{Bracket, Standing};
use super::plan::planned_runs;
use super::summary::outcome;
use crate::config::{Halving, PlannedRun, RunId, SweepSpec};
use crate::error::Result;
use crate::report::Outcome;
use crate::results::ResultStore;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

/// The runs of a sweep as far as they are decided.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownRuns {
    /// The distinct runs, the most expensive first.
    pub runs: Vec<PlannedRun>,
    /// How many runs will be in those rungs of a halving for which it is open who gets there, by their
    /// epochs.
    pub later: BTreeMap<usize, usize>,
    /// What those will cost, in the units of [`cost_within`].
    pub(super) later_cost: f64,
    /// How many runs the narrowest widths' best points, still unknown, may add at most.
    pub carried_at_most: usize,
}

impl KnownRuns {
    /// Known and later runs.
    pub fn total(&self) -> usize {
        self.runs.len() + self.later.values().sum::<usize>()
    }
}

/// The runs of `sweep` that are decided by the results in `store`; without one, from the start.
///
/// # Errors
/// When a result exists but cannot be read.
pub fn known_runs(sweep: &SweepSpec, store: Option<&ResultStore>) -> Result<KnownRuns> {
    match standing(sweep, store)? {
        Some(standing) => Ok(known(&standing)),
        None => Ok(KnownRuns {
            runs: planned_runs(sweep),
            later: BTreeMap::new(),
            later_cost: 0.0,
            carried_at_most: 0,
        }),
    }
}

/// How far a sweep by halving is; nothing for another sweep.
pub(super) fn standing(sweep: &SweepSpec, store: Option<&ResultStore>) -> Result<Option<Standing>> {
    let Some(halving) = sweep.halving() else {
        return Ok(None);
    };
    // Schemes share runs; each result is read once.
    let mut seen: HashMap<RunId, Outcome> = HashMap::new();
    let standing = Standing::of(sweep, halving, |run| {
        if let Some(outcome) = seen.get(&run.id) {
            return Ok(outcome.clone());
        }
        let result = match store {
            Some(store) => store.result(&run.id)?,
            None => None,
        };
        let outcome = outcome(sweep, result);
        seen.insert(run.id.clone(), outcome.clone());
        Ok(outcome)
    })?;
    Ok(Some(standing))
}

/// Estimated cost of what a run adds to the rung before it; of a run of another sweep, of all of it.
pub fn cost_within(halving: Option<&Halving>, run: &PlannedRun) -> f64 {
    added_cost(halving, run, run.epochs)
}

/// The same, of the first `epochs` epochs of a run.
fn added_cost(halving: Option<&Halving>, run: &PlannedRun, epochs: usize) -> f64 {
    let before = halving.and_then(|halving| halving.before(epochs).next());
    let cost = epochs as f64 * run.epoch_cost;
    cost * (epochs - before.unwrap_or(0)) as f64 / epochs as f64
}

pub(super) fn known(standing: &Standing) -> KnownRuns {
    let halving = &standing.halving;
    let rungs = standing.brackets.iter().flat_map(|bracket| &bracket.rungs);
    let in_rungs = rungs.flat_map(|rung| rung.runs.iter().flatten());
    let carried = standing.carried.iter().flat_map(|carried| &carried.runs);
    let mut seen = HashSet::new();
    let mut runs: Vec<PlannedRun> = in_rungs
        .chain(carried)
        .filter(|(run, _)| seen.insert(run.id.clone()))
        .map(|(run, _)| run.clone())
        .collect();
    runs.sort_by(|a, b| {
        let cost = |run| cost_within(Some(halving), run);
        cost(b).total_cmp(&cost(a))
    });
    let mut known = KnownRuns {
        runs,
        later: BTreeMap::new(),
        later_cost: 0.0,
        carried_at_most: carried_at_most(standing),
    };
    let mut twins = HashSet::new();
    for bracket in &standing.brackets {
        let Some(last) = bracket.rungs.last() else {
            continue;
        };
        // Brackets that share their runs, as all at the base width do, decide alike.
        let ids = bracket.points.iter().flatten().map(|run| run.id.clone());
        if !twins.insert(ids.collect::<Vec<RunId>>()) {
            continue;
        }
        let Some(run) = bracket.points.first().and_then(|seeds| seeds.first()) else {
            continue;
        };
        let seeds = bracket.points.first().map_or(0, Vec::len);
        let mut points = last.points.len();
        for &epochs in &halving.rungs()[bracket.rungs.len()..] {
            points = halving.promoted(points);
            *known.later.entry(epochs).or_default() += points * seeds;
            let each = added_cost(Some(halving), run, epochs);
            known.later_cost += (points * seeds) as f64 * each;
        }
    }
    known
}

fn carried_at_most(standing: &Standing) -> usize {
    let is_open = |bracket: &&Bracket| {
        let full = bracket.full_length(&standing.halving);
        !bracket.is_sgd && full.is_none_or(|rung| !rung.is_decided())
    };
    let of_sam = || standing.brackets.iter().filter(|bracket| !bracket.is_sgd);
    let series: HashSet<_> = of_sam().map(|bracket| &bracket.series).collect();
    let open = series.into_iter().map(|series| {
        let own = || of_sam().filter(|bracket| bracket.series == *series);
        let narrowest = own().min_by_key(|bracket| bracket.width);
        let seeds = own().next().and_then(|bracket| bracket.points.first());
        match narrowest.filter(is_open) {
            Some(_) => (own().count() - 1) * seeds.map_or(0, Vec::len),
            None => 0,
        }
    });
    open.sum()
}

/// The checkpoints of the runs of a results directory.
pub(super) struct Checkpoints {
    directory: PathBuf,
}

impl Checkpoints {
    pub fn of(store: &ResultStore) -> Self {
        Self {
            directory: store.directory().join("checkpoints"),
        }
    }

    /// Those of one run.
    pub fn run(&self, id: &RunId) -> PathBuf {
        self.directory.join(id.as_str())
    }

    /// Removes those of one run.
    pub fn remove(&self, id: &RunId) {
        // What cannot be removed does no harm: it is not looked at again.
        let _ = std::fs::remove_dir_all(self.run(id));
    }

    /// Removes what the rungs of a halving have left and no run will go on from: checkpoints of
    /// pruned points, and of promoted ones whose next run has its result.
    pub fn remove_unneeded(&self, standing: &Standing) {
        let Ok(entries) = std::fs::read_dir(&self.directory) else {
            return;
        };
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let kept: HashSet<String> = names
            .flatten()
            .filter_map(|name| name.into_string().ok())
            .collect();
        let (mut needed, mut settled) = (HashSet::new(), HashSet::new());
        for bracket in &standing.brackets {
            for (place, rung) in bracket.rungs.iter().enumerate() {
                let next = bracket.rungs.get(place + 1);
                for (point, runs) in rung.points.iter().zip(&rung.runs) {
                    for (seed, (run, outcome)) in runs.iter().enumerate() {
                        let is_settled = is_settled(outcome);
                        if !is_settled || is_start_of(*point, seed, rung.is_decided(), next) {
                            needed.insert(&run.id);
                        } else {
                            settled.insert(&run.id);
                        }
                    }
                }
            }
        }
        for id in settled.difference(&needed) {
            if kept.contains(id.as_str()) {
                self.remove(id);
            }
        }
    }
}

fn is_settled(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Completed { .. } | Outcome::Diverged)
}

/// Whether a run that is to come may start from this one's checkpoint.
fn is_start_of(
    point: usize,
    seed: usize,
    decided: bool,
    next: Option<&super::halving::Rung>,
) -> bool {
    let Some(next) = next else {
        return !decided;
    };
    let place = next.points.binary_search(&point).ok();
    let outcome = place.and_then(|place| next.runs[place].get(seed));
    outcome.is_some_and(|(_, outcome)| !is_settled(outcome))
}
