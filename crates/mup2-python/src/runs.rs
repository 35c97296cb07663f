//! The report of runs that any program made.

use mup2_report::report::{
    Axes, Observation, Outcome, ReportInput, Sampling, TableOptions, build, terminal_table, write,
};
use mup2_scaling::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    scheme: String,
    width: usize,
    lr: f64,
    rho: f64,
    seed: u64,
    outcome: Ending,
    selection_accuracy: Option<f64>,
    test_accuracy: Option<f64>,
}

/// How a run ended.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ending {
    Completed,
    Diverged,
    Failed,
    Missing,
}

/// Runs, and how they are to be shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    title: String,
    dataset: String,
    base_width: usize,
    unstable_below: f64,
    /// Where report.html, report.json and figures go; nothing is written if absent.
    out: Option<PathBuf>,
    runs: Vec<Run>,
}

/// The numbers, and the table of the terminal.
#[derive(Serialize)]
pub struct ReportAnswer {
    report: serde_json::Value,
    table: String,
}

/// Builds and writes the report.
///
/// # Errors
/// The first run with a number that is none, and what [`write`] refuses.
pub fn report(request: ReportRequest) -> Result<ReportAnswer> {
    let mut schemes: Vec<String> = Vec::new();
    let mut observations = Vec::new();
    for (index, run) in request.runs.into_iter().enumerate() {
        if !schemes.contains(&run.scheme) {
            schemes.push(run.scheme.clone());
        }
        observations.push(observation(index, run)?);
    }
    let report = build(&ReportInput {
        title: request.title,
        dataset: request.dataset,
        selection: "validation".to_owned(),
        base_width: request.base_width,
        axes: Axes::default(),
        fits: false,
        sampling: Sampling::Grid,
        halving: None,
        settings: Vec::new(),
        schemes,
        unstable_below: request.unstable_below,
        observations,
        sharpness: Vec::new(),
        command: "mup2.report".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        warnings: Vec::new(),
    });
    if let Some(out) = &request.out {
        write(&report, out)?;
    }
    let value = serde_json::to_value(&report).map_err(|error| {
        Error::invalid("report", error.to_string(), "numbers that JSON can hold")
    })?;
    Ok(ReportAnswer {
        report: value,
        table: terminal_table(&report, &TableOptions::default()),
    })
}

fn observation(index: usize, run: Run) -> Result<Observation> {
    let place = format!("run {index}");
    let wrong = |problem: String, allowed: &str| Err(Error::invalid(&place, problem, allowed));
    if run.width == 0 {
        return wrong("has width 0".to_owned(), "a width from 1");
    }
    if !(run.lr.is_finite() && run.lr > 0.0) {
        return wrong(format!("has lr {}", run.lr), "a number above 0");
    }
    if !(run.rho.is_finite() && run.rho >= 0.0) {
        return wrong(format!("has rho {}", run.rho), "a number from 0");
    }
    let share = |name: &str, value: Option<f64>| match value {
        Some(value) if (0.0..=1.0).contains(&value) => Ok(value),
        other => Err(Error::invalid(
            format!("run {index}: {name}"),
            other.map_or_else(|| "is absent".to_owned(), |value| format!("is {value}")),
            "a share from 0 to 1",
        )),
    };
    let outcome = match run.outcome {
        Ending::Completed => Outcome::Completed {
            selection_accuracy: share("selection_accuracy", run.selection_accuracy)?,
            test_accuracy: share("test_accuracy", run.test_accuracy)?,
        },
        Ending::Diverged => Outcome::Diverged,
        Ending::Failed => Outcome::Failed("as the runs say".to_owned()),
        Ending::Missing => Outcome::Missing,
    };
    Ok(Observation {
        scheme: run.scheme,
        width: run.width,
        lr: run.lr,
        rho: run.rho,
        seed: run.seed,
        outcome,
    })
}
