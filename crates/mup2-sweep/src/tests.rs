//! What the pool sees to, whoever trains.

use super::command::COMMAND;
use super::*;
use crate::config::{PlannedRun, SweepSpec, parse_sweep};
use crate::error::{Error, Result};
use crate::results::{Fingerprint, ResultStore, RunResult, RunStatus};
use mup2_scaling::workers::Cancel;
use std::collections::BTreeMap;
use std::sync::Mutex;

const SWEEP: &str = r#"
name = "pool"
[command]
argv = ["true", "{width}", "{lr}", "{seed}", "{epochs}"]
metric = "acc"
epochs = 9
[grid]
width = [4, 8]
lr = [0.25, 0.5]
seed = [0, 1, 2]
"#;

fn sweep(overrides: &[&str]) -> SweepSpec {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    parse_sweep(SWEEP, "s.toml", &overrides, &[COMMAND]).unwrap()
}

/// A trainer whose runs end as `fate` says; it remembers what it was given.
struct Fake<'a> {
    sweep: &'a SweepSpec,
    fate: fn(&PlannedRun) -> Result<RunStatus>,
    most_at_once: usize,
    groups: Mutex<Vec<usize>>,
    starts: Mutex<BTreeMap<(usize, bool), Vec<usize>>>,
}

impl<'a> Fake<'a> {
    fn new(sweep: &'a SweepSpec, fate: fn(&PlannedRun) -> Result<RunStatus>) -> Self {
        Self {
            sweep,
            fate,
            most_at_once: 1,
            groups: Mutex::default(),
            starts: Mutex::default(),
        }
    }

    fn result(&self, run: &PlannedRun) -> Result<RunResult> {
        Ok(RunResult {
            status: (self.fate)(run)?,
            metrics: BTreeMap::from([("acc".to_owned(), run.cell.lr)]),
            ..RunResult::new(run.id.clone(), self.sweep.spec(run))
        })
    }
}

impl Trainer for Fake<'_> {
    fn train(&self, job: &Job) -> Result<RunResult> {
        let earlier = job.earlier.iter().map(|earlier| earlier.run.epochs);
        let mut starts = self.starts.lock().unwrap();
        starts.insert((job.run.epochs, job.keep), earlier.collect());
        drop(starts);
        std::fs::create_dir_all(&job.checkpoints).unwrap();
        self.result(job.run)
    }

    fn most_at_once(&self, _: &PlannedRun) -> Result<usize> {
        Ok(self.most_at_once)
    }

    fn go_together(&self, one: &PlannedRun, other: &PlannedRun) -> bool {
        one.cell.width == other.cell.width
    }

    fn train_together(
        &self,
        runs: &[PlannedRun],
        _: &Cancel,
        _: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<RunResult>> {
        self.groups.lock().unwrap().push(runs.len());
        runs.iter().map(|run| self.result(run)).collect()
    }
}

fn work(directory: &tempfile::TempDir, trainer: &Fake) -> (Result<Outcome>, ResultStore) {
    let store =
        ResultStore::create(directory.path(), trainer.sweep, &Fingerprint::default()).unwrap();
    let options = RunOptions {
        workers: 2,
        selected: Selected::default(),
    };
    let cancel = Cancel::default();
    let outcome = run(trainer.sweep, trainer, &store, &options, &cancel, |_| {});
    (outcome, store)
}

fn completed(_: &PlannedRun) -> Result<RunStatus> {
    Ok(RunStatus::Completed)
}

fn checkpoints(directory: &tempfile::TempDir) -> usize {
    let entries = directory.path().join("checkpoints").read_dir();
    entries.map_or(0, Iterator::count)
}

#[test]
fn a_run_that_breaks_is_recorded_and_tried_again_and_keeps_its_checkpoints() {
    let (directory, sweep) = (tempfile::tempdir().unwrap(), sweep(&[]));
    let fate = |run: &PlannedRun| match (run.cell.width, run.cell.seed) {
        (8, 0) => panic!("torn\nto pieces"),
        (8, 1) => Err(Error::invalid("a", "b", "c")),
        (4, 0) => Ok(RunStatus::Diverged),
        _ => Ok(RunStatus::Completed),
    };
    let (outcome, store) = work(&directory, &Fake::new(&sweep, fate));
    let tally = outcome.unwrap().tally;
    assert_eq!((tally.completed, tally.diverged, tally.failed), (6, 2, 4));
    let reason = |seed: u64| {
        let runs = sweep.plan();
        let broken = |run: &&PlannedRun| (run.cell.width, run.cell.seed) == (8, seed);
        let id = &runs.iter().find(broken).unwrap().id;
        match store.result(id).unwrap().unwrap().status {
            RunStatus::Failed { reason } => reason,
            status => panic!("{status:?}"),
        }
    };
    assert_eq!(
        (reason(0).as_str(), reason(1).as_str()),
        ("panic: torn", "a: b; allowed: c")
    );
    assert_eq!(checkpoints(&directory), 4);
    let (outcome, _) = work(&directory, &Fake::new(&sweep, completed));
    let outcome = outcome.unwrap();
    assert_eq!((outcome.trained, outcome.tally.completed), (4, 10));
    assert_eq!(checkpoints(&directory), 0);
}

#[test]
fn a_trainer_that_is_interrupted_ends_the_sweep_and_publishes_nothing() {
    let (directory, sweep) = (tempfile::tempdir().unwrap(), sweep(&[]));
    let trainer = Fake::new(&sweep, |_| Err(Error::Interrupted));
    let (outcome, _) = work(&directory, &trainer);
    assert!(matches!(outcome, Err(Error::Interrupted)));
    assert_eq!(directory.path().join("runs").read_dir().unwrap().count(), 0);
}

#[test]
fn runs_that_go_together_are_trained_in_groups_of_one_size() {
    let (directory, sweep) = (tempfile::tempdir().unwrap(), sweep(&[]));
    let mut trainer = Fake::new(&sweep, completed);
    trainer.most_at_once = 5;
    let (outcome, _) = work(&directory, &trainer);
    assert_eq!(outcome.unwrap().tally.completed, 12);
    // Six of each width, in as few groups as hold them.
    assert_eq!(trainer.groups.into_inner().unwrap(), [3, 3, 3, 3]);
}

#[test]
fn a_promoted_run_is_given_the_rungs_behind_it_and_all_but_the_last_keep_theirs() {
    let directory = tempfile::tempdir().unwrap();
    let text = SWEEP
        .replace("lr = [0.25, 0.5]", "")
        .replace("\"{lr}\"", "\"{lr}/{rho}\"");
    let search = "[search]\nmethod = 'halving'\npoints = 6\nlr = { log2_from = -3, log2_to = -1 }\n\
                  rho = { log2_from = -3, log2_to = -1 }\n";
    let sweep = parse_sweep(&format!("{text}{search}"), "s.toml", &[], &[COMMAND]).unwrap();
    let mut trainer = Fake::new(&sweep, completed);
    trainer.most_at_once = 5;
    let (outcome, _) = work(&directory, &trainer);
    assert_eq!(outcome.unwrap().tally.failed, 0);
    let starts = trainer.starts.into_inner().unwrap();
    let expected = [
        ((1, true), vec![]),
        ((3, true), vec![1]),
        ((9, false), vec![3, 1]),
    ];
    assert_eq!(starts, BTreeMap::from(expected));
    assert!(trainer.groups.into_inner().unwrap().is_empty());
    assert_eq!(checkpoints(&directory), 0);
}
