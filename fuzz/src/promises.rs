//! What mup2 promises about whatever it reads, as assertions.

use crate::config::{Axis, RunId, RunSpec, SweepSpec, parse_run, parse_sweep};
use crate::error::Error;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashSet;
use std::fmt::Debug;

/// Splits an input into the text of a spec and its `--set` overrides, each of which begins on a line of
/// its own with `--set `.
pub fn text_and_overrides(input: &str) -> (&str, Vec<String>) {
    let mut parts = input.split("\n--set ");
    let text = parts.next().unwrap_or_default();
    (text, parts.map(str::to_owned).collect())
}

/// Every error is one line that a terminal shows as it is, and holds `part`.
pub fn sentence(error: &Error, part: &str) {
    let message = error.to_string();
    let unprintable = message.chars().find(|character| character.is_control());
    assert_eq!(unprintable, None, "not one plain line: {message:?}");
    assert!(message.contains(part), "no {part:?} in: {message}");
}

/// A spec that was accepted stays the same, and the same run, however it is written and read.
pub fn keeps_run_promises(spec: &RunSpec, overrides: &[String]) {
    spec.validate("again").expect("an accepted run is valid");
    let again = through_json(spec);
    assert_eq!(&again, spec);

    let id = RunId::of(spec);
    assert_eq!(RunId::of(&again), id);
    assert_eq!(id.as_str().parse(), Ok(id.clone()));
    let mut elsewhere = spec.clone();
    elsewhere.data.path = Some("elsewhere".into());
    assert_eq!(RunId::of(&elsewhere), id);

    if has_large_integer(spec) {
        return;
    }
    let text = toml::to_string(spec).expect("an accepted run can be written");
    // What was set once is not changed by being set again.
    let again = parse_run(&text, "again", overrides).expect("an accepted run is TOML");
    assert_eq!(&again, spec);
    assert_eq!(RunId::of(&again), id);
}

/// As [`keeps_run_promises`], and for every run of the sweep if there are few.
pub fn keeps_sweep_promises(sweep: &SweepSpec, overrides: &[String]) {
    sweep.validate("again").expect("an accepted sweep is valid");
    assert_eq!(&through_json(sweep), sweep);
    let is_large = |seed: &u64| i64::try_from(*seed).is_err();
    if !has_large_integer(&sweep.run) && !sweep.grid.seed.iter().any(is_large) {
        let text = toml::to_string(sweep).expect("an accepted sweep can be written");
        let again = parse_sweep(&text, "again", overrides);
        assert_eq!(&again.expect("an accepted sweep is TOML"), sweep);
    }
    if !has_few_runs(sweep) {
        return;
    }
    let plan = sweep.plan();
    assert!(!plan.is_empty());
    for run in &plan {
        keeps_run_promises(&run.spec, &[]);
        assert_eq!(RunId::of(&run.spec), run.id);
        assert_eq!(run.scheme.to_string().parse(), Ok(run.scheme));
    }
    let halving = sweep.halving();
    let rungs = halving.as_ref().map_or(&[][..], |halving| halving.rungs());
    assert!(rungs.is_sorted_by(|one, next| one < next));
    for run in &plan {
        for &epochs in rungs {
            let rung = run.cut_short(epochs);
            keeps_run_promises(&rung.spec, &[]);
            let is_whole = rung == *run;
            assert!(is_whole || rung.spec.is_beginning_of(&run.spec));
        }
    }
    let distinct = sweep.distinct_runs();
    let ids: HashSet<_> = distinct.iter().map(|run| &run.id).collect();
    assert_eq!(ids.len(), distinct.len());
    assert_eq!(ids, plan.iter().map(|run| &run.id).collect());
}

fn through_json<T: Serialize + DeserializeOwned + Debug>(value: &T) -> T {
    let bytes = serde_json::to_vec(value).expect("an accepted value is JSON");
    serde_json::from_slice(&bytes).expect("an accepted value is read back from JSON")
}

/// TOML's integers end at 2^63; JSON's, in a file that mup2 did not make from TOML, do not.
fn has_large_integer(spec: &RunSpec) -> bool {
    let sizes = [Some(spec.data.average_pool), spec.data.train_limit];
    let large = |size: usize| i64::try_from(size).is_err();
    i64::try_from(spec.seed).is_err() || sizes.into_iter().flatten().any(large)
}

/// Each run costs tens of microseconds, and a valid sweep may have a million.
fn has_few_runs(sweep: &SweepSpec) -> bool {
    let grid = &sweep.grid;
    let length = |axis: &Option<Axis>| axis.as_ref().map_or(1.0, Axis::len);
    let points = sweep.search.as_ref().map_or(1, |search| search.points);
    let groups = grid.scheme.len() * grid.width.len() * grid.seed.len();
    length(&grid.lr) * length(&grid.rho) * f64::from(points) * groups as f64 <= 32.0
}
