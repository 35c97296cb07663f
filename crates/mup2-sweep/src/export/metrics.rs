//! The table `metrics`: one row an evaluation of a run, those before a divergence included.

use super::column::{Column, integer, real, text};
use super::runs::RunRow;
use crate::config::RunId;
use crate::results::{EpochMetrics, SharpnessMeasures};

/// What was measured after an epoch, and of which run.
#[derive(Debug)]
pub(super) struct MetricRow {
    id: RunId,
    /// Steps taken by then, if known.
    step: Option<usize>,
    metrics: EpochMetrics,
}

impl MetricRow {
    /// Sharpness of the whole model, where it was measured.
    fn measures(&self) -> Option<SharpnessMeasures> {
        Some(self.metrics.sharpness.as_ref()?.whole)
    }
}

/// The evaluated epochs of `runs`, in their order.
pub(super) fn collect(runs: &[RunRow]) -> Vec<MetricRow> {
    let steps_per_epoch = steps_per_epoch(runs);
    let mut rows = Vec::new();
    for run in runs {
        for metrics in run.result.iter().flat_map(|result| &result.epochs) {
            rows.push(MetricRow {
                id: run.id.clone(),
                step: metrics
                    .step
                    .or(steps_per_epoch.map(|steps| steps * metrics.epoch)),
                metrics: metrics.clone(),
            });
        }
    }
    rows
}

/// Steps of one epoch, as a completed run tells; absent if none has completed.
///
/// One number for all runs of a sweep, since they share images and batch size: a diverged run,
/// which stopped somewhere within an epoch, does not tell it.
fn steps_per_epoch(runs: &[RunRow]) -> Option<usize> {
    let (result, epochs) = runs
        .iter()
        .find_map(|run| Some((run.completed()?, run.epochs)))?;
    result.steps.checked_div(epochs)
}

pub(super) fn columns() -> Vec<Column<MetricRow>> {
    vec![
        text("id", |row: &MetricRow| Some(row.id.to_string())),
        integer("epoch", |row: &MetricRow| Some(row.metrics.epoch as u64)),
        integer("step", |row: &MetricRow| Some(row.step? as u64)),
        real("train_loss", |row: &MetricRow| Some(row.metrics.train_loss)),
        real("validation_accuracy", |row: &MetricRow| {
            row.metrics.validation_accuracy
        }),
        real("test_accuracy", |row: &MetricRow| {
            Some(row.metrics.test_accuracy)
        }),
        real("sharpness_loss", |row: &MetricRow| {
            Some(row.metrics.sharpness.as_ref()?.loss)
        }),
        real("top_eigenvalue", |row: &MetricRow| {
            Some(row.measures()?.eigenvalue?.value)
        }),
        real("most_positive_eigenvalue", |row: &MetricRow| {
            Some(row.measures()?.eigenvalue?.most_positive)
        }),
        real("eigenvalue_residual", |row: &MetricRow| {
            Some(row.measures()?.eigenvalue?.residual)
        }),
        real("hessian_trace", |row: &MetricRow| {
            Some(row.measures()?.trace?.value)
        }),
        real("hessian_trace_stderr", |row: &MetricRow| {
            row.measures()?.trace?.stderr
        }),
        real("sam_sharpness_radius", |row: &MetricRow| {
            Some(row.measures()?.sam?.radius)
        }),
        real("sam_sharpness_one_step", |row: &MetricRow| {
            Some(row.measures()?.sam?.one_step)
        }),
        real("sam_sharpness", |row: &MetricRow| {
            Some(row.measures()?.sam?.value)
        }),
    ]
}
