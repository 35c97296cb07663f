//! One sentence with the file, the key and what is allowed; exit code 2; nothing half-written.

use crate::{TINY, mup2, run_sweep, stderr, stdout, workspace};
use std::path::Path;
use std::process::Command;

/// The sentence of a refused sweep; asserts the exit code and that no directory was made.
fn refused(sweep: &str) -> String {
    let directory = workspace(sweep);
    let output = run_sweep(directory.path(), "out", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    assert!(
        !directory.path().join("out").exists(),
        "something was written"
    );
    let message = stderr(&output);
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn bad_sweep_files_are_refused_in_one_sentence() {
    insta::assert_snapshot!(refused(&TINY.replace("epochs", "epoch")), @"mup2: sweep.toml: run.train.epoch: unknown field `epoch`; allowed: one of `epochs`, `batch_size`, `micro_batches`, `evaluate_every`, `evaluate_every_steps`, `schedule_epochs`, `start`, `label_smoothing`, `ema_decay`, `recalibrate_batches`");
    insta::assert_snapshot!(refused(&TINY.replace("seed = [0, 1]", "seed = [0, 1]\nseed = [2]")), @"mup2: sweep.toml: line 9: duplicate key; allowed: valid TOML, each key once");
    insta::assert_snapshot!(refused(&TINY.replace("[8, 32]", "[0, 32]")), @"mup2: sweep.toml: grid.width: holds 0; allowed: whole numbers from 1 to 1048576");
    insta::assert_snapshot!(refused(&TINY.replace("lr = [0.0625, 0.25]", "lr = [nan]")), @"mup2: sweep.toml: grid.lr: holds NaN; allowed: finite numbers above 0");
    let billion = "lr = { log2_from = -4, log2_to = 4, log2_step = 0.00000001 }";
    insta::assert_snapshot!(refused(&TINY.replace("lr = [0.0625, 0.25]", billion)), @"mup2: sweep.toml: grid: has 19200000024 runs; allowed: at most 1000000 runs in one sweep");
    insta::assert_snapshot!(refused(&TINY.replace("train_limit = 500", "train_limit = 50000")), @"mup2: data.train_limit: 50000 of 5000 training images; allowed: 1 to 5000");
    insta::assert_snapshot!(refused(&TINY.replace("label_noise = 0.2", "label_noise = 1.5")), @"mup2: sweep.toml: run.data.label_noise: 1.5 is not a fraction; allowed: a number from 0 to 1");
}

#[test]
fn a_missing_file_is_named() {
    let directory = workspace(TINY);
    let output = mup2(
        &["sweep", "run", "absent.toml", "--out", "out"],
        directory.path(),
    );
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output), @"mup2: cannot read `absent.toml`: No such file or directory (os error 2)");
}

#[test]
fn a_batch_larger_than_the_training_set_is_refused_before_anything_is_written() {
    let sweep = TINY.replace("epochs = 2\n", "epochs = 2\nbatch_size = 4096\n");
    insta::assert_snapshot!(refused(&sweep), @"mup2: train.batch_size: 4096 with 500 training images; allowed: 1 to 500");
}

#[test]
fn a_truncated_data_file_is_named() {
    let directory = workspace("");
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    for name in [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ] {
        std::fs::write(data.join(name), [0, 0, 8, 3, 0, 0]).unwrap();
    }
    let sweep = TINY.replace("[run.data]", "[run.data]\ndataset = 'mnist'\npath = 'data'");
    std::fs::write(directory.path().join("sweep.toml"), sweep).unwrap();
    let output = run_sweep(directory.path(), "out", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!directory.path().join("out").exists());
    let message = stderr(&output);
    assert!(message.contains("train-images-idx3-ubyte"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn a_results_directory_of_another_sweep_is_refused_and_left_as_it_is() {
    let directory = workspace(TINY);
    run_sweep(directory.path(), "out", &["--set", "grid.seed=[0]"]);
    let manifest = std::fs::read(directory.path().join("out/sweep.json")).unwrap();
    let output = run_sweep(directory.path(), "out", &["--set", "name=other"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output), @"mup2: out: holds the results of sweep `tiny`; allowed: a new directory, or one of sweep `other`");
    assert_eq!(
        std::fs::read(directory.path().join("out/sweep.json")).unwrap(),
        manifest
    );
}

#[test]
fn a_path_below_a_file_cannot_be_written_and_is_named() {
    let directory = workspace(TINY);
    let output = run_sweep(directory.path(), "sweep.toml/out", &[]);
    assert_eq!(output.status.code(), Some(2));
    let message = stderr(&output);
    assert!(
        message.contains("cannot create `sweep.toml/out`"),
        "{message}"
    );
}

#[test]
fn a_result_file_in_a_directory_that_does_not_exist_is_refused_before_training() {
    let directory = workspace("");
    std::fs::write(directory.path().join("run.toml"), "").unwrap();
    let output = mup2(
        &["train", "run.toml", "--out", "absent/result.json"],
        directory.path(),
    );
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output), @"mup2: --out absent/result.json: `absent` is not a directory; allowed: a file in a directory that exists");
}

#[test]
fn reporting_a_directory_without_a_sweep_is_refused() {
    let directory = workspace(TINY);
    let output = mup2(&["report", "."], directory.path());
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output), @"mup2: .: has no `sweep.json`; allowed: a directory made by `mup2 sweep run` or `mup2 quickstart`");
}

/// Mounts a file system of `size` bytes; `None` where mounting is not allowed (not root).
fn small_disk(path: &Path, size: &str) -> Option<Mounted> {
    std::fs::create_dir(path).unwrap();
    let options = format!("size={size}");
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &options, "none"])
        .arg(path)
        .output();
    mount
        .ok()?
        .status
        .success()
        .then(|| Mounted(path.to_path_buf()))
}

struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_ends_the_sweep_in_one_sentence_and_loses_no_published_result() {
    let directory = workspace(TINY);
    let disk = directory.path().join("disk");
    let Some(_mounted) = small_disk(&disk, "64k") else {
        eprintln!("skipped: mounting a small file system needs root");
        return;
    };
    let output = run_sweep(directory.path(), "disk/out", &["--workers", "1"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains("No space left on device"), "{message}");
    assert!(run_sweep(directory.path(), "whole", &[]).status.success());
    let whole = crate::result_files(&directory.path().join("whole"));
    let kept = crate::result_files(&disk.join("out"));
    assert!(
        !kept.is_empty() && kept.len() < whole.len(),
        "{} results",
        kept.len()
    );
    assert!(kept.iter().all(|(id, bytes)| whole.get(id) == Some(bytes)));
}
