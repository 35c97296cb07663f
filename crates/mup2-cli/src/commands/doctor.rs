//! `mup2 doctor`: which failure signatures a sweep shows, and what to do.

use crate::arguments::{DoctorArguments, DoctorFormat, only_directory};
use crate::built_in::{KINDS, theories};
use crate::terminal::{print, say, table_options};
use mup2_report::doctor::{Case, Diagnosis, check_fits, diagnose, text};
use mup2_report::report::build;
use mup2_report::table;
use mup2_scaling::error::one_line;
use mup2_sweep::report_input;
use mup2_sweep::results::ResultStore;
use std::path::Path;
use std::process::ExitCode;

pub fn run(arguments: &DoctorArguments) -> anyhow::Result<ExitCode> {
    let diagnosis = match only_directory(&arguments.paths)? {
        Some(directory) => {
            arguments.table.refuse_for(directory)?;
            of_sweep(directory)?
        }
        None => of_tables(arguments)?,
    };
    print(&match arguments.format {
        DoctorFormat::Text => text(&diagnosis, table_options().colour),
        DoctorFormat::Json => format!("{}\n", serde_json::to_string_pretty(&diagnosis)?),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The diagnosis of tables: what the results show, without the theory of their schemes.
fn of_tables(arguments: &DoctorArguments) -> anyhow::Result<Diagnosis> {
    let query = arguments
        .table
        .query(&arguments.paths, Some("rho"), "mup2 doctor")?;
    let report = build(&table::read(&arguments.paths, &query)?);
    check_fits(&report)?;
    for warning in &report.warnings {
        say(format_args!("warning: {}", one_line(warning)));
    }
    Ok(diagnose(&Case {
        report: &report,
        theory: Vec::new(),
    }))
}

fn of_sweep(directory: &Path) -> anyhow::Result<Diagnosis> {
    let (store, manifest) = ResultStore::open(directory, KINDS)?;
    let sweep = &manifest.sweep;
    let command = format!("mup2 doctor {}", directory.display());
    let report = build(&report_input(sweep, &store, &command)?);
    Ok(diagnose(&Case {
        report: &report,
        theory: theories(sweep)?,
    }))
}
