//! What the report needs to know of a sweep: its settings and one observation a cell and seed.

use super::halving::Standing;
use super::known::known;
use super::pruned::summarize;
use crate::config::{PlannedRun, RunSpec, SweepSpec};
use crate::data::Dataset;
use crate::error::Result;
use crate::report::{Observation, Outcome, ReportInput, Sampling, SharpnessObservation};
use crate::results::{ResultStore, RunResult, RunStatus};
use std::collections::BTreeSet;

/// Collects the published results of `sweep`; runs without one are reported as missing.
///
/// # Errors
/// When a result file exists but cannot be read.
pub fn report_input(sweep: &SweepSpec, store: &ResultStore, command: &str) -> Result<ReportInput> {
    let mut versions = BTreeSet::new();
    let mut sharpness = Vec::new();
    let mut look = |run: &PlannedRun| {
        let result = store.result(&run.id)?;
        if let Some(result) = &result {
            versions.insert(result.mup2_version.clone());
            // A rung's end is not that of the run which it is the beginning of.
            if run.spec.train.epochs == sweep.run.train.epochs {
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
    Ok(ReportInput {
        title: sweep.name.clone(),
        dataset: dataset(&sweep.run),
        selection: sweep.selection.to_string(),
        base_width: sweep.run.model.base_width,
        axes: crate::report::Axes::default(),
        fits: false,
        sampling: sampling(sweep),
        halving,
        settings: settings(sweep, distinct_runs),
        schemes: sweep.grid.scheme.iter().map(ToString::to_string).collect(),
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
        scheme: planned.scheme.to_string(),
        width: planned.spec.model.width,
        lr: planned.spec.optimizer.lr,
        rho: planned.spec.sam.rho,
        seed: planned.spec.seed,
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
        RunStatus::Completed => match result.accuracies(sweep.selection) {
            Some((selection_accuracy, test_accuracy)) => Outcome::Completed {
                selection_accuracy,
                test_accuracy,
            },
            None => Outcome::Failed(format!(
                "no accuracy for selection `{}`: the validation split is empty",
                sweep.selection
            )),
        },
    }
}

/// What was measured after the last epoch of a run that completed.
fn final_sharpness(planned: &PlannedRun, result: &RunResult) -> Option<SharpnessObservation> {
    let last = result.epochs.last()?;
    let measured = last.sharpness.as_ref()?.whole;
    (result.status == RunStatus::Completed).then(|| SharpnessObservation {
        scheme: planned.scheme.to_string(),
        width: planned.spec.model.width,
        lr: planned.spec.optimizer.lr,
        rho: planned.spec.sam.rho,
        seed: planned.spec.seed,
        top_eigenvalue: measured.eigenvalue.map(|eigenvalue| eigenvalue.value),
        trace: measured.trace.map(|trace| trace.value),
        sam_sharpness: measured.sam.map(|sam| sam.value),
    })
}

fn dataset(run: &RunSpec) -> String {
    let mut text = match run.data.dataset {
        crate::data::DatasetName::Embedded => "Fashion-MNIST subset (embedded)".to_owned(),
        name => name.to_string(),
    };
    if let Some(limit) = run.data.train_limit {
        text += &format!(", {limit} training images");
    }
    if let Some(side) = run.data.resize {
        text += &format!(", resized to {side} pixels");
    }
    if let Some(side) = run.data.crop {
        text += &format!(", cropped to {side}×{side}");
    }
    if run.data.label_noise > 0.0 {
        text += &format!(", {:.0} % label noise", run.data.label_noise * 100.0);
    }
    text
}

fn settings(sweep: &SweepSpec, distinct_runs: usize) -> Vec<(String, String)> {
    let run = &sweep.run;
    let list = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(", ");
    let lower = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let bias = if run.model.bias { "with" } else { "without" };
    let pool = run.data.average_pool;
    let mut rows = vec![
        ("Data", dataset(run)),
        (
            "Model",
            format!(
                "{} with {} weight layers, {}, {bias} biases",
                lower(&run.model.kind),
                run.model.depth,
                lower(&run.model.activation),
            ),
        ),
        (
            "Widths",
            list(&mut sweep.grid.width.iter().map(ToString::to_string)),
        ),
        ("Base width", run.model.base_width.to_string()),
        (
            "Optimizer",
            format!(
                "{}, {} schedule, momentum {}, weight decay {}",
                lower(&run.optimizer.name),
                lower(&run.optimizer.schedule),
                run.optimizer.momentum,
                run.optimizer.weight_decay
            ),
        ),
        ("Perturbation rule", run.sam.rule.to_string()),
        (
            "Training",
            format!(
                "{} epochs, batches of {}",
                run.train.epochs, run.train.batch_size
            ),
        ),
        (
            "Seeds",
            list(&mut sweep.grid.seed.iter().map(ToString::to_string)),
        ),
        ("Distinct runs", distinct_runs.to_string()),
    ];
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
    if pool > 1 {
        rows.insert(1, ("Pixels", format!("averaged over {pool}×{pool} blocks")));
    }
    rows.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The description of a dataset's splits, for people.
pub fn describe(data: &Dataset) -> String {
    format!(
        "{} training, {} validation and {} test images of {}, {} classes",
        data.train.len(),
        data.validation.len(),
        data.test.len(),
        data.train.shape,
        data.classes
    )
}
