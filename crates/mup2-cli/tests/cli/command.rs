//! Sweeps of a command: whatever it does, and whoever is killed when.

use crate::{mup2, result_files, run_sweep, stderr, stdout, workspace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The training of `examples/any-command`, with its `sweep.toml` made shorter.
fn example() -> tempfile::TempDir {
    let sweep = include_str!("../../../../examples/any-command/sweep.toml");
    let directory = workspace(&sweep.replace("--epochs=40", "--epochs=8"));
    let train = include_str!("../../../../examples/any-command/train.py");
    std::fs::write(directory.path().join("train.py"), train).unwrap();
    directory
}

/// A sweep whose command is the text of a shell script, with four values of `{lr}`.
fn shell(script: &str, more: &str) -> tempfile::TempDir {
    let directory = workspace(&format!(
        "name = 'shell'\n[command]\nargv = ['sh', 'script.sh', '{{lr}}']\nmetric = 'acc'\n{more}\n\
         [grid]\nlr = [0.1, 0.2, 0.3, 0.4]\n"
    ));
    std::fs::write(directory.path().join("script.sh"), script).unwrap();
    directory
}

fn start(directory: &Path, workers: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mup2"))
        .args([
            "sweep",
            "run",
            "sweep.toml",
            "--out",
            "out",
            "--workers",
            workers,
        ])
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn status(directory: &Path) -> Value {
    let output = mup2(&["sweep", "status", "out", "--format", "json"], directory);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits for `condition`, half a minute at most.
fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The processes whose ids stand in the file, a line each.
fn alive(file: &Path) -> usize {
    let ids = std::fs::read_to_string(file).unwrap_or_default();
    let is_alive = |id: &&str| {
        let status = std::fs::read_to_string(format!("/proc/{id}/stat"));
        // A process that nobody has waited for is dead all the same.
        status.is_ok_and(|status| !status.contains(") Z "))
    };
    ids.lines().filter(is_alive).count()
}

fn signal(child: &Child, name: &str) {
    let kill = ["-s", name, &child.id().to_string()];
    assert!(Command::new("kill").args(kill).status().unwrap().success());
}

/// The results of complete runs: those of killed processes leave hidden attempts beside them.
fn results(out: &Path) -> BTreeMap<String, Vec<u8>> {
    for entry in std::fs::read_dir(out.join("runs")).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with('.') {
            std::fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    result_files(out)
}

#[test]
fn the_example_is_swept_killed_and_gone_on_with_to_the_same_results() {
    let (calm, killed) = (example(), example());
    let output = run_sweep(calm.path(), "out", &["--workers", "2"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("Transfer of the narrowest width's optimum"));
    let expected = results(&calm.path().join("out"));
    assert_eq!(expected.len(), 48);
    for pause in [300, 700, 500] {
        let mut child = start(killed.path(), "2");
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let output = run_sweep(killed.path(), "out", &["--workers", "2"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(results(&killed.path().join("out")), expected);
    let status = status(killed.path());
    assert_eq!(
        (&status["done"], &status["running"]),
        (&48.into(), &0.into())
    );
    // Nothing is left that only served until a run had its result.
    let checkpoints = std::fs::read_dir(killed.path().join("out/checkpoints"));
    assert_eq!(checkpoints.unwrap().count(), 0);
    let report = mup2(&["report", "out", "--format", "json"], killed.path());
    let report: Value = serde_json::from_str(&stdout(&report)).unwrap();
    assert_eq!(report["selection"], "val_acc");
    assert_eq!(report["cells"].as_array().unwrap().len(), 24);
    let again = run_sweep(killed.path(), "out", &[]);
    assert!(
        stderr(&again).contains("0 runs trained"),
        "{}",
        stderr(&again)
    );
}

#[test]
fn a_command_and_its_children_do_not_outlive_a_killed_program() {
    let directory = shell(
        "echo $$ >> pids\nsleep 600 & echo $! >> pids\nsleep 600\n",
        "",
    );
    let pids = directory.path().join("pids");
    let mut child = start(directory.path(), "2");
    wait_for("two commands with a child each", || alive(&pids) == 4);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the end of the commands", || alive(&pids) == 0);
}

#[test]
fn a_command_that_is_asked_to_end_may_write_a_checkpoint_that_is_there_again() {
    let script = r#"
kept="$MUP2_CHECKPOINTS/steps"
if [ -e "$kept" ]; then echo '{"acc": 0.75}'; exit; fi
trap 'echo 7 > "$kept"; exit 1' TERM
touch started
while :; do sleep 0.05; done
"#;
    let directory = shell(script, "");
    let mut child = start(directory.path(), "4");
    wait_for("a start", || directory.path().join("started").exists());
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(results(&directory.path().join("out")).len(), 0);
    let output = run_sweep(directory.path(), "out", &["--workers", "4"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("4 completed"),
        "{}",
        stderr(&output)
    );
    let left = std::fs::read_dir(directory.path().join("out/checkpoints"));
    assert_eq!(left.unwrap().count(), 0);
}

#[test]
fn gigabytes_of_output_and_children_that_are_left_behind_do_no_harm() {
    let script = r#"
sleep 600 & echo $! >> pids
yes "a line of no interest" | head -c 1500000000
echo
echo '{"acc": 0.5}'
"#;
    let directory = shell(script, "");
    let output = run_sweep(directory.path(), "out", &["--set", "grid.lr=[0.1]"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(alive(&directory.path().join("pids")), 0);
    let logs = std::fs::read_dir(directory.path().join("out/logs")).unwrap();
    let logs: Vec<_> = logs.map(|entry| entry.unwrap()).collect();
    assert_eq!(logs.len(), 1);
    let log = std::fs::read_to_string(logs[0].path()).unwrap();
    assert!(log.len() < 5 << 20, "{}", log.len());
    assert!(log.contains("bytes left out …]\n") && log.ends_with("{\"acc\": 0.5}\n"));
}

#[test]
fn runs_that_fail_say_why_and_are_tried_again() {
    let script = r#"
case $1 in
0.1) echo '{"acc": 0.5}'; echo oh no >&2; exit 3;;
0.2) echo 'no result'; exit;;
0.3) echo '{"acc": NaN}'; exit;;
esac
echo '{"acc": 0.1}'
printf '{"acc": 0.%s}' 9 > "$MUP2_RESULT"
"#;
    let directory = shell(script, "");
    let output = run_sweep(directory.path(), "out", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let state = status(directory.path());
    assert_eq!(
        (&state["done"], &state["diverged"], &state["failed"]),
        (&1.into(), &1.into(), &2.into())
    );
    let failures = state["failures"].as_array().unwrap();
    let reasons: Vec<&str> = failures
        .iter()
        .map(|one| one["reason"].as_str().unwrap())
        .collect();
    let exit = "exit code 3; its log ends: ";
    assert!(
        reasons
            .iter()
            .any(|reason| reason.starts_with(exit) && reason.contains("oh no"))
    );
    let none = "its result is no JSON object (";
    assert!(
        reasons.iter().any(|reason| reason.starts_with(none)),
        "{reasons:?}"
    );
    // The file counts where there is one.
    let results = results(&directory.path().join("out"));
    let accuracies = results.values().filter_map(|bytes| {
        let result: Value = serde_json::from_slice(bytes).unwrap();
        result["metrics"]["acc"].as_f64()
    });
    assert_eq!(accuracies.collect::<Vec<_>>(), [0.9]);
    let mended = script
        .replace("exit 3;;", "exit;;")
        .replace("no result", r#"{"acc": 0.25}"#);
    std::fs::write(directory.path().join("script.sh"), mended).unwrap();
    let output = run_sweep(directory.path(), "out", &[]);
    assert!(
        stderr(&output).contains("2 runs trained"),
        "{}",
        stderr(&output)
    );
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_command_that_takes_too_long_has_failed() {
    let directory = shell("sleep 600 & echo $! >> pids\nwait\n", "timeout = '0.5s'");
    let output = run_sweep(directory.path(), "out", &["--workers", "4"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("failed: took longer than 0.5s"),
        "{}",
        stderr(&output)
    );
    assert_eq!(alive(&directory.path().join("pids")), 0);
}

#[test]
fn each_worker_sees_its_own_gpu() {
    let script = "sleep 0.3; echo \"{\\\"acc\\\": 0.5, \\\"gpu\\\": $CUDA_VISIBLE_DEVICES}\"\n";
    let directory = shell(script, "");
    let output = run_sweep(directory.path(), "out", &["--gpus", "5,7"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("a command, 2 workers"),
        "{}",
        stderr(&output)
    );
    let results = results(&directory.path().join("out"));
    let mut gpus: Vec<u64> = results
        .values()
        .map(|bytes| {
            let result: Value = serde_json::from_slice(bytes).unwrap();
            result["metrics"]["gpu"].as_f64().unwrap() as u64
        })
        .collect();
    gpus.sort_unstable();
    gpus.dedup();
    assert_eq!(gpus, [5, 7]);
}

/// Three points of which one goes on; a run counts the epochs that its checkpoints have seen.
const HALVING: &str = r#"
name = "halving"
[command]
argv = ["sh", "script.sh", "{epochs}", "{lr}", "{rho}"]
metric = "acc"
epochs = 9
[grid]
[search]
method = "halving"
points = 9
include_sgd = false
lr = { log2_from = -6, log2_to = -1 }
rho = { log2_from = -6, log2_to = -1 }
"#;

#[test]
fn the_runs_of_a_halving_go_on_from_the_checkpoints_of_their_rungs() {
    let script = r#"
seen=0
[ ! -e "$MUP2_CHECKPOINTS/seen" ] || seen=$(cat "$MUP2_CHECKPOINTS/seen")
echo "$1" > "$MUP2_CHECKPOINTS/seen"
echo "{\"acc\": $2, \"from\": $seen, \"to\": $1}"
"#;
    let directory = workspace(HALVING);
    std::fs::write(directory.path().join("script.sh"), script).unwrap();
    let output = run_sweep(directory.path(), "out", &["--workers", "3"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let results = results(&directory.path().join("out"));
    let mut steps: Vec<(u64, u64)> = results
        .values()
        .map(|bytes| {
            let result: Value = serde_json::from_slice(bytes).unwrap();
            let number = |name: &str| result["metrics"][name].as_f64().unwrap() as u64;
            (number("from"), number("to"))
        })
        .collect();
    steps.sort_unstable();
    let expected = [vec![(0, 1); 9], vec![(1, 3); 3], vec![(3, 9)]].concat();
    assert_eq!(steps, expected);
    let left = std::fs::read_dir(directory.path().join("out/checkpoints"));
    assert_eq!(left.unwrap().count(), 0);
}

#[test]
fn what_would_be_run_can_be_printed_and_run_by_others() {
    let directory = shell("echo '{\"acc\": 0.5}'\n", "");
    let lines = run_sweep(directory.path(), "out", &["--dry-run"]);
    let lines = stdout(&lines);
    assert_eq!(lines.lines().next(), Some("sh script.sh 0.1"));
    assert!(!directory.path().join("out").exists());
    let commands = ["sweep", "commands", "sweep.toml", "--out", "out"];
    let calls = stdout(&mup2(&commands, directory.path()));
    assert_eq!(calls.lines().count(), 4);
    let shell = Command::new("sh")
        .args(["-c", &calls])
        .current_dir(directory.path())
        .output();
    assert!(shell.unwrap().status.success());
    assert_eq!(status(directory.path())["done"], 4);
    let plan = stdout(&mup2(&["sweep", "plan", "sweep.toml"], directory.path()));
    assert_eq!(plan.lines().count(), 4);
    let submit = [
        "sweep",
        "submit",
        "sweep.toml",
        "--out",
        "jobs",
        "--slurm",
        "--dry-run",
    ];
    let output = mup2(&submit, directory.path());
    assert!(output.status.success(), "{}", stderr(&output));
    let frozen = mup2(
        &["sweep", "plan", "jobs/slurm/sweep.toml"],
        directory.path(),
    );
    assert_eq!(stdout(&frozen), plan);
}

#[test]
fn bad_commands_are_refused_in_one_sentence_before_anything_runs() {
    let refused = |from: &str, to: &str, more: &[&str]| {
        let directory = shell("exit 1\n", "");
        let file = directory.path().join("sweep.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
        let output = run_sweep(directory.path(), "out", more);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(
            !directory.path().join("out").exists(),
            "something was written"
        );
        let message = stderr(&output);
        assert_eq!(message.lines().count(), 1, "{message}");
        message
    };
    insta::assert_snapshot!(refused("{lr}", "{rl}", &[]), @"mup2: sweep.toml: command.argv[2]: holds `{rl}`, which is no axis of the grid; allowed: `{lr}`, and `{{` for a brace");
    insta::assert_snapshot!(refused("'{lr}'", "'1'", &[]), @"mup2: sweep.toml: grid.lr: is not used: `command.argv` has no `{lr}`; allowed: values that `command.argv` names");
    insta::assert_snapshot!(refused("'sh'", "'no-such-program'", &[]), @"mup2: sweep `shell`: command.argv[0]: is `no-such-program`, which is no program here; allowed: a program in PATH, or the path of one from the directory in which mup2 is called");
    insta::assert_snapshot!(refused("metric = 'acc'", "", &[]), @"mup2: sweep.toml: command: missing field `metric`; allowed: see `mup2 spec`");
    insta::assert_snapshot!(refused("name =", "run.seed = 1\nname =", &[]), @"mup2: sweep.toml: command: stands beside `run`; allowed: one of these tables, which says what a run is");
    insta::assert_snapshot!(refused("name", "name", &["--stack", "2"]), @"mup2: --stack: is for the built-in trainer, and this is a sweep of a command; allowed: `--workers`");
    insta::assert_snapshot!(refused("name", "name", &["--device", "vulkan"]), @"mup2: --device vulkan: is for the built-in trainer, and this is a sweep of a command; allowed: `--gpus`, which the commands see");
}

#[test]
fn a_metric_of_which_less_is_better_has_no_report_but_all_else() {
    let directory = shell("echo \"{\\\"acc\\\": $1}\"\n", "direction = 'min'");
    let output = run_sweep(directory.path(), "out", &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("no report: less of `acc` is better"),
        "{said}"
    );
    let report = mup2(&["report", "out"], directory.path());
    assert_eq!(report.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&report), @"mup2: sweep `shell`: compares `acc`, of which less is better; allowed: a report of numbers from 0 to 1 of which more is better; `mup2 export` has all numbers");
    let export = mup2(&["export", "out", "--csv"], directory.path());
    assert!(export.status.success(), "{}", stderr(&export));
    let runs = std::fs::read_to_string(directory.path().join("out/runs.csv")).unwrap();
    assert!(
        runs.lines()
            .next()
            .unwrap()
            .contains(",result.acc,selection,"),
        "{runs}"
    );
}
