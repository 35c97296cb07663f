//! What a parameter starts at, at the base width.

use crate::scaling::Role;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// What a parameter starts at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// N(0, gain² / fan_in) at the base width, from our streams.
    Drawn {
        /// A gain of its own; `None` takes that of [`WeightGain`].
        gain: Option<f64>,
    },
    /// One value for all entries, at every width.
    Constant(f64),
    /// What the module was made with, at every width.
    Kept,
}

/// The gain of weights that have none of their own.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum WeightGain {
    /// √2, for ReLU and GELU (He et al. 2015); 1 for a readout, which no nonlinearity follows.
    #[default]
    He,
    /// 1 (LeCun et al. 1998).
    LeCun,
}

impl WeightGain {
    /// The gain of a weight of `role`.
    pub fn of(self, role: Role) -> f64 {
        match (self, role) {
            (Self::He, Role::Input | Role::Hidden | Role::Fixed) => std::f64::consts::SQRT_2,
            (Self::He, Role::Output) | (Self::LeCun, _) => 1.0,
        }
    }
}

impl Start {
    /// Standard deviation σ at the base width; 0 for what is not drawn.
    pub(super) fn std(self, default: WeightGain, role: Role, fan_in: usize) -> f64 {
        match self {
            Self::Drawn { gain } => {
                gain.unwrap_or_else(|| default.of(role)) / (fan_in as f64).sqrt()
            }
            Self::Constant(_) | Self::Kept => 0.0,
        }
    }
}
