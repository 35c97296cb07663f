//! A run that breaks costs itself and nothing else.

use super::*;
use crate::config::{SweepSpec, parse_sweep};
use crate::data::{Dataset, load};
use crate::results::{ResultStore, RunStatus};
use crate::train::Cancel;
use std::path::Path;

const SWEEP: &str = r#"
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

fn options(workers: usize) -> RunOptions {
    RunOptions {
        workers,
        selected: Selected::default(),
    }
}

fn run_in(directory: &Path, sweep: &SweepSpec, data: &Dataset) -> (Outcome, ResultStore) {
    let store = ResultStore::create(directory, sweep, "digest").unwrap();
    let options = options(2);
    let outcome = run(sweep, data, &store, &options, &Cancel::default(), |_| {}).unwrap();
    (outcome, store)
}

#[test]
fn a_panic_is_recorded_as_a_failed_run_and_the_next_call_tries_again() {
    let directory = tempfile::tempdir().unwrap();
    let sweep = parse_sweep(SWEEP, "s.toml", &[]).unwrap();
    let sound = load(&sweep.run.data).unwrap();
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
    let sweep = parse_sweep(SWEEP, "s.toml", &[]).unwrap();
    let data = load(&sweep.run.data).unwrap();
    let store = ResultStore::create(directory.path(), &sweep, "digest").unwrap();
    let cancel = Cancel::default();
    cancel.cancel();
    let options = options(1);
    let outcome = run(&sweep, &data, &store, &options, &cancel, |_| {});
    assert!(matches!(outcome, Err(crate::error::Error::Interrupted)));
    assert_eq!(directory.path().join("runs").read_dir().unwrap().count(), 0);
}
