//! What kinds of runs a sweep may be of: the built-in trainer's, or those of somebody's command.

use super::cell::Cell;
use super::grid::{GivenGrid, Grid};
use super::identity::RunId;
use super::json::Json;
use super::search::Search;
use super::sweep::SweepSpec;
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// The runs that the cells of a sweep stand for, as values. Who trains them is a
/// [`Trainer`](crate::Trainer).
pub trait Runs: Any + Debug + Send + Sync {
    /// The table of the sweep's file that they come from: its key, and its values with every default
    /// filled in.
    fn table(&self) -> (&'static str, Json);

    /// Checks the values, and what only this kind of runs demands of the `sweep` that they are of;
    /// `place` names the file.
    ///
    /// # Errors
    /// The first value that is not allowed, by key.
    fn validate(&self, sweep: &SweepSpec, place: &str) -> Result<()>;

    /// Epochs of a whole run, at least 1, and the key that they stand at.
    fn epochs(&self) -> (usize, &'static str);

    /// The spec of a cell's run, cut short after so many epochs.
    fn spec(&self, cell: &Cell, epochs: usize) -> Json;

    /// The id of that spec.
    fn id(&self, cell: &Cell, epochs: usize) -> RunId;

    /// The id of a spec that a file holds; nothing if it is none of this kind.
    fn id_of(&self, spec: &Json) -> Option<RunId>;

    /// A spec with the defaults of those keys that it lacks, having been written before they were there.
    fn filled(&self, spec: &Json) -> Json {
        spec.clone()
    }

    /// Estimated cost of one epoch of a cell's run, in arbitrary units.
    fn epoch_cost(&self, cell: &Cell) -> f64;

    /// The one number that runs are compared by, where it is not an accuracy after an epoch.
    fn metric(&self) -> Option<Metric> {
        None
    }

    /// What a report says of them.
    fn description(&self, sweep: &SweepSpec) -> Description;

    /// Columns of a table of runs, read from their specs.
    fn columns(&self) -> Vec<SpecColumn>;
}

impl dyn Runs {
    /// The runs as the type that they are, if it is `T`.
    pub fn of_type<T: Runs>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}

/// Which number of a result counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Name of the number on data that nothing is selected by; the same number unless there is one.
    pub test: Option<String>,
    /// Whether less is better.
    pub minimize: bool,
}

/// Words of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The data.
    pub dataset: String,
    /// The width that hyperparameters are tuned at.
    pub base_width: usize,
    /// Names and values.
    pub settings: Vec<(String, String)>,
}

/// A column of a table of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecColumn {
    /// Name.
    pub name: String,
    /// What its values are.
    pub kind: ColumnKind,
    /// Where in a spec they stand, as `model.width`.
    pub at: String,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Real,
    /// Text.
    Text,
}

/// A kind of runs, as a sweep's file asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The table that holds what all runs share.
    pub key: &'static str,
    /// Whether a file without the table of any kind is of this one.
    pub is_default: bool,
    /// Whether a grid may have further axes.
    pub further_axes: bool,
    /// Makes the runs and the grid from what the file gives.
    pub read: fn(Given) -> Result<GridOfRuns>,
}

/// A grid, and the runs that its cells stand for.
pub type GridOfRuns = (Grid, Arc<dyn Runs>);

/// What a sweep's file gives to a [`Kind`].
#[derive(Debug)]
pub struct Given<'a> {
    /// The table of the kind.
    pub table: Option<Source>,
    /// The grid.
    pub grid: GivenGrid,
    /// The search.
    pub search: Option<&'a Search>,
    /// The file's name, for messages.
    pub place: &'a str,
}

/// A part of a file, before it has a type.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Of a TOML file.
    Toml(toml::Value),
    /// Of a JSON file.
    Json(serde_json::Value),
}

impl Source {
    /// Takes out the value of a key, if this is a table that has it.
    pub(super) fn take(&mut self, key: &str) -> Option<Self> {
        match self {
            Self::Toml(value) => value.as_table_mut()?.remove(key).map(Self::Toml),
            Self::Json(value) => value.as_object_mut()?.remove(key).map(Self::Json),
        }
    }

    /// Puts a value at a key, if this is a table of the same format.
    pub(super) fn put(&mut self, key: &str, value: Self) {
        match (self, value) {
            (Self::Toml(toml::Value::Table(table)), Self::Toml(value)) => {
                table.insert(key.to_owned(), value);
            }
            (Self::Json(serde_json::Value::Object(object)), Self::Json(value)) => {
                object.insert(key.to_owned(), value);
            }
            _ => {}
        }
    }

    /// The keys, if this is a table.
    pub(super) fn keys(&self) -> Vec<String> {
        match self {
            Self::Toml(toml::Value::Table(table)) => table.keys().cloned().collect(),
            Self::Json(serde_json::Value::Object(object)) => object.keys().cloned().collect(),
            Self::Toml(_) | Self::Json(_) => Vec::new(),
        }
    }

    /// Whether this is a table.
    pub(super) fn is_table(&self) -> bool {
        match self {
            Self::Toml(value) => value.is_table(),
            Self::Json(value) => value.is_object(),
        }
    }

    /// Whether this is a list.
    pub(super) fn is_list(&self) -> bool {
        match self {
            Self::Toml(value) => value.is_array(),
            Self::Json(value) => value.is_array(),
        }
    }

    /// The part as a type; `place` names the file, and `prefix` the key below which it stands.
    ///
    /// # Errors
    /// When a key is unknown or missing, or a value has another type.
    pub fn parse<T: DeserializeOwned>(self, place: &str, prefix: &str) -> Result<T> {
        let (path, message) = match self {
            Self::Toml(value) => match serde_path_to_error::deserialize(value) {
                Ok(parsed) => return Ok(parsed),
                Err(error) => (error.path().to_string(), error.inner().message().to_owned()),
            },
            Self::Json(value) => match serde_path_to_error::deserialize(value) {
                Ok(parsed) => return Ok(parsed),
                Err(error) => (error.path().to_string(), error.inner().to_string()),
            },
        };
        let message = super::read::one_line(&message);
        let (problem, allowed) = super::read::plain(&message);
        let path = match (prefix, path.as_str()) {
            ("", ".") => return Err(Error::invalid(place, problem, allowed)),
            ("", path) => path.to_owned(),
            (prefix, ".") => prefix.to_owned(),
            (prefix, path) if path.starts_with('[') => format!("{prefix}{path}"),
            (prefix, path) => format!("{prefix}.{path}"),
        };
        Err(Error::invalid(format!("{place}: {path}"), problem, allowed))
    }
}
