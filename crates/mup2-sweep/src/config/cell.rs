//! A cell of a sweep: where its run stands on the axes, and which run that is.

use super::identity::RunId;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt::{Debug, Display, Formatter};
use std::sync::Arc;

/// A point of the grid or search, with a seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// What it is compared with: the scheme, followed by those further axes that vary.
    pub series: Arc<str>,
    /// Scheme.
    pub scheme: Arc<str>,
    /// Width, or another size that hyperparameters are to transfer over.
    pub width: usize,
    /// Learning rate η.
    pub lr: f64,
    /// Perturbation radius ρ; 0 is the base optimizer alone.
    pub rho: f64,
    /// Seed.
    pub seed: u64,
    /// Values on further axes, by name, in the order of the file.
    pub further: Arc<[(String, AxisValue)]>,
}

/// A value on a further axis.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AxisValue {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Real(f64),
    /// Text.
    Text(String),
}

impl Debug for AxisValue {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(value) => write!(formatter, "{value:?}"),
            value => write!(formatter, "{value}"),
        }
    }
}

impl Display for AxisValue {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Real(value) => formatter.write_str(&number(*value)),
            Self::Text(value) => formatter.write_str(value),
        }
    }
}

/// A number as other programs read it: in plain digits, or with an exponent where those would be
/// long.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-5..1e16).contains(&size) {
        return format!("{value:e}");
    }
    value.to_string()
}

impl<'de> Deserialize<'de> for AxisValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl Visitor<'_> for ValueVisitor {
            type Value = AxisValue;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a number, a text or a boolean")
            }

            fn visit_bool<E>(self, value: bool) -> Result<AxisValue, E> {
                Ok(AxisValue::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<AxisValue, E> {
                Ok(AxisValue::Integer(value))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<AxisValue, E> {
                let value = i64::try_from(value).map_err(E::custom)?;
                Ok(AxisValue::Integer(value))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<AxisValue, E> {
                if value.is_finite() {
                    return Ok(AxisValue::Real(value));
                }
                Err(E::custom(format!("{value}, expected a finite number")))
            }

            fn visit_str<E>(self, value: &str) -> Result<AxisValue, E> {
                Ok(AxisValue::Text(value.to_owned()))
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// One cell of the grid and seed, with the run that gives its result.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRun {
    /// Id of the run; cells that are the same run by definition share it.
    pub id: RunId,
    /// The cell.
    pub cell: Cell,
    /// Epochs of the run: all, or those up to a rung of a halving.
    pub epochs: usize,
    /// Estimated cost of one epoch, in arbitrary units; for order and ETA.
    pub epoch_cost: f64,
}

impl PlannedRun {
    /// Estimated cost of the run.
    pub fn cost(&self) -> f64 {
        self.epochs as f64 * self.epoch_cost
    }
}
