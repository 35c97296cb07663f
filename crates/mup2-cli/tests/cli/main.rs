//! What a user of the program sees: files, tables, errors and exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bad_input;
mod book;
mod check;
mod command;
mod convert_rho;
mod device;
mod doctor;
mod ends;
mod export;
mod halving;
mod look;
mod processes;
mod results;
mod resume;
mod scale;
mod scale_files;
mod scheduler;
mod sweep;
mod tables;
mod weights;

use std::path::Path;
use std::process::{Command, Output};

/// A sweep of seconds: two widths, one diverging learning rate.
pub const TINY: &str = r#"
name = "tiny"
[grid]
scheme = ["mup-global", "mup2"]
width = [8, 32]
lr = [0.0625, 0.25]
rho = [0.0, 0.03125, 0.125]
seed = [0, 1]
[run.data]
label_noise = 0.2
train_limit = 500
average_pool = 4
[run.model]
base_width = 8
[run.train]
epochs = 2
evaluate_every = 2
"#;

pub fn mup2(arguments: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mup2"))
        .args(arguments)
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .env_remove("MUP2_DATA")
        .output()
        .unwrap()
}

/// A directory that holds `sweep.toml`.
pub fn workspace(sweep: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("sweep.toml"), sweep).unwrap();
    directory
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn run_sweep(directory: &Path, out: &str, more: &[&str]) -> Output {
    let mut arguments = vec!["sweep", "run", "sweep.toml", "--out", out];
    arguments.extend(more);
    mup2(&arguments, directory)
}

/// All result files of a results directory, by run id.
pub fn result_files(out: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(out.join("runs")).unwrap();
    let results = entries.map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (
            name,
            std::fs::read(entry.path().join("result.json")).unwrap(),
        )
    });
    results.collect()
}
