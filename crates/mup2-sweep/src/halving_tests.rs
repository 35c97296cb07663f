//! Who goes on is a function of the results: their order, the processes and restarts do not matter.

use super::command::COMMAND;
use super::halving::{Standing, promoted};
use super::known::{KnownRuns, known};
use super::pruned::summarize;
use crate::config::{PlannedRun, RunId, SweepSpec, parse_sweep};
use crate::error::Result;
use crate::report::{Outcome, ReportInput, Sampling, build};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

const SWEEP: &str = r#"
name = "halving"
[command]
argv = ["true", "{scheme}", "{width}", "{lr}", "{rho}", "{seed}", "{epochs}"]
metric = "accuracy"
epochs = 9
[grid]
scheme = ["mup-balanced", "mup2"]
width = [64, 16]
seed = [0, 1]
[search]
method = "halving"
points = 8
lr = { log2_from = -6, log2_to = -2 }
rho = { log2_from = -6, log2_to = 1 }
"#;

fn sweep(overrides: &[String]) -> SweepSpec {
    parse_sweep(SWEEP, "s.toml", overrides, &[COMMAND]).unwrap()
}

fn places(points: &[&[Option<f64>]]) -> Vec<usize> {
    let points: Vec<Vec<Option<f64>>> = points.iter().map(|seeds| seeds.to_vec()).collect();
    promoted(&points, &sweep(&[]).halving().unwrap())
}

#[test]
fn a_third_of_the_points_goes_on_rounded_up_and_the_best_by_mean() {
    let of = |accuracy| [Some(accuracy), Some(0.5)];
    let points = [0.3, 0.9, 0.1, 0.8].map(of);
    let points: Vec<&[Option<f64>]> = points.iter().map(|seeds| &seeds[..]).collect();
    assert_eq!(places(&points), [1, 3]);
    assert_eq!(places(&points[..3]), [1]);
    assert_eq!(places(&points[2..3]), [0]);
}

#[test]
fn a_seed_that_diverged_makes_its_point_the_worst_and_the_first_of_equal_points_is_the_best() {
    assert_eq!(places(&[&[Some(0.9), None], &[Some(0.1), Some(0.0)]]), [1]);
    assert_eq!(places(&[&[Some(0.5)], &[Some(0.7)], &[Some(0.7)]]), [1]);
    assert_eq!(places(&[&[None], &[None], &[None], &[None]]), [0, 1]);
}

/// What becomes of a run: coarse accuracies, so that points tie, and some that end badly.
fn fate(id: &RunId, salt: u64) -> Outcome {
    let mut hash = Sha256::new();
    hash.update(id.as_str());
    hash.update(salt.to_le_bytes());
    let digest = hash.finalize();
    let accuracy = f64::from(digest[0] % 8) / 8.0;
    match digest[1] % 16 {
        0 => Outcome::Diverged,
        1 => Outcome::Failed("broken".to_owned()),
        _ => Outcome::Completed {
            selection_accuracy: accuracy,
            test_accuracy: accuracy,
        },
    }
}

type Published = HashMap<RunId, Outcome>;

fn standing(sweep: &SweepSpec, published: &Published) -> Standing {
    let look = |run: &PlannedRun| -> Result<Outcome> {
        Ok(published.get(&run.id).cloned().unwrap_or(Outcome::Missing))
    };
    Standing::of(sweep, sweep.halving().unwrap(), look).unwrap()
}

fn ids(known: &KnownRuns) -> HashSet<RunId> {
    known.runs.iter().map(|run| run.id.clone()).collect()
}

/// Publishes runs that are known and missing, each time the one that `choose` picks, until none is left.
/// What is known at any moment must be part of what is known in the end.
fn worked_off(sweep: &SweepSpec, salt: u64, mut choose: impl FnMut(usize) -> usize) -> Published {
    let mut published = Published::new();
    let mut seen = HashSet::new();
    loop {
        let known = known(&standing(sweep, &published));
        seen.extend(ids(&known));
        let mut missing: Vec<&RunId> = known
            .runs
            .iter()
            .map(|run| &run.id)
            .filter(|id| !published.contains_key(id))
            .collect();
        missing.sort();
        if missing.is_empty() {
            assert_eq!(seen, ids(&known), "a promotion was taken back");
            return published;
        }
        // As many as are waiting in the pool, so that the test stays short.
        let first = choose(missing.len());
        let count = 1 + choose(missing.len());
        let ids = missing.iter().cycle().skip(first).take(count);
        let new: Vec<_> = ids.map(|id| ((*id).clone(), fate(id, salt))).collect();
        published.extend(new);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn in_whatever_order_results_come_the_same_runs_are_trained(
        salt in any::<u64>(),
        points in 1..10_u32,
        factor in 2..5_usize,
        choices in prop::collection::vec(any::<usize>(), 40),
    ) {
        let sweep = sweep(&[format!("search.points={points}"), format!("search.factor={factor}")]);
        let start = known(&standing(&sweep, &Published::new()));
        let in_order = worked_off(&sweep, salt, |count| count - 1);
        let mut choices = choices.into_iter().cycle();
        let at_random = worked_off(&sweep, salt, |count| choices.next().unwrap() % count);
        prop_assert_eq!(&in_order, &at_random);
        // The total is foreseen but for the points that are carried over.
        let end = known(&standing(&sweep, &in_order));
        prop_assert_eq!(end.later.len(), 0);
        prop_assert!(end.total() >= start.total());
        prop_assert!(end.total() <= start.total() + start.carried_at_most);
        // The best point of the narrowest width, as the report finds it, is known at every width.
        let (observations, halving) = summarize(&standing(&sweep, &in_order));
        let report = build(&ReportInput {
            sharpness: Vec::new(),
            title: String::new(),
            dataset: String::new(),
            selection: String::new(),
            base_width: 16,
            axes: crate::report::Axes::default(),
            fits: false,
            sampling: Sampling::Grid,
            halving: Some(halving),
            settings: Vec::new(),
            schemes: Vec::new(),
            unstable_below: 0.0,
            observations,
            command: String::new(),
            version: String::new(),
            warnings: Vec::new(),
        });
        prop_assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        for row in &report.transfer {
            let narrowest = report.optima.iter().find(|one| one.scheme == row.scheme).unwrap();
            prop_assert_eq!(narrowest.lr.is_some(), row.status_transferred.is_some());
        }
        let halving = report.halving.unwrap();
        for bracket in &halving.brackets {
            let last = bracket.rungs.last().unwrap();
            prop_assert_eq!(last.points + bracket.pruned, bracket.points);
            prop_assert!(last.promoted.is_none() && last.epochs == 9);
            // A point that is carried over starts anew, for two seeds.
            let extra = if bracket.carried { 2 * 9 } else { 0 };
            prop_assert!(bracket.epochs_trained <= bracket.epochs_full + extra);
        }
    }
}

#[test]
fn nothing_is_promoted_as_long_as_one_result_of_the_rung_is_missing() {
    let sweep = sweep(&[]);
    let start = known(&standing(&sweep, &Published::new()));
    let mut published: Published = start
        .runs
        .iter()
        .map(|run| (run.id.clone(), fate(&run.id, 1)))
        .collect();
    let sgd_or_narrow = |run: &PlannedRun| run.cell.rho == 0.0 || run.cell.width != 64;
    let last = start.runs.iter().find(|run| !sgd_or_narrow(run)).unwrap();
    let outcome = published.remove(&last.id).unwrap();
    let open = standing(&sweep, &published);
    let own = open.brackets.iter().find(|bracket| {
        (&bracket.series, bracket.width, bracket.is_sgd) == (&last.cell.series, 64, false)
    });
    assert_eq!(own.unwrap().rungs.len(), 1);
    published.insert(last.id.clone(), outcome);
    let decided = standing(&sweep, &published);
    assert!(
        decided
            .brackets
            .iter()
            .all(|bracket| bracket.rungs.len() == 2)
    );
}
