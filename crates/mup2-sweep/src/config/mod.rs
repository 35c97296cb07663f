//! What a sweep is, whatever a run is: [`SweepSpec`], its TOML form, grids, searches and run ids.

mod axis;
mod cell;
mod grid;
mod halving;
mod identity;
mod json;
mod kind;
mod read;
mod search;
mod sweep;

pub use axis::{Axis, Log2Steps};
pub use cell::{AxisValue, Cell, PlannedRun, number};
pub use grid::{FurtherAxes, FurtherAxis, GivenGrid, Grid};
pub use halving::Halving;
pub use identity::{Canonical, RunId};
pub use json::Json;
pub use kind::{
    ColumnKind, Description, Given, GridOfRuns, Kind, Metric, Runs, Source, SpecColumn,
};
pub use read::{blame, one_line, parse_sweep, parse_table, read_sweep, read_text};
pub use search::{Log2Range, Search, SearchMethod};
pub use sweep::{Selection, SweepSpec};

#[cfg(test)]
mod search_tests;
