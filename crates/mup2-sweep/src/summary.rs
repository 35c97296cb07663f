//! What the report needs to know of a sweep: its settings and one observation a cell and seed.

use super::halving::Standing;
use super::known::known;
use super::pruned::summarize;
use crate::config::{PlannedRun, SweepSpec};
use crate::error::{Error, Result};
use crate::report::{Observation, Outcome, ReportInput, Sampling, SharpnessObservation};
use crate::results::{ResultStore, RunResult, RunStatus, Scores};
use std::collections::BTreeSet;

/// Collects the published results of `sweep`; runs without one are reported as missing.
///
/// # Errors
/// When a result file exists but cannot be read, and for a metric of which less is better: a report
/// compares accuracies.
pub fn report_input(sweep: &SweepSpec, store: &ResultStore, command: &str) -> Result<ReportInput> {
    if let Some(metric) = sweep.runs.metric().filter(|metric| metric.minimize) {
        return Err(Error::invalid(
            format!("sweep `{}`", sweep.name),
            format!("compares `{}`, of which less is better", metric.name),
            "a report of numbers from 0 to 1 of which more is better; `mup2 export` has all numbers",
        ));
    }
    let mut versions = BTreeSet::new();
    let mut sharpness = Vec::new();
    let (epochs, _) = sweep.runs.epochs();
    let mut look = |run: &PlannedRun| {
        let result = store.result(&run.id)?;
        if let Some(result) = &result {
            versions.insert(result.mup2_version.clone());
            // A rung's end is not that of the run which it is the beginning of.
            if run.epochs == epochs {
                sharpness.extend(final_sharpness(run, result));
            }
        }
        Ok(outcome(sweep, result))
    };
    let (observations, halving, distinct_runs) = match sweep.halving() {
        Some(halving) => {
            let standing = Standing::of(sweep, halving, look)?;
            let (observations, pruned) = summarize(&standing);
            (observations, Some(pruned), known(&standing).runs.len())
        }
        None => {
            let plan = sweep.plan();
            let observations = plan.iter().map(|run| Ok(observation(run, look(run)?)));
            let observations = observations.collect::<Result<_>>()?;
            (observations, None, sweep.distinct_runs().len())
        }
    };
    let mut warnings = Vec::new();
    if versions.len() > 1 {
        let versions: Vec<String> = versions.into_iter().collect();
        warnings.push(format!(
            "The results were made by several versions of mup2: {}.",
            versions.join(", ")
        ));
    }
    let description = sweep.runs.description(sweep);
    let mut settings = description.settings;
    settings.extend(rows(sweep, distinct_runs));
    Ok(ReportInput {
        title: sweep.name.clone(),
        dataset: description.dataset,
        selection: sweep.selected_by(),
        base_width: description.base_width,
        axes: crate::report::Axes::default(),
        fits: false,
        sampling: sampling(sweep),
        halving,
        settings,
        schemes: sweep.series().iter().map(ToString::to_string).collect(),
        unstable_below: sweep.unstable_below,
        observations,
        sharpness,
        command: command.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        warnings,
    })
}

fn sampling(sweep: &SweepSpec) -> Sampling {
    match &sweep.search {
        None => Sampling::Grid,
        Some(search) => Sampling::Scattered {
            method: search.method.to_string(),
            log2_lr: (search.lr.log2_from, search.lr.log2_to),
            log2_rho: (search.rho.log2_from, search.rho.log2_to),
        },
    }
}

/// What became of a run, as the report knows it.
pub(super) fn observation(planned: &PlannedRun, outcome: Outcome) -> Observation {
    Observation {
        scheme: planned.cell.series.to_string(),
        width: planned.cell.width,
        lr: planned.cell.lr,
        rho: planned.cell.rho,
        seed: planned.cell.seed,
        outcome,
    }
}

/// How a run ended, in what the sweep selects by.
pub(super) fn outcome(sweep: &SweepSpec, result: Option<RunResult>) -> Outcome {
    let Some(result) = result else {
        return Outcome::Missing;
    };
    match &result.status {
        RunStatus::Diverged => Outcome::Diverged,
        RunStatus::Failed { reason } => Outcome::Failed(reason.clone()),
        RunStatus::Completed => match result.scores(sweep) {
            Ok(Scores { selection, test }) => {
                // More is better where outcomes are compared.
                let sign = match sweep.runs.metric() {
                    Some(metric) if metric.minimize => -1.0,
                    _ => 1.0,
                };
                Outcome::Completed {
                    selection_accuracy: sign * selection,
                    test_accuracy: sign * test,
                }
            }
            Err(reason) => Outcome::Failed(reason),
        },
    }
}

/// What was measured after the last epoch of a run that completed.
fn final_sharpness(planned: &PlannedRun, result: &RunResult) -> Option<SharpnessObservation> {
    let last = result.epochs.last()?;
    let measured = last.sharpness.as_ref()?.whole;
    (result.status == RunStatus::Completed).then(|| SharpnessObservation {
        scheme: planned.cell.series.to_string(),
        width: planned.cell.width,
        lr: planned.cell.lr,
        rho: planned.cell.rho,
        seed: planned.cell.seed,
        top_eigenvalue: measured.eigenvalue.map(|eigenvalue| eigenvalue.value),
        trace: measured.trace.map(|trace| trace.value),
        sam_sharpness: measured.sam.map(|sam| sam.value),
    })
}

/// What a report says of the sweep itself: names and values.
fn rows(sweep: &SweepSpec, distinct_runs: usize) -> Vec<(String, String)> {
    let mut rows = vec![("Distinct runs", distinct_runs.to_string())];
    if let Some(search) = &sweep.search {
        let sgd = if search.include_sgd {
            " and the same η at ρ = 0"
        } else {
            ""
        };
        let text = format!(
            "{}, {} points, seed {}: log2 η from {} to {}, log2 ρ from {} to {}{sgd}",
            search.method,
            search.points,
            search.seed,
            search.lr.log2_from,
            search.lr.log2_to,
            search.rho.log2_from,
            search.rho.log2_to,
        );
        rows.push(("Search", text));
    }
    if let Some(halving) = sweep.halving() {
        let rungs = halving.rungs().iter().map(ToString::to_string);
        let text = format!(
            "runs of {} epochs; one of {} points goes on",
            rungs.collect::<Vec<_>>().join(", "),
            halving.factor()
        );
        rows.push(("Rungs", text));
    }
    rows.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
