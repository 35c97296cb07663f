//! `mup2 doctor`: which failure signatures a sweep shows, and what to do.

use crate::arguments::{DoctorArguments, DoctorFormat, only_directory};
use crate::terminal::{print, say, table_options};
use mup2_report::doctor::{Case, Diagnosis, Theory, check_fits, diagnose, text};
use mup2_report::report::build;
use mup2_report::table;
use mup2_scaling::error::{Error, one_line};
use mup2_scaling::{SchemeName, scale};
use mup2_sweep::config::SweepSpec;
use mup2_sweep::report_input;
use mup2_sweep::results::ResultStore;
use mup2_train::built_in::{KINDS, run_of};
use mup2_train::config::RunSpec;
use mup2_train::data::ImageShape;
use mup2_train::train::tensor_shapes;
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
        theory: match run_of(sweep) {
            Some(run) => theories(sweep, run)?,
            // Nobody knows the tensors of a command.
            None => Vec::new(),
        },
    }))
}

/// What the theory says of each scheme.
fn theories(sweep: &SweepSpec, run: &RunSpec) -> Result<Vec<Theory>, Error> {
    // What is no scheme was refused when the sweep was read.
    let schemes = sweep.grid.scheme.iter().flat_map(|name| name.parse());
    schemes.map(|scheme| theory(sweep, run, scheme)).collect()
}

/// What the theory says of a scheme at the sweep's widest width.
fn theory(sweep: &SweepSpec, run: &RunSpec, scheme: SchemeName) -> Result<Theory, Error> {
    let mut spec = run.clone();
    spec.set_scheme(scheme);
    spec.model.width = sweep.grid.width.iter().copied().max().unwrap_or(1);
    // The doctor reads exponents and width ratios, which depend on neither images nor classes.
    let images = ImageShape {
        channels: 1,
        height: 32,
        width: 32,
    };
    let shapes = tensor_shapes(&spec, images, 1)?;
    Ok(Theory {
        scheme: scheme.to_string(),
        base_width: spec.model.base_width,
        width: spec.model.width,
        table: scale(&spec.scheme(), &shapes)?,
    })
}
