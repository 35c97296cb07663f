//! What the rungs of a halving are, which runs they are, and what is said when they cannot be.

use super::KINDS;
use crate::config::{RunSpec, parse_run};
use mup2_sweep::config::{PlannedRun, RunId, SweepSpec, parse_sweep};

const SWEEP: &str = r#"
name = "test"
[run.model]
base_width = 16
[run.train]
epochs = 27
[grid]
scheme = ["mup2"]
width = [64]
[search]
method = "halving"
points = 9
lr = { log2_from = -6, log2_to = -2 }
rho = { log2_from = -6, log2_to = 1 }
"#;

fn parsed(overrides: &[&str]) -> crate::error::Result<SweepSpec> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    parse_sweep(SWEEP, "s.toml", &overrides, KINDS)
}

fn error(overrides: &[&str]) -> String {
    parsed(overrides).unwrap_err().to_string()
}

fn rungs(overrides: &[&str]) -> Vec<usize> {
    parsed(overrides)
        .unwrap()
        .halving()
        .unwrap()
        .rungs()
        .to_vec()
}

fn run(overrides: &[&str]) -> RunSpec {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    parse_run("", "r.toml", &overrides).unwrap()
}

#[test]
fn each_rung_is_the_factor_times_as_long_and_the_last_one_has_all_epochs() {
    assert_eq!(rungs(&[]), [1, 3, 9, 27]);
    assert_eq!(rungs(&["run.train.epochs=26"]), [1, 3, 26]);
    assert_eq!(rungs(&["run.train.epochs=10"]), [1, 3, 10]);
    assert_eq!(
        rungs(&["search.factor=2", "search.first_epochs=4"]),
        [4, 8, 27]
    );
    assert_eq!(rungs(&["search.factor=27"]), [1, 27]);
    assert_eq!(parsed(&["search.method=sobol"]).unwrap().halving(), None);
}

#[test]
fn the_points_are_those_of_the_sobol_sequence() {
    let pairs = |method: &str| parsed(&[method]).unwrap().search.unwrap().pairs();
    assert_eq!(pairs("search.method=halving"), pairs("search.method=sobol"));
}

#[test]
fn keys_that_leave_no_rung_or_belong_to_another_method_are_named() {
    insta::assert_snapshot!(error(&["search.factor=1"]), @"--set search.factor=1: is 1; allowed: whole numbers from 2 to 1000");
    insta::assert_snapshot!(error(&["search.first_epochs=0"]), @"--set search.first_epochs=0: is 0 with `search.factor` = 3 and `run.train.epochs` = 27, which leaves no rung to prune at; allowed: whole numbers from 1 to 9, which is epochs / factor");
    insta::assert_snapshot!(error(&["search.first_epochs=10"]), @"--set search.first_epochs=10: is 10 with `search.factor` = 3 and `run.train.epochs` = 27, which leaves no rung to prune at; allowed: whole numbers from 1 to 9, which is epochs / factor");
    insta::assert_snapshot!(error(&["run.train.epochs=2"]), @"s.toml: search.first_epochs: is 1 with `search.factor` = 3 and `run.train.epochs` = 2, which leaves no rung to prune at; allowed: `run.train.epochs` of at least `search.factor`");
    insta::assert_snapshot!(error(&["search.method=sobol", "search.factor=3"]), @r#"--set search.factor=3: stands beside `method = "sobol"`; allowed: this key for `method = "halving"` only"#);
    insta::assert_snapshot!(error(&["search.method=random", "search.first_epochs=1"]), @r#"--set search.first_epochs=1: stands beside `method = "random"`; allowed: this key for `method = "halving"` only"#);
    insta::assert_snapshot!(error(&["run.train.schedule_epochs=26"]), @"--set run.train.schedule_epochs=26: is 26; allowed: whole numbers from 27 to 1000000");
}

#[test]
fn the_last_rung_is_the_ordinary_run() {
    let sweep = parsed(&["run.optimizer.schedule=cosine"]).unwrap();
    let plain = parsed(&["run.optimizer.schedule=cosine", "search.method=sobol"]).unwrap();
    let last = *sweep.halving().unwrap().rungs().last().unwrap();
    let rungs: Vec<PlannedRun> = sweep
        .plan()
        .iter()
        .map(|run| sweep.cut_short(run, last))
        .collect();
    assert_eq!(rungs, plain.plan());
}

#[test]
fn a_schedule_of_the_runs_own_length_or_of_no_effect_is_no_other_run() {
    let id = |overrides: &[&str]| RunId::of(&run(overrides));
    assert_eq!(id(&["train.schedule_epochs=10"]), id(&[]));
    assert_eq!(id(&["train.schedule_epochs=30"]), id(&[]));
    let cosine = "optimizer.schedule=cosine";
    assert_eq!(id(&[cosine, "train.schedule_epochs=10"]), id(&[cosine]));
    assert_ne!(id(&[cosine, "train.schedule_epochs=30"]), id(&[cosine]));
    let radius = ["sam.schedule=linear", "train.schedule_epochs=30"];
    assert_ne!(id(&radius), id(&radius[..1]));
    // Without a perturbation the radius has no schedule.
    let zero = [radius[0], radius[1], "sam.rho=0"];
    assert_eq!(id(&zero), id(&["sam.rho=0"]));
}

#[test]
fn a_run_begins_with_what_it_is_cut_to_and_with_nothing_else() {
    for schedule in ["optimizer.schedule=constant", "optimizer.schedule=cosine"] {
        let whole = run(&[schedule]);
        let part = whole.cut_short(3);
        assert_eq!(part.train.schedule_length(), 10);
        assert!(part.is_beginning_of(&whole));
        assert!(part.cut_short(1).is_beginning_of(&whole));
        assert_eq!(part.cut_short(1), whole.cut_short(1));
        assert!(!whole.is_beginning_of(&part) && !whole.is_beginning_of(&whole));
        let other = run(&[schedule, "seed=1"]);
        assert!(!part.is_beginning_of(&other));
        let shorter = run(&[schedule, "train.epochs=3"]);
        assert_eq!(
            shorter.is_beginning_of(&whole),
            schedule.ends_with("constant")
        );
        let rarer = run(&[schedule, "train.evaluate_every=2"]);
        assert!(!part.is_beginning_of(&rarer));
    }
}

#[test]
fn a_halving_survives_being_written_and_read() {
    let spec = parsed(&["search.first_epochs=2", "search.factor=4"]).unwrap();
    let toml = toml::to_string(&spec).unwrap();
    assert_eq!(parse_sweep(&toml, "s.toml", &[], KINDS).unwrap(), spec);
}
