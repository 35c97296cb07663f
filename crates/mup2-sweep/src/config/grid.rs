//! The `[grid]` table of a sweep: all combinations of its values are run.

use super::axis::{Axis, Log2Steps};
use super::cell::{AxisValue, Cell};
use super::kind::Source;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;

/// The axes of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grid {
    /// Schemes such as `sp-naive` or `mup2`, with a rule if wanted: `mup2+asam`.
    pub scheme: Vec<String>,
    /// Widths.
    pub width: Vec<usize>,
    /// Learning rates η; absent where a `[search]` table gives them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<Axis>,
    /// Perturbation radii ρ; 0 is the base optimizer alone. Absent with `lr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rho: Option<Axis>,
    /// Seeds.
    pub seed: Vec<u64>,
    /// Further axes, by name.
    #[serde(flatten)]
    pub further: FurtherAxes,
}

/// The `[grid]` table as a file gives it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenGrid {
    /// Schemes.
    pub scheme: Option<Vec<String>>,
    /// Widths.
    pub width: Option<Vec<usize>>,
    /// Learning rates η.
    pub lr: Option<Axis>,
    /// Perturbation radii ρ.
    pub rho: Option<Axis>,
    /// Seeds.
    pub seed: Option<Vec<u64>>,
    /// Further axes; empty unless the kind of runs allows for them.
    #[serde(skip)]
    pub further: FurtherAxes,
}

impl GivenGrid {
    /// The names of its axes.
    const KEYS: [&str; 5] = ["scheme", "width", "lr", "rho", "seed"];

    /// Takes further axes out of the `[grid]` table `grid`.
    ///
    /// # Errors
    /// When one is no list and no range.
    pub(super) fn take_further(grid: &mut Source, place: &str) -> Result<FurtherAxes> {
        let mut axes = Vec::new();
        for name in grid.keys() {
            if Self::KEYS.contains(&name.as_str()) {
                continue;
            }
            let Some(axis) = grid.take(&name) else {
                continue;
            };
            axes.push((name.clone(), FurtherAxis::read(axis, place, &name)?));
        }
        Ok(FurtherAxes(axes))
    }
}

/// Axes beyond those that every sweep has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FurtherAxes(pub Vec<(String, FurtherAxis)>);

impl Serialize for FurtherAxes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, axis)| (name, axis)))
    }
}

/// Values of any kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FurtherAxis {
    /// An explicit list.
    List(Vec<AxisValue>),
    /// Powers of two.
    Log2(Log2Steps),
}

impl FurtherAxis {
    fn read(axis: Source, place: &str, name: &str) -> Result<Self> {
        let key = format!("grid.{name}");
        if axis.is_table() {
            return axis.parse(place, &key).map(Self::Log2);
        }
        if !axis.is_list() {
            return Err(Error::invalid(
                format!("{place}: {key}"),
                "is no list",
                "a list such as [0.1, 0.2] or { log2_from = -6, log2_to = 0, log2_step = 1 }",
            ));
        }
        axis.parse(place, &key).map(Self::List)
    }

    /// Number of values, before they are made.
    pub(super) fn len(&self) -> f64 {
        match self {
            Self::List(values) => values.len() as f64,
            Self::Log2(steps) => Axis::Log2(steps.clone()).len(),
        }
    }

    /// Checks the bounds; `place` names the file and key.
    pub(super) fn validate(&self, place: &str) -> Result<()> {
        match self {
            Self::List(values) if values.is_empty() => {
                Err(Error::invalid(place, "is empty", "at least one value"))
            }
            Self::List(_) => Ok(()),
            Self::Log2(steps) => Axis::Log2(steps.clone()).validate(place, true),
        }
    }

    /// The values, in order.
    pub fn values(&self) -> Vec<AxisValue> {
        match self {
            Self::List(values) => values.clone(),
            Self::Log2(steps) => {
                let values = Axis::Log2(steps.clone()).values().into_iter();
                values.map(AxisValue::Real).collect()
            }
        }
    }
}

/// The part of a cell that tells which series it belongs to.
#[derive(Debug, Clone)]
pub(super) struct Series {
    name: Arc<str>,
    scheme: Arc<str>,
    further: Arc<[(String, AxisValue)]>,
}

impl Series {
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub fn cell(&self, width: usize, (lr, rho): (f64, f64), seed: u64) -> Cell {
        Cell {
            series: Arc::clone(&self.name),
            scheme: Arc::clone(&self.scheme),
            width,
            lr,
            rho,
            seed,
            further: Arc::clone(&self.further),
        }
    }
}

impl Grid {
    /// Every scheme at every combination of further axes, in the order of the file.
    pub(super) fn series(&self) -> Vec<Series> {
        let mut combinations: Vec<Vec<(String, AxisValue)>> = vec![Vec::new()];
        for (name, axis) in &self.further.0 {
            let values = axis.values();
            combinations = combinations
                .into_iter()
                .flat_map(|combination| {
                    let with = |value: &AxisValue| {
                        let own = (name.clone(), value.clone());
                        combination.iter().cloned().chain([own]).collect()
                    };
                    values.iter().map(with).collect::<Vec<Vec<_>>>()
                })
                .collect();
        }
        let varies = |name: &str| {
            let mut axes = self.further.0.iter();
            axes.any(|(other, axis)| other == name && axis.len() > 1.0)
        };
        let mut series = Vec::new();
        for scheme in &self.scheme {
            for further in &combinations {
                let shown = further.iter().filter(|(name, _)| varies(name));
                let name = shown.fold(scheme.clone(), |text, (name, value)| {
                    format!("{text}, {name}={value}")
                });
                series.push(Series {
                    name: name.into(),
                    scheme: scheme.as_str().into(),
                    further: further.clone().into(),
                });
            }
        }
        series
    }
}
