//! `mup2 export`: tables that other programs read (`scripts/check_export.py` does it with pyarrow).

use crate::{TINY, mup2, run_sweep, stderr, stdout, workspace};

#[test]
fn a_sweep_becomes_three_tables_in_either_format() {
    let directory = workspace(TINY);
    run_sweep(directory.path(), "out", &[]);
    let output = mup2(&["export", "out", "--csv", "--parquet"], directory.path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 6);
    let runs = std::fs::read_to_string(directory.path().join("out/runs.csv")).unwrap();
    let results = directory
        .path()
        .join("out/runs")
        .read_dir()
        .unwrap()
        .count();
    assert_eq!(runs.lines().count(), 1 + results);
    let parquet = std::fs::read(directory.path().join("out/runs.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

#[test]
fn a_format_must_be_named() {
    let directory = workspace(TINY);
    let output = mup2(&["export", "out"], directory.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--csv"), "{}", stderr(&output));
}
