//! `mup2 train` under a launcher of several processes, without MPI; with it, `scripts/mpi/test_several_processes`.

use crate::stderr;
use std::path::Path;
use std::process::{Command, Output};

const RUN: &str = "[data]\ntrain_limit = 100\naverage_pool = 7\n[model]\nwidth = 8\nbase_width = 8\n\
                   [train]\nepochs = 1\n";

/// Trains as a process that was told `variable` = `value`.
fn train(directory: &Path, variable: &str, value: &str, more: &[&str]) -> Output {
    std::fs::write(directory.join("run.toml"), RUN).unwrap();
    Command::new(env!("CARGO_BIN_EXE_mup2"))
        .args(["train", "run.toml", "--out", "out.json"])
        .args(more)
        .current_dir(directory)
        .env(variable, value)
        .output()
        .unwrap()
}

#[test]
fn a_training_that_was_started_several_times_is_refused_and_says_how_to_train_once() {
    let directory = tempfile::tempdir().unwrap();
    for variable in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"] {
        let output = train(directory.path(), variable, "3", &[]);
        assert_eq!(output.status.code(), Some(2));
        let expected = format!(
            "mup2: {variable}: says that this training was started 3 times; allowed: `--mpi`, to \
             train once in 3 processes, or no such variable, to train 3 times\n"
        );
        assert_eq!(stderr(&output), expected);
        assert!(!directory.path().join("out.json").exists());
    }
}

#[test]
fn a_launcher_of_one_process_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let output = train(directory.path(), "OMPI_COMM_WORLD_SIZE", "1", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[cfg(not(feature = "mpi"))]
#[test]
fn without_the_feature_the_flag_says_how_to_build_with_it() {
    let directory = tempfile::tempdir().unwrap();
    for size in ["1", "2"] {
        let output = train(directory.path(), "OMPI_COMM_WORLD_SIZE", size, &["--mpi"]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(
            stderr(&output),
            "mup2: --mpi: is not in this build of mup2; allowed: a build by `cargo install --path \
             crates/mup2-cli --features mpi`, which needs an MPI library and libclang\n"
        );
        assert!(!directory.path().join("out.json").exists());
    }
}

#[cfg(feature = "mpi")]
#[test]
fn a_launcher_of_another_mpi_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let output = train(directory.path(), "PMI_SIZE", "2", &["--mpi"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let begin = "mup2: --mpi: 2 processes were started (PMI_SIZE), but MPI knows of one; allowed: ";
    assert!(stderr(&output).contains(begin), "{}", stderr(&output));
}
