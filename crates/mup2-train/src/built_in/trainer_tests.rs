//! A run that breaks costs itself and nothing else.

use super::{BuiltIn, KINDS, StackSize, run_of};
use crate::config::TrainingDevice;
use crate::data::{Dataset, load};
use crate::train::train;
use mup2_scaling::workers::Cancel;
use mup2_sweep::config::{SweepSpec, parse_sweep};
use mup2_sweep::results::{Fingerprint, ResultStore, RunStatus};
use mup2_sweep::{Event, Outcome, RunOptions, Selected, known_runs, run};
use std::path::Path;

pub(super) const SWEEP: &str = r#"
name = "pool"
[grid]
scheme = ["mup2"]
width = [4]
lr = [0.1]
rho = [0.0, 0.1]
[run.data]
train_limit = 200
average_pool = 7
[run.model]
base_width = 4
[run.train]
epochs = 1
"#;

/// A search by successive halving: three points, three epochs.
pub(super) fn halving() -> SweepSpec {
    let search = [
        "run.train.epochs=3",
        "search.method=halving",
        "search.points=3",
        "search.include_sgd=false",
        "search.lr={ log2_from = -6, log2_to = -2 }",
        "search.rho={ log2_from = -6, log2_to = -2 }",
    ];
    let text = SWEEP.replace("lr = [0.1]\nrho = [0.0, 0.1]\n", "");
    parse_sweep(&text, "s.toml", &search.map(str::to_owned), KINDS).unwrap()
}

pub(super) fn sweep(overrides: &[String]) -> SweepSpec {
    parse_sweep(SWEEP, "s.toml", overrides, KINDS).unwrap()
}

pub(super) fn data_of(sweep: &SweepSpec) -> Dataset {
    load(&run_of(sweep).unwrap().data).unwrap()
}

pub(super) fn options(workers: usize) -> RunOptions {
    RunOptions {
        workers,
        selected: Selected::default(),
    }
}

fn run_in(directory: &Path, sweep: &SweepSpec, data: &Dataset) -> (Outcome, ResultStore) {
    let (outcome, store, _) = run_with(directory, sweep, data, StackSize::AtMost(1), &options(2));
    (outcome, store)
}

fn trainer<'a>(sweep: &'a SweepSpec, data: &'a Dataset, stack: StackSize) -> BuiltIn<'a> {
    BuiltIn::new(sweep, data, TrainingDevice::Flex, stack).unwrap()
}

fn store_in(directory: &Path, sweep: &SweepSpec) -> ResultStore {
    // Not the data's own digest: some tests go on with other data.
    ResultStore::create(directory, sweep, &Fingerprint::default()).unwrap()
}

/// Also the sizes of the stacks that it told of, each once.
pub(super) fn run_with(
    directory: &Path,
    sweep: &SweepSpec,
    data: &Dataset,
    stack: StackSize,
    options: &RunOptions,
) -> (Outcome, ResultStore, Vec<usize>) {
    let store = store_in(directory, sweep);
    let mut stacks = Vec::new();
    let note = |event: Event| {
        if let Event::Stacked { runs, step: 1, .. } = event {
            stacks.push(runs);
        }
    };
    let trainer = trainer(sweep, data, stack);
    let outcome = run(sweep, &trainer, &store, options, &Cancel::default(), note).unwrap();
    (outcome, store, stacks)
}

#[test]
fn a_panic_is_recorded_as_a_failed_run_and_the_next_call_tries_again() {
    let directory = tempfile::tempdir().unwrap();
    let sweep = sweep(&[]);
    let sound = data_of(&sweep);
    // A label beyond the last class makes the loss of its batch panic.
    let mut broken = sound.clone();
    broken.train.labels.fill(999);
    let (outcome, store) = run_in(directory.path(), &sweep, &broken);
    assert_eq!((outcome.trained, outcome.tally.failed), (2, 2));
    for planned in sweep.distinct_runs() {
        let result = store.result(&planned.id).unwrap().unwrap();
        let RunStatus::Failed { reason } = result.status else {
            panic!("{:?}", result.status)
        };
        assert!(reason.starts_with("panic: "), "{reason}");
    }
    let (outcome, _) = run_in(directory.path(), &sweep, &sound);
    assert_eq!((outcome.trained, outcome.tally.completed), (2, 2));
    let (outcome, _) = run_in(directory.path(), &sweep, &sound);
    assert_eq!((outcome.trained, outcome.tally.completed), (0, 2));
}

#[test]
fn a_cancelled_sweep_publishes_nothing_more() {
    let directory = tempfile::tempdir().unwrap();
    let sweep = sweep(&[]);
    let data = data_of(&sweep);
    let store = store_in(directory.path(), &sweep);
    let trainer = trainer(&sweep, &data, StackSize::AtMost(1));
    let cancel = Cancel::default();
    cancel.cancel();
    let options = options(1);
    let outcome = run(&sweep, &trainer, &store, &options, &cancel, |_| {});
    assert!(matches!(outcome, Err(crate::error::Error::Interrupted)));
    assert_eq!(directory.path().join("runs").read_dir().unwrap().count(), 0);
}

#[test]
fn a_promoted_run_starts_from_the_checkpoint_that_its_rung_has_left() {
    let directory = tempfile::tempdir().unwrap();
    let sweep = halving();
    let data = data_of(&sweep);
    let first = known_runs(&sweep, None).unwrap();
    let mut options = options(2);
    options.selected.only = first.runs.iter().map(|run| run.id.clone()).collect();
    let store = store_in(directory.path(), &sweep);
    let trainer = trainer(&sweep, &data, StackSize::AtMost(1));
    let cancel = Cancel::default();
    let outcome = run(&sweep, &trainer, &store, &options, &cancel, |_| {}).unwrap();
    assert_eq!(outcome.trained, 3);
    let kept = || {
        let entries = directory.path().join("checkpoints").read_dir();
        entries.map_or(0, Iterator::count)
    };
    // Nothing can start from the two that were pruned.
    assert_eq!(kept(), 1);
    // With other labels from here on, the first epoch shows whose it is.
    let mut other = data.clone();
    other.train.labels.fill(0);
    let (outcome, store) = run_in(directory.path(), &sweep, &other);
    assert_eq!((outcome.trained, outcome.tally.completed), (1, 4));
    let known = known_runs(&sweep, Some(&store)).unwrap();
    let promoted = known.runs.iter().find(|run| run.epochs == 3).unwrap();
    let result = store.result(&promoted.id).unwrap().unwrap();
    let rung = store
        .result(&sweep.cut_short(promoted, 1).id)
        .unwrap()
        .unwrap();
    assert_eq!(result.epochs[0], rung.epochs[0]);
    let spec = run_of(&sweep).unwrap().at(&promoted.cell, promoted.epochs);
    let anew = train(&spec, &other, &cancel, |_| {}).unwrap();
    assert_ne!(result.epochs[0], anew.epochs[0]);
    assert_eq!(kept(), 0);
}
