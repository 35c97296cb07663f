//! Nonlinearities.

use crate::config::Activation;
use crate::fused::{gelu, relu};
use burn::tensor::Tensor;

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
