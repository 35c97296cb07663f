//! `mup2 report`: the tables and figures of a results directory.

use crate::arguments::{ReportArguments, ReportFormat};
use crate::terminal::print;
use crate::terminal::say;
use crate::terminal::table_options;
use mup2_report::report::Report;
use mup2_report::report::build;
use mup2_report::report::terminal_table;
use mup2_report::report::write;
use mup2_sweep::config::SweepSpec;
use mup2_sweep::report_input;
use mup2_sweep::results::ResultStore;
use mup2_train::built_in::KINDS;
use std::process::ExitCode;

pub fn run(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let (store, manifest) = ResultStore::open(&arguments.directory, KINDS)?;
    let command = format!("mup2 report {}", arguments.directory.display());
    let report = write_report(&manifest.sweep, &store, &command)?;
    match arguments.format {
        ReportFormat::Table => print(&terminal_table(&report, &table_options()))?,
        ReportFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?,
    }
    let path = arguments.directory.join("report.html");
    say(format_args!("report: {}", path.display()));
    Ok(ExitCode::SUCCESS)
}

/// Builds the report of what is published and writes it into the results directory.
pub fn write_report(
    sweep: &SweepSpec,
    store: &ResultStore,
    command: &str,
) -> mup2_scaling::error::Result<Report> {
    let report = build(&report_input(sweep, store, command)?);
    write(&report, store.directory())?;
    Ok(report)
}
