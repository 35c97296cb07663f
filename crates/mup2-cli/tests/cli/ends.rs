//! How a training ends: signals, terminals that are gone, outputs that cannot be written.

use crate::{mup2, stderr, stdout};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const RUN: &str = "[data]\ntrain_limit = 640\naverage_pool = 7\n[model]\nwidth = 8\n\
                   base_width = 8\n[train]\nepochs = 2\n";

fn workspace() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("run.toml"), RUN).unwrap();
    directory
}

/// `script` with the program as `$MUP2`.
fn shell(script: &str, directory: &Path) -> Output {
    Command::new("sh")
        .args(["-c", script])
        .env("MUP2", env!("CARGO_BIN_EXE_mup2"))
        .current_dir(directory)
        .output()
        .unwrap()
}

/// A training that does not end by itself, once it has trained an epoch.
fn endless(directory: &Path, more: &[&str]) -> Child {
    let log = std::fs::File::create(directory.join("log")).unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$MUP2\" \"$@\"", "sh"])
        .args(["train", "run.toml", "--set", "train.epochs=100000"])
        .args(more)
        .env("MUP2", env!("CARGO_BIN_EXE_mup2"))
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    let has_begun = || {
        std::fs::read_to_string(directory.join("log"))
            .unwrap()
            .contains("epoch")
    };
    while !has_begun() && Instant::now() < patience {
        assert!(child.try_wait().unwrap().is_none(), "ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_signal_that_was_ignored_from_outside_stays_ignored() {
    let directory = workspace();
    let mut child = endless(directory.path(), &[]);
    signal(&child, "-HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "SIGHUP has ended it");
    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn an_interrupted_training_says_what_is_left_of_it() {
    let directory = workspace();
    let said = |more: &[&str]| {
        let mut child = endless(directory.path(), more);
        signal(&child, "-INT");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        std::fs::read_to_string(directory.path().join("log")).unwrap()
    };
    let without = said(&[]);
    assert!(without.contains("no checkpoint was asked for"), "{without}");
    assert!(!without.contains("kept"), "{without}");
    let with = said(&["--checkpoints", "ck", "--checkpoint-every", "0"]);
    assert!(with.contains("--checkpoints ck --resume"), "{with}");
    let none = said(&["--checkpoints", "later", "--checkpoint-every", "100000"]);
    // Interrupted after more than a second of work there is one, else none.
    let exists = std::fs::read_dir(directory.path().join("later"))
        .unwrap()
        .count()
        > 0;
    assert_eq!(none.contains("--resume"), exists, "{none}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_is_full_or_gone_does_not_end_a_training() {
    let directory = workspace();
    for (place, script) in [
        (
            "full",
            "\"$MUP2\" train run.toml --out full.json 2>/dev/full",
        ),
        ("closed", "\"$MUP2\" train run.toml --out closed.json 2>&-"),
        (
            "gone",
            "(\"$MUP2\" train run.toml --out gone.json; echo $? > code) 2>&1 | head -1",
        ),
        (
            "both",
            "\"$MUP2\" train run.toml --out both.json >/dev/full 2>/dev/full; echo $?",
        ),
    ] {
        let output = shell(script, directory.path());
        let file = directory.path().join(format!("{place}.json"));
        assert!(file.exists(), "{place}: {output:?}");
        match place {
            "gone" => {
                let code = std::fs::read_to_string(directory.path().join("code")).unwrap();
                assert_eq!(code, "0\n");
            }
            // The result could not be printed, which is said by the code alone.
            "both" => assert_eq!(stdout(&output), "2\n"),
            _ => assert_eq!(output.status.code(), Some(0), "{place}: {output:?}"),
        }
    }
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_the_first_step() {
    let directory = workspace();
    std::fs::create_dir(directory.path().join("d")).unwrap();
    for (flag, value) in [
        ("--out", "d"),
        ("--out", "no/such/result.json"),
        ("--weights", "run.toml"),
        ("--tensorboard", "run.toml"),
        ("--checkpoints", "run.toml"),
        ("--checkpoints", "run.toml/ck"),
    ] {
        let output = mup2(&["train", "run.toml", flag, value], directory.path());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{flag} {value}: {said}");
        assert!(!said.contains("epoch"), "{flag} {value}: {said}");
        assert!(said.contains(value.split('/').next().unwrap()), "{said}");
    }
    assert_eq!(
        std::fs::read_to_string(directory.path().join("run.toml")).unwrap(),
        RUN
    );
}

#[cfg(unix)]
#[test]
fn a_result_that_cannot_be_filed_is_printed_and_its_checkpoint_stays() {
    let directory = workspace();
    std::fs::create_dir(directory.path().join("out")).unwrap();
    // The directory goes away while the training is on.
    let script = "\"$MUP2\" train run.toml --out out/r.json --checkpoints ck \
                  --set train.epochs=20 2>log & \
                  while ! grep -q epoch log; do sleep 0.02; done; rm -r out; wait $!; echo $?";
    let output = shell(script, directory.path());
    let printed = stdout(&output);
    assert!(printed.ends_with("2\n"), "{output:?}");
    assert!(
        printed.contains("epoch  20") && printed.contains("\"test_accuracy\""),
        "{printed}"
    );
    std::fs::create_dir(directory.path().join("out")).unwrap();
    let again = [
        "train",
        "run.toml",
        "--out",
        "out/r.json",
        "--checkpoints",
        "ck",
        "--resume",
    ];
    let again = mup2(
        &[&again[..], &["--set", "train.epochs=20"]].concat(),
        directory.path(),
    );
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(
        stderr(&again).contains("resumed after step 200"),
        "{}",
        stderr(&again)
    );
    assert!(directory.path().join("out/r.json").exists());
}
