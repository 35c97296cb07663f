//! The table `runs`: one row a distinct run of the plan.

use super::column::{Column, integer, real, text};
use crate::config::{PlannedRun, RunId, RunSpec, Selection};
use crate::error::Result;
use crate::results::{EpochMetrics, ResultStore, RunResult, RunStatus};
use mup2_scaling::SchemeName;
use serde::Serialize;
use std::collections::HashMap;

/// A run and what the sweep knows of it.
#[derive(Debug)]
pub(super) struct RunRow {
    pub id: RunId,
    /// The published result; absent if there is none.
    pub result: Option<RunResult>,
    /// The spec of the first cell that the run serves.
    planned: RunSpec,
    /// Schemes of the cells that the run serves, in the sweep's order.
    schemes: Vec<SchemeName>,
    selection: Selection,
}

/// The distinct runs of `plan`, in the order of their first cells.
///
/// # Errors
/// When a result exists but cannot be read.
pub(super) fn collect(
    plan: &[PlannedRun],
    selection: Selection,
    store: &ResultStore,
) -> Result<Vec<RunRow>> {
    let mut rows: Vec<RunRow> = Vec::new();
    let mut places: HashMap<&RunId, usize> = HashMap::new();
    for cell in plan {
        let place = *places.entry(&cell.id).or_insert(rows.len());
        if place == rows.len() {
            rows.push(RunRow {
                id: cell.id.clone(),
                result: store.result(&cell.id)?,
                planned: cell.spec.clone(),
                schemes: Vec::new(),
                selection,
            });
        }
        let schemes = &mut rows[place].schemes;
        if !schemes.contains(&cell.scheme) {
            schemes.push(cell.scheme);
        }
    }
    Ok(rows)
}

impl RunRow {
    /// The spec that was trained. Of cells that share a run, any one's spec may be: they are the
    /// same computation, but not the same text.
    fn spec(&self) -> &RunSpec {
        self.result
            .as_ref()
            .map_or(&self.planned, |result| &result.spec)
    }

    fn status(&self) -> &'static str {
        match self.result.as_ref().map(|result| &result.status) {
            Some(RunStatus::Completed) => "completed",
            Some(RunStatus::Diverged) => "diverged",
            Some(RunStatus::Failed { .. }) => "failed",
            None => "missing",
        }
    }

    fn failure_reason(&self) -> Option<String> {
        match &self.result.as_ref()?.status {
            RunStatus::Failed { reason } => Some(reason.clone()),
            RunStatus::Completed | RunStatus::Diverged => None,
        }
    }

    /// The result if it is the outcome of the whole training. What a diverged run had reached
    /// before it diverged would flatter its hyperparameters; `metrics` has it.
    pub(super) fn completed(&self) -> Option<&RunResult> {
        self.result
            .as_ref()
            .filter(|result| result.status == RunStatus::Completed)
    }

    fn last_epoch(&self) -> Option<&EpochMetrics> {
        self.completed()?.epochs.last()
    }

    /// (accuracy to select by, test accuracy that belongs to it).
    fn selected(&self) -> Option<(f64, f64)> {
        self.completed()?.accuracies(self.selection)
    }

    fn schemes(&self) -> String {
        let names: Vec<String> = self.schemes.iter().map(ToString::to_string).collect();
        names.join(";")
    }
}

/// The name of an option as TOML files have it.
fn name<T: Serialize>(option: T) -> Option<String> {
    let value = serde_json::to_value(option).ok()?;
    value.as_str().map(str::to_owned)
}

pub(super) const COLUMNS: &[Column<RunRow>] = &[
    text("id", |run| Some(run.id.to_string())),
    text("status", |run| Some(run.status().to_owned())),
    text("failure_reason", RunRow::failure_reason),
    text("schemes", |run| Some(run.schemes())),
    text("parameterization", |run| {
        name(run.spec().scaling.parameterization)
    }),
    text("perturbation", |run| name(run.spec().scaling.perturbation)),
    integer("width", |run| Some(run.spec().model.width as u64)),
    integer("base_width", |run| Some(run.spec().model.base_width as u64)),
    integer("depth", |run| Some(run.spec().model.mlp()?.depth as u64)),
    real("lr", |run| Some(run.spec().optimizer.lr)),
    real("rho", |run| Some(run.spec().sam.rho)),
    text("rule", |run| name(run.spec().sam.rule)),
    text("optimizer", |run| name(run.spec().optimizer.name)),
    integer("seed", |run| Some(run.spec().seed)),
    text("dataset", |run| name(run.spec().data.dataset)),
    real("label_noise", |run| Some(run.spec().data.label_noise)),
    integer("batch_size", |run| Some(run.spec().train.batch_size as u64)),
    integer("epochs", |run| Some(run.spec().train.epochs as u64)),
    integer("steps", |run| Some(run.result.as_ref()?.steps as u64)),
    text("mup2_version", |run| {
        Some(run.result.as_ref()?.mup2_version.clone())
    }),
    real("final_validation_accuracy", |run| {
        run.last_epoch()?.validation_accuracy
    }),
    real("final_test_accuracy", |run| {
        Some(run.last_epoch()?.test_accuracy)
    }),
    text("selection", |run| name(run.selection)),
    real("selection_accuracy", |run| Some(run.selected()?.0)),
    real("selection_test_accuracy", |run| Some(run.selected()?.1)),
    text("spec", |run| serde_json::to_string(run.spec()).ok()),
];
