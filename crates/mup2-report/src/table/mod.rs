//! Tables of results that exist: CSV, TSV, JSON Lines and Parquet, whoever made them.
//!
//! [`read`] takes the columns that a [`TableQuery`] names out of one or several files, which are one
//! table, and returns what [`report::build`](crate::report::build) needs. What cannot be used is
//! left out, counted, and said once in the warnings.

mod columns;
mod files;
mod json_lines;
mod names;
mod observations;
mod parquet;
mod separated;

#[cfg(test)]
mod tests;

use crate::report::ReportInput;
use columns::{Columns, Found};
use mup2_scaling::error::Result;
use names::{Names, Wanted};
use std::path::PathBuf;

pub use files::{EXTENSIONS, is_table};
pub(crate) use json_lines::without_bare_nan;

/// Which columns of a table are what.
///
/// Each name is that of a column, or is mapped to one in `columns`: the report then shows the name
/// and reads the column. A column inside nested objects or groups has a name with dots,
/// `optimizer.lr`.
#[derive(Debug, Clone, PartialEq)]
pub struct TableQuery {
    /// The network's size: width, depth, parameters, tokens. Whole numbers above 0.
    pub size: String,
    /// The first hyperparameter, such as the learning rate.
    pub x: String,
    /// The second hyperparameter, such as the radius ρ or the weight decay; `None` for one alone.
    pub y: Option<String>,
    /// What the best is chosen by.
    pub metric: String,
    /// Whether less is better, as for a loss.
    pub minimize: bool,
    /// The same on the test set.
    pub test: Option<String>,
    /// What is compared, such as the scheme; `None`: a column `scheme` if there is one.
    pub series: Option<String>,
    /// The seed; `None`: a column `seed` if there is one, else equal points count as seeds.
    pub seed: Option<String>,
    /// How a run ended; `None`: a metric that is not finite means diverged.
    pub status: Option<String>,
    /// The base size; `None`: the smallest.
    pub base: Option<usize>,
    /// A metric worse than this counts as unstable, in the metric's unit; `None`: 0.3 for an accuracy
    /// between 0 and 1, and nothing else.
    pub unstable: Option<f64>,
    /// Names and the columns that hold them.
    pub columns: Vec<(String, String)>,
    /// Title of the report.
    pub title: String,
    /// The command, for the report.
    pub command: String,
}

impl Default for TableQuery {
    /// One hyperparameter `lr` over `width`, judged by `accuracy`.
    fn default() -> Self {
        Self {
            size: "width".to_owned(),
            x: "lr".to_owned(),
            y: None,
            metric: "accuracy".to_owned(),
            minimize: false,
            test: None,
            series: None,
            seed: None,
            status: None,
            base: None,
            unstable: None,
            columns: Vec::new(),
            title: String::new(),
            command: String::new(),
        }
    }
}

/// Reads the files as one table.
///
/// # Errors
/// A file that cannot be read or is no table, a column that none of the files has, and a table
/// without a single usable row.
pub fn read(files: &[PathBuf], query: &TableQuery) -> Result<ReportInput> {
    let names = Names::new(query)?;
    let mut columns = Columns::new(names.wanted().len());
    let mut found = Found::new(names.wanted().len());
    for file in files {
        files::read(file, names.wanted(), &mut columns, &mut found)?;
    }
    names.check(files, &found)?;
    observations::input(files, query, &columns, &found)
}
