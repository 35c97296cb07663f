//! A sweep as a value: the file `SWEEP.toml`, and the runs that it stands for.

use super::axis::Axis;
use super::cell::{Cell, PlannedRun};
use super::grid::{GivenGrid, Grid};
use super::halving::Halving;
use super::json::Json;
use super::kind::{Given, Kind, Runs, Source};
use super::search::{Search, SearchMethod};
use crate::error::{Error, Result};
use serde::de::IgnoredAny;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::HashSet;
use std::fmt::{Display, Formatter};
use std::hash::Hash;
use std::sync::Arc;

/// More runs than this are taken for a mistake in the grid.
const MAX_RUNS: f64 = 1_000_000.0;

/// Where learning rates and radii may come from.
const LR_AND_RHO: &str = "`grid.lr` and `grid.rho`, or a `[search]` table in place of both";

/// Everything about a sweep: what its runs share, and the grid or the search that varies it.
#[derive(Debug, Clone)]
pub struct SweepSpec {
    /// Name of the sweep; a results directory belongs to one name.
    pub name: String,
    /// What hyperparameters are selected by, where runs have no metric of their own.
    pub selection: Selection,
    /// A cell of lower mean accuracy is shown as unstable; from 0 to 1, 0.3 as in the paper.
    pub unstable_below: f64,
    /// What all runs share.
    pub runs: Arc<dyn Runs>,
    /// What is varied.
    pub grid: Grid,
    /// Scattered points (η, ρ), in place of `grid.lr` and `grid.rho`.
    pub search: Option<Search>,
}

/// The keys of a sweep's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenSweep {
    name: String,
    selection: Option<Selection>,
    unstable_below: Option<f64>,
    // Those of the kinds of runs are taken out before.
    #[serde(rename = "run")]
    _run: Option<IgnoredAny>,
    #[serde(rename = "command")]
    _command: Option<IgnoredAny>,
    grid: GivenGrid,
    search: Option<Search>,
}

const UNSTABLE_BELOW: f64 = 0.3;

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

impl PartialEq for SweepSpec {
    fn eq(&self, other: &Self) -> bool {
        Json::of(self) == Json::of(other)
    }
}

impl Serialize for SweepSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let (key, table) = self.runs.table();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        if self.runs.metric().is_none() {
            map.serialize_entry("selection", &self.selection)?;
        }
        map.serialize_entry("unstable_below", &self.unstable_below)?;
        map.serialize_entry(key, &table)?;
        map.serialize_entry("grid", &self.grid)?;
        if let Some(search) = &self.search {
            map.serialize_entry("search", search)?;
        }
        map.end()
    }
}

impl SweepSpec {
    /// Reads a sweep from a file's table; its values are not checked yet. `place` names the file.
    ///
    /// # Errors
    /// When a key is unknown or missing, a value has another type, or the file asks for runs of
    /// none of the `kinds`.
    pub(crate) fn read(mut source: Source, place: &str, kinds: &[Kind]) -> Result<Self> {
        let keys = source.keys();
        let asked: Vec<&Kind> = kinds
            .iter()
            .filter(|kind| keys.iter().any(|key| key == kind.key))
            .collect();
        let kind = match asked[..] {
            [] => kinds.iter().find(|kind| kind.is_default),
            [kind] => Some(kind),
            [first, second, ..] => {
                return Err(Error::invalid(
                    format!("{place}: {}", second.key),
                    format!("stands beside `{}`", first.key),
                    "one of these tables, which says what a run is",
                ));
            }
        };
        let Some(kind) = kind else {
            let known: Vec<String> = kinds
                .iter()
                .map(|kind| format!("`[{}]`", kind.key))
                .collect();
            return Err(Error::invalid(
                place,
                "does not say what a run is",
                format!("a table {}", known.join(" or ")),
            ));
        };
        let table = source.take(kind.key);
        let mut further = Default::default();
        if kind.further_axes
            && let Some(mut grid) = source.take("grid")
        {
            further = GivenGrid::take_further(&mut grid, place)?;
            source.put("grid", grid);
        }
        let given: GivenSweep = source.parse(place, "")?;
        let mut grid = given.grid;
        grid.further = further;
        let (grid, runs) = (kind.read)(Given {
            table,
            grid,
            search: given.search.as_ref(),
            place,
        })?;
        if let (Some(_), Some(metric)) = (given.selection, runs.metric()) {
            return Err(Error::invalid(
                format!("{place}: selection"),
                format!("stands beside a metric of the runs, `{}`", metric.name),
                "one of the two",
            ));
        }
        Ok(Self {
            name: given.name,
            selection: given.selection.unwrap_or_default(),
            unstable_below: given.unstable_below.unwrap_or(UNSTABLE_BELOW),
            runs,
            grid,
            search: given.search,
        })
    }

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
        let metric = self.runs.metric();
        let is_accuracy = metric.is_none();
        if !self.unstable_below.is_finite()
            || is_accuracy && !(0.0..=1.0).contains(&self.unstable_below)
        {
            let problem = format!("is {}", self.unstable_below);
            return Err(Error::invalid(
                key("unstable_below"),
                problem,
                "numbers from 0 to 1",
            ));
        }
        let grid = &self.grid;
        let pairs = self.validate_pairs(place)?;
        unique(&key("grid.scheme"), &grid.scheme, |scheme| scheme.clone())?;
        unique(&key("grid.width"), &grid.width, |width| *width)?;
        unique(&key("grid.seed"), &grid.seed, |seed| *seed)?;
        let mut runs = pairs * (grid.scheme.len() * grid.width.len() * grid.seed.len()) as f64;
        for (name, axis) in &grid.further.0 {
            axis.validate(&key(&format!("grid.{name}")))?;
            runs *= axis.len();
        }
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
        for (name, axis) in &grid.further.0 {
            unique(&key(&format!("grid.{name}")), &axis.values(), |value| {
                value.to_string()
            })?;
        }
        self.runs.validate(self, place)
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
            let (epochs, epochs_key) = self.runs.epochs();
            search.validate(epochs, epochs_key, place)?;
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

    /// The pairs (η, ρ) that every series, width and seed is run with, in a fixed order.
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
        is_halving.then(|| Halving::of(search, self.runs.epochs().0))
    }

    /// The names of what is compared with each other, in the order of the file: schemes, each at all
    /// combinations of further axes.
    pub fn series(&self) -> Vec<Arc<str>> {
        let series = self.grid.series();
        series.iter().map(|one| Arc::clone(one.name())).collect()
    }

    /// What hyperparameters are selected by, in words.
    pub fn selected_by(&self) -> String {
        match self.runs.metric() {
            Some(metric) => metric.name,
            None => self.selection.to_string(),
        }
    }

    /// Every cell and seed of the grid or search, in a fixed order; several may share one run. Of a
    /// search by halving these are the runs of full length, few of which are ever trained.
    pub fn plan(&self) -> Vec<PlannedRun> {
        let pairs = self.pairs();
        let (epochs, _) = self.runs.epochs();
        let mut plan = Vec::new();
        for series in self.grid.series() {
            for &width in &self.grid.width {
                for &pair in &pairs {
                    for &seed in &self.grid.seed {
                        plan.push(self.run(series.cell(width, pair, seed), epochs));
                    }
                }
            }
        }
        plan
    }

    /// The distinct runs of the plan, the widest first.
    pub fn distinct_runs(&self) -> Vec<PlannedRun> {
        let mut seen = HashSet::new();
        let mut runs = self.plan();
        runs.retain(|run| seen.insert(run.id.clone()));
        runs.sort_by_key(|run| std::cmp::Reverse(run.cell.width));
        runs
    }

    /// The run of a cell, cut short after so many epochs.
    fn run(&self, cell: Cell, epochs: usize) -> PlannedRun {
        PlannedRun {
            id: self.runs.id(&cell, epochs),
            epochs,
            epoch_cost: self.runs.epoch_cost(&cell),
            cell,
        }
    }

    /// The first epochs of a run as a run of its own, for the same cell.
    pub fn cut_short(&self, run: &PlannedRun, epochs: usize) -> PlannedRun {
        self.run(run.cell.clone(), epochs)
    }

    /// The spec of a run.
    pub fn spec(&self, run: &PlannedRun) -> Json {
        self.runs.spec(&run.cell, run.epochs)
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
