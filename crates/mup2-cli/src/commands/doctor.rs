//! `mup2 doctor`: which failure signatures a sweep shows, and what to do.

use super::report::without_control;
use crate::arguments::{DoctorArguments, DoctorFormat, only_directory};
use crate::terminal::{print, table_options};
use mup2::config::{SchemeName, SweepSpec};
use mup2::data::ImageShape;
use mup2::doctor::{Case, Diagnosis, Theory, check_fits, diagnose, text};
use mup2::error::Error;
use mup2::report::build;
use mup2::results::ResultStore;
use mup2::scaling::scale;
use mup2::sweep::report_input;
use mup2::table;
use mup2::train::tensor_shapes;
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
        eprintln!("warning: {}", without_control(warning));
    }
    Ok(diagnose(&Case {
        report: &report,
        theory: Vec::new(),
    }))
}

fn of_sweep(directory: &Path) -> anyhow::Result<Diagnosis> {
    let (store, manifest) = ResultStore::open(directory)?;
    let sweep = &manifest.sweep;
    let command = format!("mup2 doctor {}", directory.display());
    let report = build(&report_input(sweep, &store, &command)?);
    let theory = sweep
        .grid
        .scheme
        .iter()
        .map(|scheme| theory(sweep, *scheme));
    Ok(diagnose(&Case {
        report: &report,
        theory: theory.collect::<Result<_, _>>()?,
    }))
}

/// What the theory says of a scheme at the sweep's widest width.
fn theory(sweep: &SweepSpec, scheme: SchemeName) -> Result<Theory, Error> {
    let mut spec = sweep.run.clone();
    scheme.apply(&mut spec);
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
