//! What mup2 promises about whatever it reads, as assertions.

use crate::built_in::{KINDS, run_of};
use crate::config::{RunSpec, parse_run};
use crate::empty_directory;
use crate::error::Error;
use crate::scaling::SchemeName;
use mup2_sweep::config::{Axis, FurtherAxis, Json, RunId, SweepSpec, parse_sweep};
use mup2_sweep::results::{Fingerprint, ResultStore};
use serde::Serialize;
use std::collections::HashSet;

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
    let again: RunSpec = Json::of(spec).to().expect("an accepted run is JSON");
    assert_eq!(&again, spec);

    let id = RunId::of(spec);
    assert_eq!(RunId::of(&again), id);
    assert_eq!(id.as_str().parse(), Ok(id.clone()));
    let mut elsewhere = spec.clone();
    elsewhere.data.path = Some("elsewhere".into());
    assert_eq!(RunId::of(&elsewhere), id);

    if has_large_integer(&Json::of(spec)) {
        return;
    }
    let text = toml::to_string(spec).expect("an accepted run can be written");
    // What was set once is not changed by being set again.
    let again = parse_run(&text, "again", overrides).expect("an accepted run is TOML");
    assert_eq!(&again, spec);
    assert_eq!(RunId::of(&again), id);
}

/// A sweep that was accepted stays the same however it is written and read. If its runs are few,
/// each has the id of its spec, and those of the built-in trainer keep their own promises.
pub fn keeps_sweep_promises(sweep: &SweepSpec, overrides: &[String]) {
    sweep.validate("again").expect("an accepted sweep is valid");
    let directory = empty_directory("kept");
    ResultStore::create(&directory, sweep, &Fingerprint::default())
        .expect("an accepted sweep can be begun");
    let (_, manifest) =
        ResultStore::open(&directory, KINDS).expect("an accepted sweep's directory can be opened");
    assert_eq!(&manifest.sweep, sweep);
    if !has_large_integer(&Json::of(sweep)) {
        let text = toml::to_string(sweep).expect("an accepted sweep can be written");
        let again = parse_sweep(&text, "again", overrides, KINDS);
        assert_eq!(&again.expect("an accepted sweep is TOML"), sweep);
    }
    if !has_few_runs(sweep) {
        return;
    }
    assert!(!sweep.runs.description(sweep).settings.is_empty());
    let series: HashSet<_> = sweep.series().into_iter().collect();
    assert_eq!(series.len(), sweep.series().len());
    let plan = sweep.plan();
    assert!(!plan.is_empty());
    let rungs = sweep.halving().map(|halving| halving.rungs().to_vec());
    let rungs = rungs.unwrap_or_default();
    assert!(rungs.is_sorted_by(|one, next| one < next));
    for run in &plan {
        assert!(series.contains(&run.cell.series));
        let spec = keeps_id(sweep, &sweep.spec(run), &run.id);
        if spec.is_some() {
            let scheme: SchemeName = run.cell.scheme.parse().expect("a known scheme");
            assert_eq!(scheme.to_string(), *run.cell.scheme);
        }
        for &epochs in &rungs {
            let rung = sweep.cut_short(run, epochs);
            let beginning = keeps_id(sweep, &sweep.spec(&rung), &rung.id);
            if rung != *run
                && let Some((beginning, spec)) = beginning.zip(spec.as_ref())
            {
                assert!(beginning.is_beginning_of(spec));
            }
        }
    }
    let distinct = sweep.distinct_runs();
    let ids: HashSet<_> = distinct.iter().map(|run| &run.id).collect();
    assert_eq!(ids.len(), distinct.len());
    assert_eq!(ids, plan.iter().map(|run| &run.id).collect());
}

/// The spec of a run has its id; returned is that of the built-in trainer.
fn keeps_id(sweep: &SweepSpec, spec: &Json, id: &RunId) -> Option<RunSpec> {
    assert_eq!(sweep.runs.id_of(spec).as_ref(), Some(id));
    assert_eq!(&sweep.runs.filled(spec), spec);
    run_of(sweep)?;
    let spec = spec.to().expect("a run of the built-in trainer");
    keeps_run_promises(&spec, &[]);
    Some(spec)
}

/// TOML's integers end at 2^63; JSON's, in a file that mup2 did not make from TOML, do not.
fn has_large_integer(value: &Json) -> bool {
    match value {
        Json::List(values) => values.iter().any(has_large_integer),
        Json::Object(entries) => entries.iter().any(|(_, value)| has_large_integer(value)),
        value => value
            .as_u64()
            .is_some_and(|value| i64::try_from(value).is_err()),
    }
}

/// Each run costs tens of microseconds, and a valid sweep may have a million.
fn has_few_runs(sweep: &SweepSpec) -> bool {
    let grid = &sweep.grid;
    let length = |axis: &Option<Axis>| axis.as_ref().map_or(1.0, Axis::len);
    let points = sweep.search.as_ref().map_or(1, |search| search.points);
    let groups = grid.scheme.len() * grid.width.len() * grid.seed.len();
    let further = grid.further.0.iter().map(|(_, axis)| match axis {
        FurtherAxis::List(values) => values.len() as f64,
        FurtherAxis::Log2(steps) => Axis::Log2(steps.clone()).len(),
    });
    let pairs = length(&grid.lr) * length(&grid.rho) * f64::from(points);
    pairs * groups as f64 * further.product::<f64>() <= 32.0
}
