//! Same spec, same bits: whatever the workers, whatever is killed when.

use crate::{TINY, mup2, result_files, run_sweep, stderr, workspace};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn results_do_not_depend_on_the_number_of_workers() {
    let directory = workspace(TINY);
    assert!(
        run_sweep(directory.path(), "one", &["--workers", "1"])
            .status
            .success()
    );
    assert!(
        run_sweep(directory.path(), "three", &["--workers", "3"])
            .status
            .success()
    );
    let one = result_files(&directory.path().join("one"));
    assert_eq!(one, result_files(&directory.path().join("three")));
    // 2 lr × 2 seeds × (3 ρ at the base width, shared; 1 + 2 × 2 at the other).
    assert_eq!(one.len(), 4 * (3 + 5));
}

#[test]
fn a_sweep_killed_again_and_again_ends_with_the_results_of_an_undisturbed_one() {
    let directory = workspace(TINY);
    assert!(run_sweep(directory.path(), "calm", &[]).status.success());
    let calm = result_files(&directory.path().join("calm"));
    let mut kills = 0;
    for delay in 1..=12 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mup2"))
            .args([
                "sweep",
                "run",
                "sweep.toml",
                "--out",
                "killed",
                "--workers",
                "2",
            ])
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(60 + 17 * delay));
        if child.try_wait().unwrap().is_none() {
            // SIGKILL: no handler runs.
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    let last = run_sweep(directory.path(), "killed", &[]);
    assert!(last.status.success(), "{}", stderr(&last));
    assert!(kills > 0, "the sweep was always faster than its killer");
    let mut survived = result_files_without_attempts(&directory.path().join("killed"));
    assert_eq!(survived.len(), calm.len());
    survived.retain(|id, bytes| calm.get(id) != Some(bytes));
    assert!(survived.is_empty(), "these differ: {:?}", survived.keys());
}

/// A killed process may leave a hidden attempt, which is no result.
fn result_files_without_attempts(
    out: &std::path::Path,
) -> std::collections::BTreeMap<String, Vec<u8>> {
    for entry in std::fs::read_dir(out.join("runs")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with(".attempt-") {
            std::fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    result_files(out)
}

#[test]
fn an_interrupted_sweep_says_how_to_go_on_and_keeps_what_is_done() {
    let directory = workspace(&TINY.replace("epochs = 2\n", "epochs = 400\n"));
    let child = Command::new(env!("CARGO_BIN_EXE_mup2"))
        .args(["sweep", "run", "sweep.toml", "--out", "out"])
        .current_dir(directory.path())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let message = stderr(&output);
    assert!(
        message.contains("run the same command again to go on"),
        "{message}"
    );
}

#[test]
fn a_finished_sweep_trains_nothing_and_an_extended_grid_only_what_is_new() {
    let directory = workspace(TINY);
    run_sweep(directory.path(), "out", &[]);
    let before = result_files(&directory.path().join("out"));
    let again = run_sweep(directory.path(), "out", &[]);
    assert!(
        stderr(&again).contains("0 runs trained"),
        "{}",
        stderr(&again)
    );
    let more = run_sweep(directory.path(), "out", &["--set", "grid.seed=[0,1,2]"]);
    assert!(
        stderr(&more).contains("16 runs trained"),
        "{}",
        stderr(&more)
    );
    let after = result_files(&directory.path().join("out"));
    assert!(
        before
            .iter()
            .all(|(id, bytes)| after.get(id) == Some(bytes))
    );
}

#[test]
fn a_torn_result_is_trained_again() {
    let directory = workspace(TINY);
    run_sweep(directory.path(), "out", &[]);
    let out = directory.path().join("out");
    let before = result_files(&out);
    let (id, bytes) = before.first_key_value().unwrap();
    let path = out.join("runs").join(id).join("result.json");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let again = run_sweep(directory.path(), "out", &[]);
    assert!(
        stderr(&again).contains("1 runs trained"),
        "{}",
        stderr(&again)
    );
    assert_eq!(result_files(&out), before);
}

#[test]
fn training_the_same_run_twice_gives_the_same_file() {
    let directory = workspace(TINY);
    let spec = mup2(&["spec", "run"], directory.path());
    std::fs::write(directory.path().join("run.toml"), spec.stdout).unwrap();
    for out in ["first.json", "second.json"] {
        let overrides = ["data.train_limit=300", "train.epochs=2", "model.width=48"];
        let mut arguments = vec!["train", "run.toml", "--out", out];
        overrides
            .iter()
            .for_each(|set| arguments.extend(["--set", set]));
        let output = mup2(&arguments, directory.path());
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let read = |name| std::fs::read(directory.path().join(name)).unwrap();
    assert_eq!(read("first.json"), read("second.json"));
}

#[test]
fn a_run_shared_by_two_scalings_is_the_same_bits_under_either() {
    let directory = workspace("");
    let spec =
        "[data]\ntrain_limit = 500\n[model]\nbase_width = 8\nwidth = 128\n[train]\nepochs = 2";
    std::fs::write(directory.path().join("run.toml"), spec).unwrap();
    let epochs = |perturbation: &str, rho: &str| {
        let (scaling, radius) = (
            format!("scaling.perturbation={perturbation}"),
            format!("sam.rho={rho}"),
        );
        let arguments = [
            "train", "run.toml", "--out", "out.json", "--set", &scaling, "--set", &radius,
        ];
        assert!(mup2(&arguments, directory.path()).status.success());
        let text = std::fs::read(directory.path().join("out.json")).unwrap();
        let result: serde_json::Value = serde_json::from_slice(&text).unwrap();
        (result["id"].clone(), result["epochs"].clone())
    };
    assert_eq!(epochs("global", "0.5"), epochs("naive", "0.125"));
    assert_ne!(epochs("global", "0.5").1, epochs("naive", "0.5").1);
}

#[test]
fn a_training_killed_in_the_middle_resumes_to_the_same_file() {
    let directory = tempfile::tempdir().unwrap();
    let spec = "[data]\ntrain_limit = 640\naverage_pool = 4\n[model]\nwidth = 64\nbase_width = 32\n\
                [train]\nepochs = 40\nevaluate_every = 10\n[optimizer]\nmomentum = 0.9\n";
    std::fs::write(directory.path().join("run.toml"), spec).unwrap();
    let whole = mup2(
        &["train", "run.toml", "--out", "whole.json"],
        directory.path(),
    );
    assert_eq!(whole.status.code(), Some(0), "{}", stderr(&whole));
    let resume = [
        "train",
        "run.toml",
        "--checkpoints",
        "kept",
        "--checkpoint-every",
        "0",
    ];
    let kept = directory.path().join("kept");
    let ends_with = |ending: &str| {
        let entries = std::fs::read_dir(&kept).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name());
        names.any(|name| name.to_string_lossy().ends_with(ending))
    };
    let is_kept = || ends_with("-last.safetensors");
    let mut kills = 0;
    for _ in 0..3 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mup2"))
            .args(resume)
            .arg("--resume")
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // On a busy machine the first step may take long to come.
        let patience = Instant::now() + Duration::from_secs(60);
        while !is_kept() && child.try_wait().unwrap().is_none() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(100));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    // A kill between the two renames of a checkpoint leaves the one before it.
    let kept = is_kept() || ends_with("-previous.safetensors");
    assert!(kills > 0 && kept, "{kills} kills");
    let arguments = [&resume[..], &["--resume", "--out", "pieces.json"]].concat();
    let last = mup2(&arguments, directory.path());
    assert_eq!(last.status.code(), Some(0), "{}", stderr(&last));
    assert!(
        stderr(&last).contains("resumed after step "),
        "{}",
        stderr(&last)
    );
    let read = |name| std::fs::read(directory.path().join(name)).unwrap();
    assert_eq!(read("pieces.json"), read("whole.json"));
}

/// A run of a moment, for what happens around it.
const SHORT: &str = "[data]\ntrain_limit = 640\naverage_pool = 7\n[model]\nwidth = 8\n\
                     base_width = 8\n[train]\nepochs = 2\n";

/// All files of a directory, by name.
fn files(directory: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let files = entries.map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    });
    files.collect()
}

#[test]
fn another_run_in_the_directory_of_checkpoints_leaves_those_of_the_first_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("run.toml"), SHORT).unwrap();
    let train = |more: &[&str]| {
        let same = ["train", "run.toml", "--checkpoints", "kept"];
        let output = mup2(&[&same, more].concat(), directory.path());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stderr(&output)
    };
    train(&["--set", "train.epochs=3", "--checkpoint-every", "0"]);
    let first = files(&directory.path().join("kept"));
    assert!(
        !first.is_empty(),
        "a finished run keeps its last checkpoint"
    );
    // By a slip in one value; more often than there are checkpoints to rotate.
    for epochs in ["0", "3600"] {
        let slip = ["--set", "optimizer.lr=0.05", "--checkpoint-every", epochs];
        train(&slip);
    }
    let said = train(&["--resume", "--set", "optimizer.lr=0.06"]);
    assert!(
        said.contains("trained from the start: kept has no checkpoint of this run"),
        "{said}"
    );
    let after = files(&directory.path().join("kept"));
    assert!(
        first
            .iter()
            .all(|(name, bytes)| after.get(name) == Some(bytes))
    );
    let said = train(&["--resume", "--set", "train.epochs=3"]);
    assert!(said.contains("resumed after step 30"), "{said}");
}

#[test]
fn weights_and_checkpoints_share_a_directory_and_weights_of_another_run_stay() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("run.toml"), SHORT).unwrap();
    let both = [
        "train",
        "run.toml",
        "--weights",
        "kept",
        "--checkpoints",
        "kept",
    ];
    let output = mup2(&both, directory.path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let first = files(&directory.path().join("kept"));
    assert_eq!(first.len(), 3, "{:?}", first.keys());
    let again = mup2(&[&both[..], &["--resume"]].concat(), directory.path());
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(files(&directory.path().join("kept")), first);
    let other = mup2(
        &[&both[..], &["--set", "seed=7"]].concat(),
        directory.path(),
    );
    assert_eq!(other.status.code(), Some(2), "{}", stderr(&other));
    let said = stderr(&other);
    assert!(
        said.contains("best.safetensors: has the weights of run "),
        "{said}"
    );
    assert_eq!(files(&directory.path().join("kept")), first);
    // A file of the user's own.
    std::fs::create_dir(directory.path().join("mine")).unwrap();
    std::fs::write(directory.path().join("mine/last.safetensors"), b"mine").unwrap();
    let output = mup2(
        &["train", "run.toml", "--weights", "mine"],
        directory.path(),
    );
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(
        files(&directory.path().join("mine"))["last.safetensors"],
        b"mine"
    );
}

#[test]
fn a_finished_run_is_trained_longer_where_the_schedules_allow_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("run.toml"), SHORT).unwrap();
    let train = |more: &[&str]| {
        let output = mup2(&[&["train", "run.toml"], more].concat(), directory.path());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stderr(&output)
    };
    let kept = ["--checkpoints", "kept", "--weights", "weights"];
    train(&kept);
    let longer = ["--set", "train.epochs=5", "--out", "longer.json"];
    let said = train(&[&kept[..], &["--resume"], &longer].concat());
    assert!(said.contains("went on after step 20"), "{said}");
    assert!(
        !said.contains("epoch   2") && said.contains("epoch   3"),
        "{said}"
    );
    train(&["--set", "train.epochs=5", "--out", "whole.json"]);
    let read = |name| std::fs::read(directory.path().join(name)).unwrap();
    assert_eq!(read("longer.json"), read("whole.json"));
    let cosine = ["--set", "optimizer.schedule=cosine"];
    train(&[&kept[..2], &cosine].concat());
    let said = train(
        &[
            &kept[..2],
            &cosine,
            &["--resume", "--set", "train.epochs=5"],
        ]
        .concat(),
    );
    assert!(
        said.contains("schedules of learning rate and radius depend"),
        "{said}"
    );
}

#[test]
fn two_runs_killed_again_and_again_in_one_directory_both_end_as_undisturbed_ones() {
    let directory = tempfile::tempdir().unwrap();
    let spec = SHORT.replace("epochs = 2", "epochs = 60\nevaluate_every = 20");
    std::fs::write(directory.path().join("run.toml"), spec).unwrap();
    let seeds = ["seed=1", "seed=2"];
    let of = |seed: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mup2"));
        command
            .args(["train", "run.toml", "--set", seed])
            .args(more)
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    for seed in seeds {
        let out = format!("whole-{seed}.json");
        assert!(of(seed, &["--out", &out]).status().unwrap().success());
    }
    let kept = [
        "--checkpoints",
        "kept",
        "--checkpoint-every",
        "0",
        "--resume",
    ];
    let mut kills = 0;
    for round in 0..6 {
        let mut children = seeds.map(|seed| of(seed, &kept).spawn().unwrap());
        std::thread::sleep(Duration::from_millis(150 + 40 * round));
        for child in &mut children {
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                kills += 1;
            }
            child.wait().unwrap();
        }
    }
    assert!(
        kills > 0,
        "the trainings were always faster than their killer"
    );
    for seed in seeds {
        let out = format!("pieces-{seed}.json");
        let last = of(seed, &[&kept[..], &["--out", &out]].concat())
            .status()
            .unwrap();
        assert!(last.success());
        let read = |name: &str| {
            std::fs::read(directory.path().join(format!("{name}-{seed}.json"))).unwrap()
        };
        assert_eq!(read("pieces"), read("whole"));
    }
}
