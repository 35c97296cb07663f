//! A sweep as a value: the file `SWEEP.toml`, and the runs that it stands for.

use super::axis::Axis;
use super::halving::Halving;
use super::identity::RunId;
use super::run::RunSpec;
use super::search::{Search, SearchMethod};
use crate::error::{Error, Result};
use crate::scaling::SchemeName;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt::{Display, Formatter};
use std::hash::Hash;

/// More runs than this are taken for a mistake in the grid.
const MAX_RUNS: f64 = 1_000_000.0;

/// Where learning rates and radii may come from.
const LR_AND_RHO: &str = "`grid.lr` and `grid.rho`, or a `[search]` table in place of both";

/// Everything about a sweep: one run, and the grid or the search that varies it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepSpec {
    /// Name of the sweep; a results directory belongs to one name.
    pub name: String,
    /// What hyperparameters are selected by.
    #[serde(default)]
    pub selection: Selection,
    /// A cell of lower mean accuracy is shown as unstable; from 0 to 1, 0.3 as in the paper.
    #[serde(default = "default_unstable_below")]
    pub unstable_below: f64,
    /// What all runs share.
    #[serde(default)]
    pub run: RunSpec,
    /// What is varied.
    pub grid: Grid,
    /// Scattered points (η, ρ), in place of `grid.lr` and `grid.rho`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

fn default_unstable_below() -> f64 {
    0.3
}

/// The `[grid]` table: all combinations are run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Schemes such as `sp-naive` or `mup2`, with a rule if wanted: `mup2+asam`.
    pub scheme: Vec<SchemeName>,
    /// Widths.
    pub width: Vec<usize>,
    /// Learning rates η; absent where a `[search]` table gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<Axis>,
    /// Perturbation radii ρ; 0 is the base optimizer alone. Absent with `lr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rho: Option<Axis>,
    /// Seeds.
    #[serde(default = "one_seed")]
    pub seed: Vec<u64>,
}

fn one_seed() -> Vec<u64> {
    vec![0]
}

/// The accuracy that hyperparameters are selected by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// Validation accuracy after the last epoch.
    #[default]
    Validation,
    /// The best validation accuracy over epochs, with the test accuracy of that epoch.
    BestValidation,
    /// The best test accuracy over epochs: the paper's protocol, which sees the test set.
    BestTest,
}

impl Display for Selection {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Validation => "validation",
            Self::BestValidation => "best-validation",
            Self::BestTest => "best-test",
        })
    }
}

/// One cell of the grid and seed, with the run that gives its result.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRun {
    /// Scheme of the cell.
    pub scheme: SchemeName,
    /// Id of the run; cells that are the same run by definition (all schemes at the base width,
    /// all perturbation scalings at ρ = 0) share it.
    pub id: RunId,
    /// The run's spec.
    pub spec: RunSpec,
}

impl SweepSpec {
    /// Checks every value; `place` names the file for the message.
    ///
    /// # Errors
    /// The first value that is out of its range, by key, with what is allowed.
    pub fn validate(&self, place: &str) -> Result<()> {
        let key = |key: &str| format!("{place}: {key}");
        let name_ok = !self.name.is_empty()
            && self.name.len() <= 100
            && self
                .name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !name_ok {
            return Err(Error::invalid(
                key("name"),
                format!("is `{}`", self.name),
                "1 to 100 letters, digits, `-`, `_` and `.`",
            ));
        }
        if !(0.0..=1.0).contains(&self.unstable_below) {
            let problem = format!("is {}", self.unstable_below);
            return Err(Error::invalid(
                key("unstable_below"),
                problem,
                "numbers from 0 to 1",
            ));
        }
        let grid = &self.grid;
        let pairs = self.validate_pairs(place)?;
        unique(&key("grid.scheme"), &grid.scheme, |scheme| *scheme)?;
        unique(&key("grid.width"), &grid.width, |width| *width)?;
        unique(&key("grid.seed"), &grid.seed, |seed| *seed)?;
        let runs = pairs * (grid.scheme.len() * grid.width.len() * grid.seed.len()) as f64;
        if runs > MAX_RUNS {
            return Err(Error::invalid(
                key("grid"),
                format!("has {runs:.0} runs"),
                format!("at most {MAX_RUNS:.0} runs in one sweep"),
            ));
        }
        for (name, axis) in [("grid.lr", &grid.lr), ("grid.rho", &grid.rho)] {
            if let Some(axis) = axis {
                // Of equal numbers only 0 and −0 differ in their bits.
                unique(&key(name), &axis.values(), |value| (value + 0.0).to_bits())?;
            }
        }
        self.run.validate_below(place, "run.")?;
        for scheme in &grid.scheme {
            let mut run = self.run.clone();
            run.set_scheme(*scheme);
            run.validate_rule(&key("grid.scheme"), scheme)?;
        }
        if let Some(width) = grid
            .width
            .iter()
            .find(|width| !(1..=1 << 20).contains(*width))
        {
            return Err(Error::invalid(
                key("grid.width"),
                format!("holds {width}"),
                "whole numbers from 1 to 1048576",
            ));
        }
        let base = self.run.model.base_width;
        match grid.width.iter().find(|width| **width < base) {
            Some(width) => Err(Error::invalid(
                key("grid.width"),
                format!("holds {width}, narrower than `run.model.base_width` = {base}"),
                "widths of at least the base width, on which hyperparameters are tuned",
            )),
            None => Ok(()),
        }
    }

    /// Checks where the pairs (η, ρ) come from and returns how many there are, before they are
    /// made.
    fn validate_pairs(&self, place: &str) -> Result<f64> {
        let key = |name: &str| format!("{place}: grid.{name}");
        let axes = [("lr", &self.grid.lr), ("rho", &self.grid.rho)];
        if let Some(search) = &self.search {
            if let Some((name, _)) = axes.iter().find(|(_, axis)| axis.is_some()) {
                let problem = "stands beside a `[search]` table";
                return Err(Error::invalid(key(name), problem, LR_AND_RHO));
            }
            search.validate(self.run.train.epochs, place)?;
            return Ok(search.len());
        }
        let mut pairs = 1.0;
        for (name, axis) in axes {
            let Some(axis) = axis else {
                return Err(Error::invalid(key(name), "is missing", LR_AND_RHO));
            };
            axis.validate(&key(name), name == "rho")?;
            pairs *= axis.len();
        }
        Ok(pairs)
    }

    /// The pairs (η, ρ) that every scheme, width and seed is run with, in a fixed order.
    fn pairs(&self) -> Vec<(f64, f64)> {
        if let Some(search) = &self.search {
            return search.pairs();
        }
        let values = |axis: &Option<Axis>| axis.as_ref().map(Axis::values).unwrap_or_default();
        let rhos = values(&self.grid.rho);
        let lrs = values(&self.grid.lr).into_iter();
        lrs.flat_map(|lr| rhos.iter().map(move |rho| (lr, *rho)))
            .collect()
    }

    /// The rungs of a search by halving.
    pub fn halving(&self) -> Option<Halving> {
        let search = self.search.as_ref()?;
        let is_halving = search.method == SearchMethod::Halving;
        is_halving.then(|| Halving::of(search, self.run.train.epochs))
    }

    /// Every cell and seed of the grid or search, in a fixed order; several may share one run. Of a
    /// search by halving these are the runs of full length, few of which are ever trained.
    pub fn plan(&self) -> Vec<PlannedRun> {
        let pairs = self.pairs();
        let mut plan = Vec::new();
        for &scheme in &self.grid.scheme {
            for &width in &self.grid.width {
                for &(lr, rho) in &pairs {
                    for &seed in &self.grid.seed {
                        let spec = self.cell(scheme, width, lr, rho, seed);
                        let id = RunId::of(&spec);
                        plan.push(PlannedRun { scheme, id, spec });
                    }
                }
            }
        }
        plan
    }

    /// The distinct runs of the plan, most expensive (widest) first, so that the last worker to
    /// finish does not hold a long run.
    pub fn distinct_runs(&self) -> Vec<PlannedRun> {
        let mut seen = HashSet::new();
        let mut runs = self.plan();
        runs.retain(|run| seen.insert(run.id.clone()));
        runs.sort_by_key(|run| std::cmp::Reverse(run.spec.model.width));
        runs
    }

    fn cell(&self, scheme: SchemeName, width: usize, lr: f64, rho: f64, seed: u64) -> RunSpec {
        let mut spec = self.run.clone();
        spec.set_scheme(scheme);
        spec.model.width = width;
        spec.optimizer.lr = lr;
        spec.sam.rho = rho;
        spec.seed = seed;
        spec
    }
}

/// Refuses an empty list and one that holds a value twice; equal values, and no others, have equal keys.
fn unique<T: std::fmt::Debug, K: Eq + Hash>(
    place: &str,
    values: &[T],
    key: impl Fn(&T) -> K,
) -> Result<()> {
    if values.is_empty() {
        return Err(Error::invalid(place, "is empty", "at least one value"));
    }
    let mut seen = HashSet::new();
    match values.iter().find(|value| !seen.insert(key(value))) {
        None => Ok(()),
        Some(value) => {
            let problem = format!("holds {value:?} twice");
            Err(Error::invalid(place, problem, "each value once"))
        }
    }
}
