//! The results of a sweep as three tables, in CSV or Parquet, for other programs.
//!
//! Columns, in this order; `docs/reference/export.md` gives the type and unit of each:
//!
//! - `runs`, a row a distinct run: `id`, `status`, `failure_reason`, `schemes`,
//!   `parameterization`, `perturbation`, `width`, `base_width`, `depth`, `lr`, `rho`, `rule`,
//!   `optimizer`, `seed`, `dataset`, `label_noise`, `batch_size`, `epochs`, `steps`,
//!   `mup2_version`, `final_validation_accuracy`, `final_test_accuracy`, `selection`,
//!   `selection_accuracy`, `selection_test_accuracy`, `spec`
//! - `metrics`, a row an evaluated epoch of a run: `id`, `epoch`, `step`, `train_loss`,
//!   `validation_accuracy`, `test_accuracy`, `sharpness_loss`, `top_eigenvalue`,
//!   `most_positive_eigenvalue`, `eigenvalue_residual`, `hessian_trace`, `hessian_trace_stderr`,
//!   `sam_sharpness_radius`, `sam_sharpness_one_step`, `sam_sharpness`
//! - `cells`, a row a cell of the grid and seed, several of which may share a run: `scheme`,
//!   `width`, `lr`, `rho`, `seed`, `id`
//!
//! Those of `runs` from `parameterization` to `batch_size` are the built-in trainer's. A sweep of a
//! command has `width`, `lr`, `rho` and `seed` of them, a column `grid.NAME` for each further axis in
//! `runs` and `cells`, a column `result.NAME` for each number of its results, and, where it gives
//! curves, a table `curves` with a row a number: `id`, `name`, `index`, `value`.

mod cells;
mod column;
mod csv_file;
mod curves;
mod metrics;
mod parquet_file;
mod runs;

use crate::config::{PlannedRun, SweepSpec};
use crate::error::{Error, Result};
use crate::publish::write_atomically;
use crate::results::ResultStore;
use column::{Column, Values};
use std::fs;
use std::path::{Path, PathBuf};

/// A file format of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values: UTF-8, a line of names first, null as an empty field (RFC 4180,
    /// but lines end in a newline alone).
    Csv,
    /// Apache Parquet, compressed with Snappy; every column may hold nulls.
    Parquet,
}

impl Format {
    /// What the names of the files end in.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// What [`export`] has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The files: cells, metrics, curves if there are any, runs.
    pub files: Vec<PathBuf>,
    /// Rows of `runs`.
    pub runs: usize,
    /// Rows of `metrics`.
    pub metrics: usize,
}

/// Writes the tables of a sweep into `directory`, which is made if it does not
/// exist.
///
/// Rows stand in the order of the sweep's plan, epochs ascending, so that the same results give
/// the same bytes. Each file is written whole or not at all; other files there are left alone.
///
/// # Errors
/// When a result exists but cannot be read, a whole number is beyond 2^63 − 1, or a file cannot
/// be written.
pub fn export(
    sweep: &SweepSpec,
    store: &ResultStore,
    directory: &Path,
    format: Format,
) -> Result<Exported> {
    let plan = listed(sweep, store)?;
    let runs = runs::collect(&plan, sweep, store)?;
    let metrics = metrics::collect(&runs);
    fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    let target = Target { directory, format };
    // The runs come last: who sees them sees the rest.
    let mut files = vec![
        target.write("cells", &cells::columns(sweep), &plan)?,
        target.write("metrics", &metrics::columns(), &metrics)?,
    ];
    let curves = curves::collect(&runs);
    if !curves.is_empty() {
        files.push(target.write("curves", &curves::columns(), &curves)?);
    }
    files.push(target.write("runs", &runs::columns(sweep, &runs), &runs)?);
    Ok(Exported {
        files,
        runs: runs.len(),
        metrics: metrics.len(),
    })
}

/// The runs to list: all cells, and of a search by halving each cell's run in the first rung and those
/// in later rungs that have a result.
fn listed(sweep: &SweepSpec, store: &ResultStore) -> Result<Vec<PlannedRun>> {
    let plan = sweep.plan();
    let Some(halving) = sweep.halving() else {
        return Ok(plan);
    };
    let mut listed = Vec::new();
    for cell in plan {
        for (rung, epochs) in halving.rungs().iter().enumerate() {
            let run = sweep.cut_short(&cell, *epochs);
            if rung == 0 || store.ending(&run.id)?.is_some() {
                listed.push(run);
            }
        }
    }
    Ok(listed)
}

/// Where tables go, and as what.
struct Target<'a> {
    directory: &'a Path,
    format: Format,
}

impl Target<'_> {
    fn write<Row>(&self, name: &str, columns: &[Column<Row>], rows: &[Row]) -> Result<PathBuf> {
        let extension = self.format.extension();
        let path = self.directory.join(format!("{name}.{extension}"));
        let columns = columns
            .iter()
            .map(|column| Ok((&*column.name, column.values(rows)?)))
            .collect::<Result<Vec<(&str, Values)>>>()?;
        let encoded = match self.format {
            Format::Csv => csv_file::encode(&columns, rows.len()),
            Format::Parquet => parquet_file::encode(&columns, rows.len()),
        };
        let bytes = encoded.map_err(|problem| {
            let problem = format!("cannot be encoded ({problem})");
            Error::corrupt(&path, problem, "please report this as a bug")
        })?;
        write_atomically(&path, &bytes)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests;
