//! The gradients of a model: dense, or the factors of their product.

use crate::fused::weight_gradient;
use burn::module::ParamId;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// The gradient `xᵀ δ` of a matrix `[inputs, outputs]`, not multiplied.
#[derive(Debug, Clone)]
pub struct Factors {
    /// The layer's input, `[rows, inputs]`.
    pub x: Tensor<2>,
    /// The gradient at the layer's output, `[rows, outputs]`.
    pub delta: Tensor<2>,
    /// The layer's output, where the next pass has the same `x`.
    pub(super) output: Option<Tensor<2>>,
}

impl Factors {
    /// The gradient itself, `[inputs, outputs]`.
    pub fn product(self) -> Tensor<2> {
        weight_gradient(self.x, self.delta)
    }
}

/// The gradient of one parameter.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a parameter, for the length of a step"
)]
#[derive(Debug, Clone)]
pub enum Gradient<const D: usize> {
    /// A tensor of the parameter's shape.
    Dense(Tensor<D>),
    /// Of a matrix: its factors.
    Factored(Factors),
}

/// The gradients of a model's parameters.
#[derive(Debug, Default)]
pub struct ModelGradients {
    dense: GradientsParams,
    /// In the order of the forward pass.
    factored: Vec<(ParamId, Factors)>,
}

impl From<GradientsParams> for ModelGradients {
    fn from(dense: GradientsParams) -> Self {
        Self::new(dense, Vec::new())
    }
}

impl ModelGradients {
    pub(super) fn new(dense: GradientsParams, factored: Vec<(ParamId, Factors)>) -> Self {
        Self { dense, factored }
    }

    /// The gradient of a parameter, which is taken out; absent where it had no part in the loss.
    pub fn remove<const D: usize>(&mut self, id: ParamId) -> Option<Gradient<D>> {
        match self.factored.iter().position(|(known, _)| *known == id) {
            Some(place) => Some(Gradient::Factored(self.factored.swap_remove(place).1)),
            None => self.dense.remove(id).map(Gradient::Dense),
        }
    }

    /// All gradients as Burn's optimizers take them; factors are multiplied.
    pub fn into_dense(self) -> GradientsParams {
        let Self {
            mut dense,
            factored,
        } = self;
        for (id, factors) in factored {
            dense.register(id, factors.product());
        }
        dense
    }

    /// The dense gradients, and the factors of the others in the order of the forward pass.
    pub fn into_parts(self) -> (GradientsParams, Vec<(ParamId, Factors)>) {
        (self.dense, self.factored)
    }
}
