//! The runs of the built-in trainer, as a sweep knows them.

use super::{columns, description};
use crate::config::RunSpec;
use crate::error::{Error, Result};
use mup2_scaling::SchemeName;
use mup2_sweep::config::{
    Cell, Description, Given, GivenGrid, Grid, GridOfRuns, Json, Kind, RunId, Runs, SpecColumn,
    SweepSpec,
};
use std::sync::Arc;

/// Sweeps of the built-in trainer: those with a `[run]` table, or with none at all.
pub const BUILT_IN: Kind = Kind {
    key: "run",
    is_default: true,
    further_axes: false,
    read,
};

/// What all runs of a sweep share; nothing if they are not the built-in trainer's.
pub fn run_of(sweep: &SweepSpec) -> Option<&RunSpec> {
    sweep.runs.of_type()
}

fn read(given: Given) -> Result<GridOfRuns> {
    let Given {
        table, grid, place, ..
    } = given;
    let run: RunSpec = match table {
        Some(table) => table.parse(place, "run")?,
        None => RunSpec::default(),
    };
    let missing = |key: &str| {
        let problem = format!("missing field `{key}`");
        Error::invalid(format!("{place}: grid"), problem, "see `mup2 spec`")
    };
    let GivenGrid {
        scheme,
        width,
        lr,
        rho,
        seed,
        further,
    } = grid;
    let grid = Grid {
        scheme: schemes(&scheme.ok_or_else(|| missing("scheme"))?, place)?,
        width: width.ok_or_else(|| missing("width"))?,
        lr,
        rho,
        seed: seed.unwrap_or_else(|| vec![0]),
        further,
    };
    Ok((grid, Arc::new(run)))
}

/// The scheme that stands at a place of the list in the file.
fn scheme(index: usize, name: &str, place: &str) -> Result<SchemeName> {
    name.parse().map_err(|message: String| {
        let (problem, allowed) = message
            .split_once(", expected ")
            .unwrap_or((&message, "see `mup2 spec`"));
        Error::invalid(format!("{place}: grid.scheme[{index}]"), problem, allowed)
    })
}

/// The names of schemes, each in its one spelling.
fn schemes(names: &[String], place: &str) -> Result<Vec<String>> {
    let known = |(index, name): (usize, &String)| Ok(scheme(index, name, place)?.to_string());
    names.iter().enumerate().map(known).collect()
}

impl Runs for RunSpec {
    fn table(&self) -> (&'static str, Json) {
        ("run", Json::of(self))
    }

    fn validate(&self, sweep: &SweepSpec, place: &str) -> Result<()> {
        let key = |key: &str| format!("{place}: {key}");
        self.validate_below(place, "run.")?;
        for (index, name) in sweep.grid.scheme.iter().enumerate() {
            let mut run = self.clone();
            run.set_scheme(scheme(index, name, place)?);
            run.validate_rule(&key("grid.scheme"), name)?;
        }
        let widths = &sweep.grid.width;
        if let Some(width) = widths.iter().find(|width| !(1..=1 << 20).contains(*width)) {
            return Err(Error::invalid(
                key("grid.width"),
                format!("holds {width}"),
                "whole numbers from 1 to 1048576",
            ));
        }
        let base = self.model.base_width;
        match widths.iter().find(|width| **width < base) {
            Some(width) => Err(Error::invalid(
                key("grid.width"),
                format!("holds {width}, narrower than `run.model.base_width` = {base}"),
                "widths of at least the base width, on which hyperparameters are tuned",
            )),
            None => Ok(()),
        }
    }

    fn epochs(&self) -> (usize, &'static str) {
        (self.train.epochs, "run.train.epochs")
    }

    fn spec(&self, cell: &Cell, epochs: usize) -> Json {
        Json::of(&self.at(cell, epochs))
    }

    fn id(&self, cell: &Cell, epochs: usize) -> RunId {
        RunId::of(&self.at(cell, epochs))
    }

    fn id_of(&self, spec: &Json) -> Option<RunId> {
        let spec: RunSpec = spec.to().ok()?;
        Some(RunId::of(&spec))
    }

    fn filled(&self, spec: &Json) -> Json {
        match spec.to::<Self>() {
            Ok(filled) => Json::of(&filled),
            Err(_) => spec.clone(),
        }
    }

    /// Multiply-adds of the weights, plus a constant a step.
    fn epoch_cost(&self, cell: &Cell) -> f64 {
        /// Inputs of an image, about; only the ratio between widths matters.
        const INPUTS: f64 = 784.0;
        /// What a step costs beyond its products, in the units of one multiply-add a sample.
        const OVERHEAD: f64 = 40_000.0;
        let width = cell.width as f64;
        // Only an MLP says how many there are.
        let mlp = self.model.mlp();
        let hidden = mlp.map_or(1, |mlp| mlp.depth.saturating_sub(2)) as f64;
        let passes = if cell.rho > 0.0 { 2.0 } else { 1.0 };
        passes * (OVERHEAD + width * (INPUTS + hidden * width))
    }

    fn description(&self, sweep: &SweepSpec) -> Description {
        description::describe(self, sweep)
    }

    fn columns(&self) -> Vec<SpecColumn> {
        columns::columns()
    }
}

impl RunSpec {
    /// The run of a cell, cut short after so many epochs.
    pub(super) fn at(&self, cell: &Cell, epochs: usize) -> Self {
        let mut spec = self.clone();
        // A grid's names were read before; one that nobody has checked changes nothing.
        if let Ok(scheme) = cell.scheme.parse::<SchemeName>() {
            spec.set_scheme(scheme);
        }
        spec.model.width = cell.width;
        spec.optimizer.lr = cell.lr;
        spec.sam.rho = cell.rho;
        spec.seed = cell.seed;
        spec.cut_short(epochs)
    }
}
