//! `mup2 report`: the tables and figures of a results directory, or of tables that anybody made.

use crate::arguments::{ReportArguments, ReportFormat, only_directory};
use crate::built_in::KINDS;
use crate::terminal::{print, say, table_options};
use mup2_report::report::{Markup, Report, build, markup_tables, terminal_table, write};
use mup2_report::table;
use mup2_scaling::error::one_line;
use mup2_sweep::config::SweepSpec;
use mup2_sweep::report_input;
use mup2_sweep::results::ResultStore;
use std::path::Path;
use std::process::ExitCode;

pub fn run(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    match only_directory(&arguments.paths)? {
        Some(directory) => report_of_sweep(arguments, directory),
        None => report_of_tables(arguments),
    }
}

fn report_of_sweep(arguments: &ReportArguments, directory: &Path) -> anyhow::Result<ExitCode> {
    arguments.table.refuse_for(directory)?;
    let (store, manifest) = ResultStore::open(directory, KINDS)?;
    let command = format!("mup2 report {}", directory.display());
    let report = write_report(&manifest.sweep, &store, &command)?;
    show(arguments, &report, directory)
}

fn report_of_tables(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let command = shlex::try_join(words.iter().map(String::as_str));
    let command = command.unwrap_or_else(|_| words.join(" "));
    let command = format!("mup2 {command}");
    let query = arguments.table.query(&arguments.paths, None, &command)?;
    let report = build(&table::read(&arguments.paths, &query)?);
    write(&report, &arguments.out)?;
    for warning in &report.warnings {
        say(format_args!("warning: {}", one_line(warning)));
    }
    show(arguments, &report, &arguments.out)
}

fn show(
    arguments: &ReportArguments,
    report: &Report,
    directory: &Path,
) -> anyhow::Result<ExitCode> {
    match arguments.format {
        ReportFormat::Table => print(&terminal_table(report, &table_options()))?,
        ReportFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(report)?))?,
        ReportFormat::Markdown => print(&markup_tables(report, Markup::Markdown))?,
        ReportFormat::Latex => print(&markup_tables(report, Markup::Latex))?,
    }
    let path = directory.join("report.html");
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
