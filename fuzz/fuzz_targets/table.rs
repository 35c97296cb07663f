//! Tables of results, CSV, TSV and JSON Lines, packed or not: refused in one sentence, or the
//! input of a report that can be made.
//!
//! Input: one byte of which the two lowest bits say what the file is called, and the others which
//! columns are asked for; and the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::{scratch, sentence};
use mup2_report::report::{Outcome, TableOptions, build, terminal_table};
use mup2_report::table::{TableQuery, read};
use std::fs;

const NAMES: [&str; 4] = [
    "results.csv",
    "results.tsv",
    "results.jsonl",
    "results.json.gz",
];

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    let asks = |bit: u8, name: &str| (kind >> bit & 1 == 1).then(|| name.to_owned());
    let query = TableQuery {
        y: asks(2, "rho"),
        test: asks(3, "test"),
        status: asks(4, "status"),
        minimize: kind >> 5 & 1 == 1,
        unstable: (kind >> 6 & 1 == 1).then_some(0.5),
        columns: asks(7, "optimizer.lr")
            .map(|column| ("lr".to_owned(), column))
            .into_iter()
            .collect(),
        ..TableQuery::default()
    };
    let path = scratch().join(NAMES[usize::from(kind % 4)]);
    fs::write(&path, bytes).expect("the file can be written");
    let input = match read(&[path], &query) {
        Ok(input) => input,
        Err(error) => return sentence(&error, "results."),
    };
    assert!(!input.observations.is_empty());
    for one in &input.observations {
        assert!(one.width > 0 && one.lr.is_finite() && one.rho.is_finite());
        if let Outcome::Completed {
            selection_accuracy, ..
        } = one.outcome
        {
            assert!(selection_accuracy.is_finite());
        }
    }
    let observed = input.observations.len();
    let report = build(&input);
    assert!((1..=observed).contains(&report.cells.len()));
    assert!(!terminal_table(&report, &TableOptions::default()).is_empty());
});
