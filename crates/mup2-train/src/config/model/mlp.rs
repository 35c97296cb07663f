//! The keys of a multilayer perceptron.

use super::ArchitectureKeys;
use crate::config::range;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use strum::Display;

/// The keys of an MLP in the `[model]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MlpConfig {
    /// Number of weight layers, the readout included; at least 2.
    pub depth: usize,
    /// Whether layers have biases (initialized to 0).
    pub bias: bool,
    /// Nonlinearity of the hidden layers.
    pub activation: Activation,
    /// Adds each hidden-to-hidden layer's input to its output.
    pub residual: bool,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            depth: 3,
            bias: false,
            activation: Activation::Relu,
            residual: false,
        }
    }
}

/// A nonlinearity of the hidden layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// Gaussian error linear unit.
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
}

impl ArchitectureKeys for MlpConfig {
    fn validate(&self, _widths: (usize, usize), key: &dyn Fn(&str) -> String) -> Result<()> {
        range::whole(key("depth"), self.depth, 2, 1000)
    }

    fn describe(&self) -> String {
        let bias = if self.bias { "with" } else { "without" };
        let residual = if self.residual { ", residual" } else { "" };
        format!(
            "mlp with {} weight layers, {}, {bias} biases{residual}",
            self.depth, self.activation
        )
    }
}
