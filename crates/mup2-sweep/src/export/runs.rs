//! The table `runs`: one row a distinct run of the plan.

use super::column::{Column, integer, real, text};
use crate::config::{AxisValue, ColumnKind, Json, PlannedRun, RunId, SweepSpec};
use crate::error::Result;
use crate::results::{EpochMetrics, ResultStore, RunResult, RunStatus, Scores};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A run and what the sweep knows of it.
#[derive(Debug)]
pub(super) struct RunRow {
    pub id: RunId,
    /// Epochs that it was to have.
    pub epochs: usize,
    /// The published result; absent if there is none.
    pub result: Option<RunResult>,
    /// The spec that was trained, or is to be. Of cells that share a run, any one's spec may be: they are
    /// the same computation, but not the same text.
    spec: Json,
    /// Series of the cells that the run serves, in the sweep's order.
    series: Vec<Arc<str>>,
    /// Values on further axes of its first cell.
    further: Arc<[(String, AxisValue)]>,
    /// What it counts for, if it completed and measured that.
    scores: Option<Scores>,
}

/// The distinct runs of `plan`, in the order of their first cells.
///
/// # Errors
/// When a result exists but cannot be read.
pub(super) fn collect(
    plan: &[PlannedRun],
    sweep: &SweepSpec,
    store: &ResultStore,
) -> Result<Vec<RunRow>> {
    let mut rows: Vec<RunRow> = Vec::new();
    let mut places: HashMap<&RunId, usize> = HashMap::new();
    for planned in plan {
        let place = *places.entry(&planned.id).or_insert(rows.len());
        if place == rows.len() {
            let result = store.result(&planned.id)?;
            let spec = match &result {
                Some(result) => sweep.runs.filled(&result.spec),
                None => sweep.spec(planned),
            };
            let completed = result
                .as_ref()
                .filter(|result| result.status == RunStatus::Completed);
            rows.push(RunRow {
                id: planned.id.clone(),
                epochs: planned.epochs,
                scores: completed.and_then(|result| result.scores(sweep).ok()),
                result,
                spec,
                series: Vec::new(),
                further: Arc::clone(&planned.cell.further),
            });
        }
        let series = &mut rows[place].series;
        if !series.contains(&planned.cell.series) {
            series.push(Arc::clone(&planned.cell.series));
        }
    }
    Ok(rows)
}

impl RunRow {
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

    fn schemes(&self) -> String {
        self.series.join(";")
    }
}

pub(super) fn columns(sweep: &SweepSpec, rows: &[RunRow]) -> Vec<Column<RunRow>> {
    let mut columns = vec![
        text("id", |run: &RunRow| Some(run.id.to_string())),
        text("status", |run: &RunRow| Some(run.status().to_owned())),
        text("failure_reason", RunRow::failure_reason),
        text("schemes", |run: &RunRow| Some(run.schemes())),
    ];
    for column in sweep.runs.columns() {
        let at = column.at;
        columns.push(match column.kind {
            ColumnKind::Integer => integer(column.name, move |run: &RunRow| {
                run.spec.at(&at).and_then(Json::as_u64)
            }),
            ColumnKind::Real => real(column.name, move |run: &RunRow| {
                run.spec.at(&at).and_then(Json::as_f64)
            }),
            ColumnKind::Text => text(column.name, move |run: &RunRow| {
                run.spec.at(&at).and_then(Json::as_text).map(str::to_owned)
            }),
        });
    }
    for (place, (name, _)) in sweep.grid.further.0.iter().enumerate() {
        columns.push(text(format!("grid.{name}"), move |run: &RunRow| {
            Some(run.further.get(place)?.1.to_string())
        }));
    }
    columns.extend([
        integer("epochs", |run: &RunRow| Some(run.epochs as u64)),
        integer("steps", |run: &RunRow| {
            Some(run.result.as_ref()?.steps as u64)
        }),
        text("mup2_version", |run: &RunRow| {
            Some(run.result.as_ref()?.mup2_version.clone())
        }),
        real("final_validation_accuracy", |run: &RunRow| {
            run.last_epoch()?.validation_accuracy
        }),
        real("final_test_accuracy", |run: &RunRow| {
            Some(run.last_epoch()?.test_accuracy)
        }),
    ]);
    let results = || rows.iter().filter_map(|run| run.result.as_ref());
    let named: BTreeSet<String> = results()
        .flat_map(|result| result.metrics.keys().cloned())
        .collect();
    for name in named {
        columns.push(real(format!("result.{name}"), move |run: &RunRow| {
            run.completed()?.metrics.get(&name).copied()
        }));
    }
    let selection = sweep.selected_by();
    columns.extend([
        text("selection", move |_: &RunRow| Some(selection.clone())),
        real("selection_accuracy", |run: &RunRow| {
            Some(run.scores?.selection)
        }),
        real("selection_test_accuracy", |run: &RunRow| {
            Some(run.scores?.test)
        }),
        text("spec", |run: &RunRow| serde_json::to_string(&run.spec).ok()),
    ]);
    columns
}
