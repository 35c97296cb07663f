//! Successive halving: rungs are runs, and whatever is killed when, the same points go on.

use crate::sweep::start;
use crate::{mup2, result_files, run_sweep, stderr, stdout, workspace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Nine points with their SGD twins, rungs of 1, 3 and 9 epochs; the schedule and the rare evaluation
/// must not let a run see where a rung ended. Some points diverge.
const HALVING: &str = r#"
name = "halving"
[grid]
scheme = ["mup-global", "mup2"]
width = [8, 32]
seed = [0, 1]
[search]
method = "halving"
points = 9
lr = { log2_from = -5, log2_to = 4 }
rho = { log2_from = -6, log2_to = 0 }
[run.data]
label_noise = 0.2
train_limit = 500
average_pool = 4
[run.model]
base_width = 8
[run.optimizer]
schedule = "cosine"
momentum = 0.9
[run.train]
epochs = 9
evaluate_every = 4
"#;

type Results = BTreeMap<String, Vec<u8>>;

fn epochs(result: &[u8]) -> u64 {
    let result: Value = serde_json::from_slice(result).unwrap();
    result["spec"]["train"]["epochs"].as_u64().unwrap()
}

fn report(directory: &Path, out: &str) -> Value {
    let file = std::fs::read(directory.join(out).join("report.json")).unwrap();
    serde_json::from_slice(&file).unwrap()
}

/// Checkpoint directories that are left.
fn checkpoints(out: &Path) -> usize {
    std::fs::read_dir(out.join("checkpoints")).map_or(0, Iterator::count)
}

#[test]
fn what_is_left_in_the_end_is_bit_equal_to_the_full_search() {
    let directory = workspace(HALVING);
    let output = run_sweep(directory.path(), "halved", &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let full = run_sweep(directory.path(), "full", &["--set", "search.method=sobol"]);
    assert!(full.status.success(), "{}", stderr(&full));
    let halved: Results = result_files(&directory.path().join("halved"));
    let full: Results = result_files(&directory.path().join("full"));
    let whole: Results = halved
        .clone()
        .into_iter()
        .filter(|(_, file)| epochs(file) == 9)
        .collect();
    // A point of SAM and one of SGD a width; those of the base width and SGD are shared by the schemes,
    // and the narrowest width's best point is run at the other one: two seeds each.
    assert!((10..=14).contains(&whole.len()), "{}", whole.len());
    for (id, file) in &whole {
        assert_eq!(full.get(id), Some(file), "{id}");
    }
    assert_eq!(checkpoints(&directory.path().join("halved")), 0);
    let counts = |wanted| {
        halved
            .values()
            .filter(|file| epochs(file) == wanted)
            .count()
    };
    assert_eq!((counts(1), counts(3)), (90, 30));
}

#[test]
fn the_report_and_the_tables_state_what_was_pruned() {
    let directory = workspace(HALVING);
    let output = run_sweep(directory.path(), "out", &[]);
    let table = stdout(&output);
    assert!(table.contains("1: 9 → 3, 3: 3 → 1, 9: 1"), "{table}");
    assert!(
        table.contains("Successive halving pruned 64 of 72 points"),
        "{table}"
    );
    let report = report(directory.path(), "out");
    let brackets = report["halving"]["brackets"].as_array().unwrap();
    assert_eq!(brackets.len(), 2 * 2 * 2);
    for bracket in brackets {
        let carried = usize::from(bracket["carried"].as_bool().unwrap());
        // 9 + 3 · 2 + 6 epochs of each seed, and 9 more for a point that is carried over.
        assert_eq!(bracket["epochs_trained"], 2 * (9 + 6 + 6 + 9 * carried));
        assert_eq!(
            (&bracket["epochs_full"], &bracket["pruned"]),
            (&162.into(), &8.into())
        );
    }
    for transfer in report["transfer"].as_array().unwrap() {
        assert!(transfer["regret"].is_number(), "{transfer}");
    }
    let page = std::fs::read_to_string(directory.path().join("out/report.html")).unwrap();
    assert!(page.contains("<h2>What was pruned</h2>"));
    let export = mup2(&["export", "out", "--csv"], directory.path());
    assert!(export.status.success(), "{}", stderr(&export));
    let runs = std::fs::read_to_string(directory.path().join("out/runs.csv")).unwrap();
    let results = result_files(&directory.path().join("out")).len();
    // Some specs hold no line break, so a line is a row.
    assert_eq!(runs.lines().count(), 1 + results);
}

#[test]
fn two_processes_killed_again_and_again_end_with_the_results_of_an_undisturbed_one() {
    // Long enough that no process is done before it is killed.
    let sweep = HALVING.replace("train_limit = 500", "train_limit = 1500");
    let directory = workspace(&sweep);
    assert!(run_sweep(directory.path(), "calm", &[]).status.success());
    let mut children = [
        start(directory.path(), "out"),
        start(directory.path(), "out"),
    ];
    let mut kills = 0;
    for round in 0..6 {
        std::thread::sleep(Duration::from_millis(120 + 60 * round));
        let child = &mut children[round as usize % 2];
        if child.try_wait().unwrap().is_none() {
            // SIGKILL: no handler runs.
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
        *child = start(directory.path(), "out");
    }
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert!(kills > 0, "the search was always faster than its killer");
    let out = directory.path().join("out");
    for entry in std::fs::read_dir(out.join("runs")).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with('.') {
            std::fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    let calm = result_files(&directory.path().join("calm"));
    assert!(result_files(&out) == calm, "the results differ");
    let again = run_sweep(directory.path(), "out", &[]);
    assert!(
        stderr(&again).contains("0 runs trained"),
        "{}",
        stderr(&again)
    );
    assert_eq!(checkpoints(&out), 0);
    let of = |out| report(directory.path(), out)["halving"].clone();
    assert_eq!(of("out"), of("calm"));
}

#[test]
fn plan_and_status_say_what_is_known_and_what_is_to_be_expected() {
    let directory = workspace(HALVING);
    let plan = |more: &[&str]| {
        let output = mup2(
            &[&["sweep", "plan", "sweep.toml"], more].concat(),
            directory.path(),
        );
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        (stdout(&output).lines().count(), stderr(&output))
    };
    let (runs, later) = plan(&["--out", "out"]);
    assert_eq!(runs, 90);
    assert_eq!(
        later.trim(),
        "results decide which follow: 30 runs of 3 epochs, 10 runs of 9 epochs, at most 4 of the \
         narrowest widths' best points at the other widths"
    );
    // One run of the first rung alone: all the others are missing, decided or not.
    let id = &stdout(&mup2(&["sweep", "plan", "sweep.toml"], directory.path()))[..16];
    let part = run_sweep(directory.path(), "out", &["--only", id]);
    assert!(
        stderr(&part).contains("1 runs trained"),
        "{}",
        stderr(&part)
    );
    let status = || -> Value {
        let output = mup2(
            &["sweep", "status", "out", "--format", "json"],
            directory.path(),
        );
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let before = status();
    assert_eq!(
        (&before["total"], &before["missing"]),
        (&130.into(), &129.into())
    );
    assert_eq!(
        (&before["undecided"], &before["carried_at_most"]),
        (&40.into(), &4.into())
    );
    let table = stdout(&mup2(&["sweep", "status", "out"], directory.path()));
    assert!(
        table.contains("of the missing, 40 are in rungs still to be decided"),
        "{table}"
    );
    run_sweep(directory.path(), "out", &[]);
    let after = status();
    assert_eq!(
        (&after["missing"], &after["undecided"]),
        (&0.into(), &Value::Null)
    );
    let total = after["total"].as_u64().unwrap();
    assert!((130..=134).contains(&total), "{total}");
    let (runs, later) = plan(&["--out", "out"]);
    assert_eq!(
        (runs as u64, later.trim()),
        (total, "nothing is left to decide")
    );
}

#[test]
fn a_rung_made_again_has_the_same_bits_and_changes_nothing_else() {
    let directory = workspace(HALVING);
    run_sweep(directory.path(), "out", &[]);
    let out = directory.path().join("out");
    let before = result_files(&out);
    let promoted = before.iter().find(|(_, file)| epochs(file) == 3).unwrap().0;
    let again = run_sweep(directory.path(), "out", &["--rerun", promoted]);
    assert!(
        stderr(&again).contains("1 runs trained"),
        "{}",
        stderr(&again)
    );
    assert_eq!(result_files(&out), before);
    assert_eq!(checkpoints(&out), 0);
}

#[test]
fn a_search_by_halving_has_no_parts_and_no_list_of_commands() {
    let directory = workspace(HALVING);
    let allowed = "several processes of `mup2 sweep run` on the same --out";
    for arguments in [
        &[
            "sweep",
            "run",
            "sweep.toml",
            "--out",
            "out",
            "--shard",
            "1/2",
        ][..],
        &["sweep", "plan", "sweep.toml", "--shard", "1/2"],
        &["sweep", "commands", "sweep.toml", "--out", "out"],
        &[
            "sweep",
            "submit",
            "sweep.toml",
            "--out",
            "out",
            "--slurm",
            "--dry-run",
            "--shards",
            "2",
        ],
    ] {
        let output = mup2(arguments, directory.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = stderr(&output);
        assert!(
            said.contains(allowed) && said.lines().count() == 1,
            "{said}"
        );
    }
    assert!(!directory.path().join("out").exists());
    let submit = [
        "sweep",
        "submit",
        "sweep.toml",
        "--out",
        "out",
        "--slurm",
        "--dry-run",
    ];
    let output = mup2(&submit, directory.path());
    assert!(
        stdout(&output).contains("--array=1-8'"),
        "{}",
        stdout(&output)
    );
    let job = std::fs::read_to_string(directory.path().join("out/slurm/job.sh")).unwrap();
    assert!(
        job.contains(" sweep run ") && !job.contains("--shard"),
        "{job}"
    );
    let output = mup2(&[&submit[..], &["--tasks", "3"]].concat(), directory.path());
    assert!(
        stdout(&output).contains("--array=1-3'"),
        "{}",
        stdout(&output)
    );
    let sobol = [
        &submit[..],
        &["--tasks", "3", "--set", "search.method=sobol"],
    ]
    .concat();
    let output = mup2(&sobol, directory.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--shards"), "{}", stderr(&output));
}
