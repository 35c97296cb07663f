//! The runs of a command, as a sweep knows them.

use super::arguments::{CommandSpec, Direction, Files, value_of};
use super::given::read;
use crate::config::{
    Canonical, Cell, ColumnKind, Description, Json, Kind, Metric, RunId, Runs, SpecColumn,
    SweepSpec,
};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// Sweeps of a command: those with a `[command]` table.
pub const COMMAND: Kind = Kind {
    key: "command",
    is_default: false,
    further_axes: true,
    read,
};

/// The command that a sweep's runs call; nothing if they call none.
pub fn command_of(sweep: &SweepSpec) -> Option<&CommandSpec> {
    sweep.runs.of_type()
}

/// What decides the result of one call, as far as anybody knows: the template, the values that it is
/// filled with, and what the user declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    argv: Vec<String>,
    version: String,
    files: Files,
    values: Json,
}

impl Canonical for Call {
    const VERSION: &'static str = "mup2 command 1";

    fn canonical(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl CommandSpec {
    fn call(&self, cell: &Cell, epochs: usize) -> Call {
        let templates = self.templates("").unwrap_or_default();
        let names: BTreeSet<&str> = templates.iter().flat_map(|one| one.names()).collect();
        let value = |name: &str| (name.to_owned(), value_of(name, cell, epochs));
        Call {
            argv: self.argv.clone(),
            version: self.version.clone(),
            files: self.files.clone(),
            values: Json::Object(names.into_iter().map(value).collect()),
        }
    }
}

impl Runs for CommandSpec {
    fn table(&self) -> (&'static str, Json) {
        ("command", Json::of(self))
    }

    fn validate(&self, sweep: &SweepSpec, place: &str) -> Result<()> {
        let grid = &sweep.grid;
        if grid.width.contains(&0) {
            let place = format!("{place}: grid.width");
            return Err(Error::invalid(place, "holds 0", "whole numbers from 1"));
        }
        if grid.scheme.iter().any(|scheme| scheme.trim().is_empty()) {
            let place = format!("{place}: grid.scheme");
            return Err(Error::invalid(place, "holds an empty name", "names"));
        }
        Ok(())
    }

    fn epochs(&self) -> (usize, &'static str) {
        (self.epochs.unwrap_or(1), "command.epochs")
    }

    fn spec(&self, cell: &Cell, epochs: usize) -> Json {
        Json::of(&self.call(cell, epochs))
    }

    fn id(&self, cell: &Cell, epochs: usize) -> RunId {
        RunId::of(&self.call(cell, epochs))
    }

    fn id_of(&self, spec: &Json) -> Option<RunId> {
        Some(RunId::of(&spec.to::<Call>().ok()?))
    }

    /// In proportion to the width: nobody knows what a command does with it.
    fn epoch_cost(&self, cell: &Cell) -> f64 {
        cell.width as f64
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric {
            name: self.metric.clone(),
            test: self.test.clone(),
            minimize: self.direction == Direction::Min,
        })
    }

    fn description(&self, sweep: &SweepSpec) -> Description {
        let list = |values: &[String]| values.join(", ");
        let words = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>();
        let mut settings = vec![
            ("Command".to_owned(), self.argv.join(" ")),
            ("Metric".to_owned(), self.metric_in_words()),
            (
                "Widths".to_owned(),
                list(&words(
                    &mut sweep.grid.width.iter().map(ToString::to_string),
                )),
            ),
            (
                "Seeds".to_owned(),
                list(&words(&mut sweep.grid.seed.iter().map(ToString::to_string))),
            ),
        ];
        if !self.version.is_empty() {
            settings.push(("Version".to_owned(), self.version.clone()));
        }
        for (name, axis) in &sweep.grid.further.0 {
            let values = axis
                .values()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>();
            settings.push((name.clone(), list(&values)));
        }
        Description {
            dataset: "the command's own data".to_owned(),
            base_width: sweep.grid.width.iter().copied().min().unwrap_or(1),
            settings,
        }
    }

    fn columns(&self) -> Vec<SpecColumn> {
        let columns = [
            ("width", ColumnKind::Integer),
            ("lr", ColumnKind::Real),
            ("rho", ColumnKind::Real),
            ("seed", ColumnKind::Integer),
        ];
        let columns = columns.map(|(name, kind)| SpecColumn {
            name: name.to_owned(),
            kind,
            at: format!("values.{name}"),
        });
        columns.into()
    }
}

impl CommandSpec {
    fn metric_in_words(&self) -> String {
        match self.direction {
            Direction::Max => format!("{}, more is better", self.metric),
            Direction::Min => format!("{}, less is better", self.metric),
        }
    }
}
