//! `mup2 check --points`: judges what another framework measured.

use crate::arguments::{CheckArguments, CheckFormat};
use crate::terminal::{print, table_options};
use mup2_report::check::{html, read_points, terminal_table};
use mup2_scaling::check::CheckReport;
use mup2_scaling::{Parameterization, Perturbation};
use std::path::Path;
use std::process::ExitCode;

#[cfg(not(feature = "train"))]
pub fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    judge(&arguments.points, arguments)
}

/// Judges the points of a file.
pub fn judge(points: &Path, arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let scheme = arguments.scheme.scheme()?;
    let name = match (scheme.parameterization, scheme.perturbation) {
        (Parameterization::Mup, Perturbation::Mup2) => "mup2".to_owned(),
        (parameterization, perturbation) => format!("{parameterization}-{perturbation}"),
    };
    let report = read_points(points)?.judge(&name, &scheme, arguments.tolerance)?;
    show(arguments, &report)
}

pub fn show(arguments: &CheckArguments, report: &CheckReport) -> anyhow::Result<ExitCode> {
    print(&match arguments.format {
        CheckFormat::Table => terminal_table(report, table_options().colour),
        CheckFormat::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        CheckFormat::Html => html(report),
    })?;
    Ok(if report.pass {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
