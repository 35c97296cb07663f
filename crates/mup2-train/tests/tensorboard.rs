//! Event files of a fresh run and of one that was killed and went on, with what TensorBoard has to
//! show of them, for `scripts/check_tensorboard.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use mup2_train::tensorboard::{EventWriter, Hyperparameter};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const LOSS: &str = "train/loss";
const SPEC: &str = "# Run\n\n- scheme: µP²\n- ρ = 0.1";

/// Where the script finds the files.
fn board() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("tensorboard")
}

fn settings() -> BTreeMap<String, Hyperparameter> {
    BTreeMap::from([
        ("optimizer.lr".to_owned(), Hyperparameter::Number(0.0625)),
        (
            "sam.rule".to_owned(),
            Hyperparameter::Text("asam".to_owned()),
        ),
        ("nesterov".to_owned(), Hyperparameter::Flag(true)),
    ])
}

/// A run with curves of every kind of number.
fn fresh(directory: &Path) -> Value {
    let values = [
        0.30000000000000004,
        -0.0,
        1e-45,
        16_777_217.0,
        1e300,
        f64::NEG_INFINITY,
        f64::NAN,
    ];
    let mut writer = EventWriter::create(directory, 0).unwrap();
    writer.text("spec", 0, SPEC).unwrap();
    writer.hyperparameters(&settings()).unwrap();
    for (index, value) in values.into_iter().enumerate() {
        writer.scalar(LOSS, 10 * index, value).unwrap();
        writer.flush().unwrap();
    }
    writer.scalar("accuracy/validation ρ", 70, 0.875).unwrap();
    // As text: JSON has no infinities.
    let points = values.iter().enumerate();
    let points: Vec<_> = points
        .map(|(index, value)| json!([10 * index, format!("{value:?}")]))
        .collect();
    json!({
        "files": 1,
        "scalars": { LOSS: points, "accuracy/validation ρ": [[70, "0.875"]] },
        "texts": { "spec": [[0, SPEC]] },
        "hyperparameters": { "optimizer.lr": 0.0625, "sam.rule": "asam", "nesterov": true },
    })
}

/// A run that was killed while it wrote step 500, whose last checkpoint was at step 300.
fn resumed(directory: &Path) -> Value {
    let mut writer = EventWriter::create(directory, 0).unwrap();
    for step in [100, 200, 300, 400, 500] {
        writer.scalar(LOSS, step, step as f64).unwrap();
        writer.scalar("old curve", step, 1.0).unwrap();
    }
    writer.flush().unwrap();
    let torn = fs::File::options().write(true).open(writer.path()).unwrap();
    torn.set_len(torn.metadata().unwrap().len() - 5).unwrap();
    let mut writer = EventWriter::create(directory, 301).unwrap();
    for step in [400, 500, 600] {
        writer.scalar(LOSS, step, -(step as f64)).unwrap();
    }
    json!({
        "files": 2,
        "scalars": {
            LOSS: [[100, "100.0"], [200, "200.0"], [300, "300.0"], [400, "-400.0"], [500, "-500.0"], [600, "-600.0"]],
            "old curve": [[100, "1.0"], [200, "1.0"], [300, "1.0"]],
        },
        "texts": {},
        "hyperparameters": {},
    })
}

/// A run that began again at 0, more than once within a second.
fn repeated(directory: &Path) -> Value {
    for attempt in 1..=12 {
        let mut writer = EventWriter::create(directory, 0).unwrap();
        writer.scalar(LOSS, attempt, attempt as f64).unwrap();
    }
    json!({
        "files": 12,
        "scalars": { LOSS: [[12, "12.0"]] },
        "texts": {},
        "hyperparameters": {},
    })
}

#[test]
fn event_files_for_the_script_that_reads_them_with_tensorboard() {
    let board = board();
    if board.exists() {
        fs::remove_dir_all(&board).unwrap();
    }
    let runs = json!({
        "fresh": fresh(&board.join("fresh")),
        "a sweep/resumed": resumed(&board.join("a sweep/resumed")),
        "a sweep/repeated": repeated(&board.join("a sweep/repeated")),
    });
    for (run, expected) in runs.as_object().unwrap() {
        let files = fs::read_dir(board.join(run)).unwrap().count();
        assert_eq!(files as u64, expected["files"].as_u64().unwrap(), "{run}");
    }
    fs::write(board.join("expected.json"), runs.to_string()).unwrap();
}
