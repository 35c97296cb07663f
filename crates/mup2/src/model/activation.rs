//! Nonlinearities.

use crate::fused::{gelu, relu};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use strum::Display;

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

impl Activation {
    pub(super) fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => relu(x),
            Self::Gelu => gelu(x),
            Self::Tanh => x.tanh(),
        }
    }

    /// Factor of 1/√fan_in in the initialization that keeps the signal's size (He et al. 2015;
    /// 5/3 for tanh is PyTorch's).
    pub fn gain(self) -> f64 {
        match self {
            Self::Relu | Self::Gelu => 2f64.sqrt(),
            Self::Tanh => 5.0 / 3.0,
        }
    }
}
