//! `mup2 report`, `mup2 doctor` and `mup2 check` of what other programs made.

use crate::{TINY, mup2, run_sweep, stderr, stdout, workspace};
use serde_json::Value;

#[test]
fn the_exported_table_of_a_sweep_gives_the_numbers_of_its_directory() {
    let directory = workspace(TINY);
    let here = directory.path();
    assert_eq!(run_sweep(here, "out", &[]).status.code(), Some(0));
    assert_eq!(
        mup2(&["export", "out", "--csv"], here).status.code(),
        Some(0)
    );
    let number = |arguments: &[&str]| -> Value {
        let output = mup2(arguments, here);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    // cells.csv has the points and schemes, runs.csv the results: joined by hand, as a user would.
    let read = |name: &str| std::fs::read_to_string(here.join("out").join(name)).unwrap();
    let (cells, runs) = (read("cells.csv"), read("runs.csv"));
    let columns = |text: &str| -> Vec<String> {
        text.lines()
            .next()
            .unwrap()
            .split(',')
            .map(str::to_owned)
            .collect()
    };
    let place = |text: &str, name: &str| columns(text).iter().position(|one| one == name).unwrap();
    let (id, status) = (place(&runs, "id"), place(&runs, "status"));
    let accuracy = place(&runs, "selection_accuracy");
    let mut joined = "scheme,width,lr,rho,seed,status,accuracy,test\n".to_owned();
    for cell in cells.lines().skip(1) {
        let parts: Vec<&str> = cell.split(',').collect();
        let run = runs
            .lines()
            .skip(1)
            .map(|run| run.split(',').collect::<Vec<_>>());
        let run = run
            .into_iter()
            .find(|run| run[id] == parts[place(&cells, "id")])
            .unwrap();
        joined += &format!(
            "{},{},{},{}\n",
            parts[..5].join(","),
            run[status],
            run[accuracy],
            run[accuracy + 1]
        );
    }
    std::fs::write(here.join("runs.csv"), joined).unwrap();
    let direct = number(&["report", "out", "--format", "json"]);
    let unstable = direct["unstable_below"].to_string();
    let table = number(&[
        "report",
        "runs.csv",
        "--y",
        "rho",
        "--test",
        "test",
        "--status",
        "status",
        "--unstable",
        &unstable,
        "--format",
        "json",
        "--out",
        "table",
    ]);
    for part in [
        "cells",
        "optima",
        "slices",
        "transfer",
        "baselines",
        "confidence",
    ] {
        assert_eq!(table[part], direct[part], "{part}");
    }
    assert!(here.join("table/report.html").is_file());
    let output = mup2(&["doctor", "runs.csv", "--status", "status"], here);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("mup-global: "));
}

#[test]
fn a_loss_over_one_hyperparameter_is_reported_in_any_markup() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = "depth,weight_decay,loss\n".to_owned();
    for depth in [2, 4, 8] {
        for exponent in -8..0 {
            let best = -3.0 - f64::from(depth).log2();
            let loss = 1.0 + 0.1 * (f64::from(exponent) - best).powi(2);
            text += &format!("{depth},{},{loss}\n", f64::from(exponent).exp2());
        }
    }
    std::fs::write(directory.path().join("runs.csv"), text).unwrap();
    let arguments = [
        "report",
        "runs.csv",
        "--size",
        "depth",
        "--x",
        "weight_decay",
        "--metric",
        "loss",
        "--minimize",
    ];
    for (format, part) in [
        ("table", "−1.00 ± 0.00"),
        ("markdown", "| --- |"),
        ("latex", "\\toprule"),
    ] {
        let all = [&arguments[..], &["--format", format]].concat();
        let output = mup2(&all, directory.path());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains(part), "{}", stdout(&output));
    }
    let output = mup2(
        &["doctor", "runs.csv", "--metric", "loss"],
        directory.path(),
    );
    assert_eq!(output.status.code(), Some(2));
    let output = mup2(&["report", "runs.csv", "--column", "lr"], directory.path());
    assert!(stderr(&output).contains("maps no name to a column"));
}

#[test]
fn points_of_another_framework_are_judged() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for size in [64, 128, 256] {
        for seed in 0..2 {
            let effect = (1.0 + 0.01 * f64::from(seed)) / f64::from(size).sqrt();
            text += &format!(
                "{{\"tensor\":\"h\",\"role\":\"hidden\",\"size\":{size},\"seed\":{seed},\"effect\":{effect},\"update\":1.0}}\n"
            );
        }
    }
    std::fs::write(directory.path().join("points.jsonl"), text).unwrap();
    let output = mup2(&["check", "--points", "points.jsonl"], directory.path());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("vanishing"));
}
