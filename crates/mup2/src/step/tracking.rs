//! How a parameter takes part in the graph of gradients.

use burn::tensor::{GradientCheckpointingStrategy, Tensor};

/// What is lost where the values of a parameter are computed outside the graph.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracking {
    is_autodiff: bool,
    requires_gradient: bool,
    checkpointing: Option<GradientCheckpointingStrategy>,
}

impl Tracking {
    /// Of a parameter's value.
    pub fn of<const D: usize>(value: &Tensor<D>) -> Self {
        Self {
            is_autodiff: value.is_autodiff(),
            requires_gradient: value.is_require_grad(),
            checkpointing: value.gradient_checkpointing_strategy(),
        }
    }

    /// A new value of that parameter, as a leaf of the graph like the one before.
    pub fn restore<const D: usize>(self, value: Tensor<D>) -> Tensor<D> {
        if !self.is_autodiff {
            return value;
        }
        let mut value = value.autodiff();
        if let Some(strategy) = self.checkpointing {
            value = value.with_gradient_checkpointing_strategy(strategy);
        }
        value.set_require_grad(self.requires_gradient)
    }
}
