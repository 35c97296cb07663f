//! The table `curves`: series of numbers that commands have given, a row a number.

use super::column::{Column, integer, real, text};
use super::runs::RunRow;
use crate::config::RunId;

/// A number of a curve.
#[derive(Debug)]
pub(super) struct CurveRow {
    id: RunId,
    name: String,
    index: usize,
    value: f64,
}

/// The curves of `runs`, in their order.
pub(super) fn collect(runs: &[RunRow]) -> Vec<CurveRow> {
    let mut rows = Vec::new();
    for run in runs {
        for (name, values) in run.result.iter().flat_map(|result| &result.curves) {
            rows.extend(values.iter().enumerate().map(|(index, value)| CurveRow {
                id: run.id.clone(),
                name: name.clone(),
                index,
                value: *value,
            }));
        }
    }
    rows
}

pub(super) fn columns() -> Vec<Column<CurveRow>> {
    vec![
        text("id", |row: &CurveRow| Some(row.id.to_string())),
        text("name", |row: &CurveRow| Some(row.name.clone())),
        integer("index", |row: &CurveRow| Some(row.index as u64)),
        real("value", |row: &CurveRow| Some(row.value)),
    ]
}
