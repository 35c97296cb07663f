//! Sweeps whose runs are trained several at once.

use super::trainer_tests::{data_of, halving, options, run_with, sweep};
use super::{StackSize, run_of};
use crate::train::trial_memory;
use mup2_sweep::config::SweepSpec;
use mup2_sweep::results::RunStatus;

/// Two widths, each with ten trials of two seeds.
const GRID: [&str; 3] = [
    "grid.width=[4, 8]",
    "grid.rho=[0.0, 0.05, 0.1, 0.2, 0.4]",
    "grid.seed=[0, 1]",
];

fn grid() -> SweepSpec {
    sweep(&GRID.map(str::to_owned))
}

#[test]
fn a_sweep_in_stacks_has_the_results_of_its_runs_one_by_one_within_rounding() {
    let (sweep, directories) = (grid(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    let data = data_of(&sweep);
    let [alone, stacked] = &directories;
    let (_, alone, none) = run_with(
        alone.path(),
        &sweep,
        &data,
        StackSize::AtMost(1),
        &options(1),
    );
    assert!(none.is_empty());
    let (outcome, stacked, stacks) = run_with(
        stacked.path(),
        &sweep,
        &data,
        StackSize::AtMost(7),
        &options(1),
    );
    // Ten of each width, in as few stacks as hold them, of one size.
    assert_eq!(stacks, [5, 5, 5, 5]);
    assert_eq!((outcome.trained, outcome.tally.completed), (20, 20));
    for planned in sweep.distinct_runs() {
        let [one, other] = [&alone, &stacked].map(|store| {
            let result = store.result(&planned.id).unwrap().unwrap();
            assert_eq!(result.spec, sweep.spec(&planned));
            result.epochs[0].train_loss
        });
        assert!((one / other - 1.0).abs() < 1e-5, "{one} {other}");
    }
}

#[test]
fn a_stack_is_made_of_what_is_missing() {
    let sweep = grid();
    let data = data_of(&sweep);
    let directory = tempfile::tempdir().unwrap();
    let mut some = options(1);
    let runs = sweep.distinct_runs().into_iter();
    let narrow = runs.filter(|run| run.cell.width == 4);
    some.selected.only = narrow.take(4).map(|run| run.id).collect();
    let (outcome, ..) = run_with(
        directory.path(),
        &sweep,
        &data,
        StackSize::AtMost(100),
        &some,
    );
    assert_eq!(outcome.trained, 4);
    let (outcome, _, mut stacks) = run_with(
        directory.path(),
        &sweep,
        &data,
        StackSize::AtMost(100),
        &options(1),
    );
    stacks.sort_unstable();
    assert_eq!((outcome.trained, stacks), (16, vec![6, 10]));
}

#[test]
fn a_stack_that_breaks_leaves_its_runs_to_be_trained_one_by_one() {
    let sweep = grid();
    let mut broken = data_of(&sweep);
    // A label beyond the last class makes the loss of its batch panic.
    broken.train.labels.fill(999);
    let directory = tempfile::tempdir().unwrap();
    let (outcome, store, _) = run_with(
        directory.path(),
        &sweep,
        &broken,
        StackSize::AtMost(100),
        &options(1),
    );
    assert_eq!((outcome.trained, outcome.tally.failed), (20, 20));
    for planned in sweep.distinct_runs() {
        let status = store.result(&planned.id).unwrap().unwrap().status;
        assert!(matches!(status, RunStatus::Failed { reason } if reason.starts_with("panic: ")));
    }
}

#[test]
fn as_many_runs_are_stacked_as_fit_into_the_memory_and_at_least_one() {
    let sweep = grid();
    let data = data_of(&sweep);
    let spec = |width: usize| {
        let mut spec = run_of(&sweep).unwrap().clone();
        spec.model.width = width;
        spec
    };
    let (narrow, wide) = (
        trial_memory(&spec(64), &data).unwrap(),
        trial_memory(&spec(1024), &data).unwrap(),
    );
    // From 64 to 1024 the hidden layer grows 256-fold, the others 16-fold.
    assert!(wide > 40 * narrow && wide < 256 * narrow, "{narrow} {wide}");
    let most = |bytes| StackSize::Memory(bytes).most(&spec(64), &data).unwrap();
    assert_eq!((most(5 * narrow), most(0)), (5, 1));
}

#[test]
fn runs_of_a_halving_are_trained_one_by_one() {
    let sweep = halving();
    let data = data_of(&sweep);
    let directory = tempfile::tempdir().unwrap();
    let (outcome, _, stacks) = run_with(
        directory.path(),
        &sweep,
        &data,
        StackSize::AtMost(100),
        &options(1),
    );
    assert!(outcome.tally.completed > 3 && stacks.is_empty());
}
