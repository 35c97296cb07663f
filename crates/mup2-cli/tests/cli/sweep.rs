//! Large sweeps: plans, parts, several processes on one directory, status.

use crate::{TINY, mup2, result_files, run_sweep, stderr, stdout, workspace};
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn plan(directory: &Path, more: &[&str]) -> Vec<String> {
    let output = mup2(
        &[&["sweep", "plan", "sweep.toml"], more].concat(),
        directory,
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).lines().map(str::to_owned).collect()
}

fn ids(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| &line[..16]).collect()
}

fn status(directory: &Path, out: &str) -> Value {
    let output = mup2(&["sweep", "status", out, "--format", "json"], directory);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_plan_has_one_line_a_run_and_the_most_expensive_first() {
    let directory = workspace(TINY);
    let lines = plan(directory.path(), &["--format", "json"]);
    let runs: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(runs.len(), 32);
    let costs: Vec<f64> = runs
        .iter()
        .map(|run| run["cost"].as_f64().unwrap())
        .collect();
    assert!(costs.is_sorted_by(|a, b| a >= b) && costs[0] > costs[31]);
    assert_eq!(costs[31], 1.0);
    let distinct: HashSet<&Value> = runs.iter().map(|run| &run["id"]).collect();
    assert_eq!(distinct.len(), 32);
}

#[test]
fn the_parts_of_a_sweep_are_disjoint_and_make_the_whole() {
    let directory = workspace(TINY);
    let whole = plan(directory.path(), &[]);
    let mut dealt = Vec::new();
    for part in ["1/3", "2/3", "3/3"] {
        dealt.extend(plan(directory.path(), &["--shard", part]));
    }
    assert_eq!(dealt.len(), whole.len());
    let dealt: HashSet<&str> = ids(&dealt).into_iter().collect();
    assert_eq!(dealt, ids(&whole).into_iter().collect());
    for wrong in ["0/3", "4/3", "1", "a/b"] {
        let output = mup2(
            &["sweep", "plan", "sweep.toml", "--shard", wrong],
            directory.path(),
        );
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn parts_run_one_after_the_other_end_with_the_results_of_the_whole() {
    let directory = workspace(TINY);
    run_sweep(directory.path(), "whole", &[]);
    for part in ["2/2", "1/2"] {
        let output = run_sweep(directory.path(), "parts", &["--shard", part]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).is_empty(), "a part has no report");
    }
    let parts = result_files(&directory.path().join("parts"));
    assert_eq!(parts, result_files(&directory.path().join("whole")));
    assert_eq!(status(directory.path(), "parts")["missing"], 0);
}

#[test]
fn gnu_parallel_or_a_shell_can_run_the_lines_of_sweep_commands() {
    let directory = workspace(TINY);
    run_sweep(directory.path(), "whole", &[]);
    run_sweep(directory.path(), "out", &["--shard", "1/4"]);
    let commands = ["sweep", "commands", "sweep.toml", "--out", "out"];
    let lines = stdout(&mup2(&commands, directory.path()));
    assert_eq!(
        lines.lines().count(),
        24,
        "those of the first part are done"
    );
    // CI installs GNU parallel; a shell runs the same lines one by one.
    let has_parallel = Command::new("parallel").arg("--version").output().is_ok();
    let mut shell = match has_parallel {
        true => Command::new("parallel"),
        false => Command::new("sh"),
    };
    let mut child = shell
        .args(if has_parallel { &["-j", "2"][..] } else { &[] })
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    use std::io::Write;
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
    let out = result_files(&directory.path().join("out"));
    assert_eq!(out, result_files(&directory.path().join("whole")));
    assert!(stdout(&mup2(&commands, directory.path())).is_empty());
}

#[test]
fn only_what_is_asked_for_is_run_again_and_to_the_same_bits() {
    let directory = workspace(&TINY.replace("[0.0625, 0.25]", "[0.0625, 1e30]"));
    let out = directory.path().join("out");
    run_sweep(directory.path(), "out", &[]);
    let before = result_files(&out);
    let diverged = status(directory.path(), "out")["diverged"]
        .as_u64()
        .unwrap();
    assert!(diverged > 0);
    let again = run_sweep(directory.path(), "out", &["--rerun", "diverged"]);
    let said = stderr(&again);
    assert!(said.contains(&format!("{diverged} runs trained")), "{said}");
    let id = before.keys().next().unwrap();
    let again = run_sweep(directory.path(), "out", &["--rerun", id]);
    assert!(
        stderr(&again).contains("1 runs trained"),
        "{}",
        stderr(&again)
    );
    assert_eq!(result_files(&out), before);
    let unknown = run_sweep(directory.path(), "out", &["--rerun", "0123456789abcdef"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        stderr(&unknown).contains("is no run of sweep"),
        "{}",
        stderr(&unknown)
    );
}

#[test]
fn the_status_counts_what_is_published_and_what_is_not() {
    let directory = workspace(&TINY.replace("[0.0625, 0.25]", "[0.0625, 1e30]"));
    run_sweep(directory.path(), "out", &["--shard", "1/2"]);
    let status = status(directory.path(), "out");
    let count = |key: &str| status[key].as_u64().unwrap();
    assert_eq!(count("total"), 32);
    assert_eq!(count("missing"), 16);
    assert_eq!(count("done") + count("diverged"), 16);
    assert!(count("diverged") > 0);
    let table = stdout(&mup2(&["sweep", "status", "out"], directory.path()));
    assert!(
        table.starts_with("tiny: 16 of 32 runs settled (50.0 %)"),
        "{table}"
    );
}

/// 200 runs, some of them diverging.
const STORM: &str = r#"
name = "storm"
[grid]
scheme = ["mup2"]
width = [8, 16]
lr = [0.03, 0.05, 0.1, 0.2, 1e30]
rho = [0.05, 0.1, 0.2, 0.4]
seed = [0, 1, 2, 3, 4]
[run.data]
train_limit = 400
average_pool = 4
[run.model]
base_width = 8
[run.train]
epochs = 2
"#;

/// A process that works on `sweep.toml` with two workers, to be killed.
pub fn start(directory: &Path, out: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mup2"))
        .args(["sweep", "run", "sweep.toml", "--out", out, "--workers", "2"])
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_sweep_of_200_runs_survives_kills_of_its_processes_bit_for_bit() {
    const KILLS: usize = 20;
    let directory = workspace(STORM);
    assert!(run_sweep(directory.path(), "calm", &[]).status.success());
    let calm = result_files(&directory.path().join("calm"));
    assert_eq!(calm.len(), 200);
    // Two processes on one directory; now one dies, now the other. A simple generator will do: what
    // matters is that the moments differ.
    let mut children = [
        start(directory.path(), "out"),
        start(directory.path(), "out"),
    ];
    let (mut kills, mut random) = (0, 12345_u64);
    while kills < KILLS {
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        std::thread::sleep(Duration::from_millis(20 + (random >> 33) % 100));
        let victim = (random >> 60) as usize % 2;
        if children[victim].try_wait().unwrap().is_none() {
            // SIGKILL: no handler runs.
            children[victim].kill().unwrap();
            kills += 1;
        } else {
            // The sweep is done: another round, over results that are there, would prove little. Nobody
            // may write while they are removed.
            let other = 1 - victim;
            children[other].kill().unwrap();
            children[other].wait().unwrap();
            std::fs::remove_dir_all(directory.path().join("out/runs")).unwrap();
            children[other] = start(directory.path(), "out");
        }
        children[victim].wait().unwrap();
        children[victim] = start(directory.path(), "out");
    }
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let out = directory.path().join("out");
    let survived = result_files_of_runs(&out);
    assert_eq!(survived.len(), calm.len());
    assert_eq!(survived, calm);
    assert_eq!(status(directory.path(), "out")["running"], 0);
}

/// Without the attempts of killed processes, which are hidden.
fn result_files_of_runs(out: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(out.join("runs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| !name.starts_with('.'))
        .map(|name| {
            let file = out.join("runs").join(&name).join("result.json");
            (name, std::fs::read(file).unwrap())
        })
        .collect()
}

#[test]
fn what_would_be_submitted_can_be_looked_at_without_a_cluster() {
    let directory = workspace(TINY);
    let submit = [
        "sweep",
        "submit",
        "sweep.toml",
        "--out",
        "out's dir",
        "--slurm",
        "--dry-run",
    ];
    let output = mup2(
        &[&submit[..], &["--shards", "4", "--partition", "main"]].concat(),
        directory.path(),
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let calls = stdout(&output);
    assert!(
        calls.contains("--array=1-4") && calls.contains("--signal=B:USR1@60"),
        "{calls}"
    );
    assert!(
        calls.contains("--dependency=afterany:ARRAY_JOB_ID"),
        "{calls}"
    );
    let job = std::fs::read_to_string(directory.path().join("out's dir/slurm/job.sh")).unwrap();
    let checked = Command::new("bash")
        .args(["-n", "-c", &job])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", stderr(&checked));
    // The frozen sweep is the sweep: the same runs.
    let frozen = directory.path().join("out's dir/slurm/sweep.toml");
    let again = mup2(
        &["sweep", "plan", frozen.to_str().unwrap()],
        directory.path(),
    );
    assert_eq!(
        stdout(&again).lines().collect::<Vec<_>>(),
        plan(directory.path(), &[])
    );
    let short = mup2(&[&submit[..], &["--time", "2"]].concat(), directory.path());
    assert_eq!(short.status.code(), Some(2));
    let nothing = mup2(&["sweep", "cancel", "out's dir"], directory.path());
    assert_eq!(nothing.status.code(), Some(2));
    assert!(stderr(&nothing).contains("nothing was submitted"));
}
