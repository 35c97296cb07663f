//! What a user asks for, as values: [`RunSpec`], [`SweepSpec`], their TOML form and the run id.

// What a sweep is, whatever a run is.
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

// The built-in trainer's runs.
mod beginning;
mod canonical;
mod device;
mod model;
mod range;
mod read_run;
mod run;
mod scheme;
mod sharpness;
mod train;

pub use axis::{Axis, Log2Steps};
pub use cell::{AxisValue, Cell, PlannedRun, number};
pub use grid::{FurtherAxes, FurtherAxis, GivenGrid, Grid};
pub use halving::Halving;
pub use identity::{Canonical, RunId};
pub use json::Json;
pub use kind::{
    ColumnKind, Description, Given, GridOfRuns, Kind, Metric, Runs, Source, SpecColumn,
};
pub use read::{parse_sweep, parse_table, read_sweep, read_text};
pub use search::{Log2Range, Search, SearchMethod};
pub use sweep::{Selection, SweepSpec};

pub use device::TrainingDevice;
pub use model::{
    Activation, AttentionScale, ChannelNorm, GruSpec, ModelKind, ModelSpec, ResNetSpec, ResNetStem,
    VitPool, VitSpec,
};
pub use read_run::{parse_run, read_run};
pub use run::{
    OptimizerName, OptimizerSpec, PerturbationBatch, RunSpec, SamSpec, ScalingSpec, Schedule,
};
pub use scheme::SchemeName;
pub use sharpness::{SharpnessGeometry, SharpnessSpec};
pub use train::TrainSpec;

#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod sharpness_tests;
