//! What a report says of a search by halving: the points trained in full, and those given up.

use super::halving::{Bracket, Carried, Rung, Standing};
use super::summary::observation;
use crate::config::PlannedRun;
use crate::report::{self, Observation, Outcome, PrunedPoint};

/// The observations of full-length runs, and what was given up. Points of which it is open whether
/// they go on are missing.
pub(super) fn summarize(standing: &Standing) -> (Vec<Observation>, report::Halving) {
    let mut observations = Vec::new();
    let mut halving = report::Halving::default();
    for bracket in &standing.brackets {
        let own = |carried: &&Carried| {
            let place = (&carried.series, carried.width);
            !bracket.is_sgd && place == (&bracket.series, bracket.width)
        };
        let carried = standing.carried.iter().find(own);
        observations.extend(full_length(standing, bracket, carried));
        let is_carried = |point: usize| carried.is_some_and(|carried| carried.point == point);
        let given_up = given_up(bracket);
        let pruned = given_up.len();
        let carried_pruned = given_up.iter().any(|(point, _)| is_carried(*point));
        let shown = given_up
            .into_iter()
            .filter(|(point, _)| !is_carried(*point));
        halving.pruned.extend(shown.map(|(_, point)| point));
        let epochs = standing.halving.rungs().last().copied().unwrap_or_default();
        let runs: usize = bracket.points.iter().map(Vec::len).sum();
        let extra = carried.filter(|_| carried_pruned).map_or(0, |carried| {
            let outcomes = carried
                .runs
                .iter()
                .filter(|(_, outcome)| has_result(outcome));
            outcomes.count() * epochs
        });
        halving.brackets.push(report::HalvingBracket {
            scheme: bracket.series.to_string(),
            width: bracket.width,
            sgd: bracket.is_sgd,
            points: bracket.points.len(),
            rungs: rungs(bracket),
            pruned,
            carried: carried_pruned,
            epochs_trained: epochs_trained(bracket) + extra,
            epochs_full: runs * epochs,
        });
    }
    (observations, halving)
}

/// The runs of full length of the points that are left, and of the one that is carried over.
fn full_length(
    standing: &Standing,
    bracket: &Bracket,
    carried: Option<&Carried>,
) -> Vec<Observation> {
    let mut observations = Vec::new();
    let observe = |(run, outcome): &(PlannedRun, Outcome)| observation(run, outcome.clone());
    if let Some(carried) = carried {
        observations.extend(carried.runs.iter().map(observe));
    }
    let is_carried = |point: &usize| carried.is_some_and(|carried| carried.point == *point);
    let last = bracket.full_length(&standing.halving);
    if let Some(last) = last {
        let left = last.points.iter().zip(&last.runs);
        let left = left.filter(|(point, _)| !is_carried(point));
        observations.extend(left.flat_map(|(_, runs)| runs).map(observe));
    } else if let Some(open) = bracket.rungs.last() {
        let left = open.points.iter().filter(|point| !is_carried(point));
        let runs = left.flat_map(|point| &bracket.points[*point]);
        observations.extend(runs.map(|run| observation(run, Outcome::Missing)));
    }
    observations
}

/// The points that did not go on, with their places in the bracket.
fn given_up(bracket: &Bracket) -> Vec<(usize, PrunedPoint)> {
    let mut given_up = Vec::new();
    for pair in bracket.rungs.windows(2) {
        let [rung, next] = pair else { continue };
        for (point, runs) in rung.points.iter().zip(&rung.runs) {
            let Some((run, _)) = runs.first() else {
                continue;
            };
            if next.points.binary_search(point).is_err() {
                let pruned = PrunedPoint {
                    scheme: bracket.series.to_string(),
                    width: bracket.width,
                    lr: run.cell.lr,
                    rho: run.cell.rho,
                    epochs: rung.epochs,
                    accuracy: mean_accuracy(runs),
                };
                given_up.push((*point, pruned));
            }
        }
    }
    given_up
}

/// Nothing if a seed diverged or failed.
fn mean_accuracy(runs: &[(PlannedRun, Outcome)]) -> Option<f64> {
    let accuracies = runs.iter().map(|(_, outcome)| match outcome {
        Outcome::Completed {
            selection_accuracy, ..
        } => Some(*selection_accuracy),
        Outcome::Diverged | Outcome::Failed(_) | Outcome::Missing => None,
    });
    let sum: f64 = accuracies.collect::<Option<Vec<f64>>>()?.iter().sum();
    Some(sum / runs.len() as f64)
}

fn rungs(bracket: &Bracket) -> Vec<report::HalvingRung> {
    let rungs = bracket.rungs.iter().enumerate();
    let rungs = rungs.map(|(place, rung)| report::HalvingRung {
        epochs: rung.epochs,
        points: rung.points.len(),
        promoted: bracket.rungs.get(place + 1).map(|next| next.points.len()),
    });
    rungs.collect()
}

/// Epochs of the runs with a result, each counted from the rung before it.
fn epochs_trained(bracket: &Bracket) -> usize {
    let mut before = 0;
    let mut epochs = 0;
    for Rung {
        epochs: length,
        runs,
        ..
    } in &bracket.rungs
    {
        let outcomes = runs.iter().flatten().map(|(_, outcome)| outcome);
        epochs += outcomes.filter(|outcome| has_result(outcome)).count() * (length - before);
        before = *length;
    }
    epochs
}

fn has_result(outcome: &Outcome) -> bool {
    *outcome != Outcome::Missing
}
