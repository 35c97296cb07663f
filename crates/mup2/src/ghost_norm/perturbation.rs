//! The norm of a gradient in factors, and the perturbation by it.

use super::Factors;
use crate::fused::{gram, inner_product};
use burn::module::ParamId;
use burn::tensor::Tensor;

/// The gradient of a matrix as SAM's ascent takes it.
#[derive(Debug, Clone)]
pub struct GhostGradient {
    id: ParamId,
    factors: Factors,
    /// `x xᵀ`.
    gram: Tensor<2>,
}

/// The perturbation of a matrix in one pass.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a matrix, for the length of a pass"
)]
pub enum FactoredPerturbation {
    /// As the output of its layer.
    Output {
        /// The matrix.
        id: ParamId,
        /// `x (W + ε)`.
        y: Tensor<2>,
    },
    /// As `ε = xᵀ g`.
    Factors {
        /// The matrix.
        id: ParamId,
        /// `[rows, inputs]`.
        x: Tensor<2>,
        /// `[rows, outputs]`.
        g: Tensor<2>,
    },
}

impl FactoredPerturbation {
    /// The matrix that it perturbs.
    pub fn id(&self) -> ParamId {
        match self {
            Self::Output { id, .. } | Self::Factors { id, .. } => *id,
        }
    }
}

impl GhostGradient {
    /// Of the matrix `id`.
    pub fn new(id: ParamId, factors: Factors) -> Self {
        Self {
            gram: gram(factors.x.clone()),
            id,
            factors,
        }
    }

    /// The matrix.
    pub fn id(&self) -> ParamId {
        self.id
    }

    /// `‖∇W‖²`.
    pub fn squared_norm(&self) -> f64 {
        let outputs = gram(self.factors.delta.clone());
        let squared = inner_product(self.gram.clone(), outputs);
        // Rounding may put a sum that is zero below it; what is no number stays so.
        if squared < 0.0 { 0.0 } else { squared }
    }

    /// The perturbation `ε = factor ∇W`.
    pub fn perturbation(&self, factor: f64) -> FactoredPerturbation {
        let id = self.id;
        let g = self.factors.delta.clone().mul_scalar(factor);
        match &self.factors.output {
            Some(y) => FactoredPerturbation::Output {
                id,
                y: (y.clone() + self.gram.clone().matmul(g)).autodiff(),
            },
            None => FactoredPerturbation::Factors {
                id,
                x: self.factors.x.clone().autodiff(),
                g: g.autodiff(),
            },
        }
    }
}
