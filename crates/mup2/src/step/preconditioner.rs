//! The preconditioners T of the perturbation rules: `ε ∝ T²∇ / ‖T∇‖` (METHOD section 4).

use super::blocks::{multiply_blocks, squared_norms};
use crate::scaling::{AsamBias, Rule, TensorKind, TensorScaling};
use burn::tensor::Tensor;

/// The constants of elementwise ASAM.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AsamOptions {
    /// η_asam at the base width; 0.01 in the original.
    pub eta: f64,
    /// What T is for biases.
    pub bias: AsamBias,
}

/// T of one tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Preconditioner {
    /// T = 1.
    Identity,
    /// T = |w| + eta, elementwise.
    Elementwise { eta: f64 },
    /// T = ‖W‖_F.
    Layerwise,
}

impl Preconditioner {
    pub(super) fn of(rule: Rule, row: &TensorScaling, options: &AsamOptions) -> Self {
        match (rule, row.kind, options.bias) {
            (Rule::Sam | Rule::SamOn | Rule::Random, _, _) => Self::Identity,
            (Rule::Asam, TensorKind::Bias, AsamBias::One) => Self::Identity,
            (Rule::Asam, TensorKind::Bias, AsamBias::Absolute) => Self::Elementwise { eta: 0.0 },
            (Rule::Asam, _, _) => Self::Elementwise {
                eta: options.eta * row.asam_eta_mult,
            },
            (Rule::AsamLayer, _, _) => Self::Layerwise,
        }
    }

    /// Tx for a tensor `x` of the shape of `weight`, the `trials` of a stack each for itself; T is
    /// taken at `weight`.
    pub(super) fn apply<const D: usize>(
        &self,
        x: Tensor<D>,
        weight: &Tensor<D>,
        trials: usize,
    ) -> Tensor<D> {
        match *self {
            Self::Identity => x,
            Self::Elementwise { eta } => {
                let t = weight.clone().abs();
                let t = if eta == 0.0 { t } else { t.add_scalar(eta) };
                x * t
            }
            Self::Layerwise => {
                let norms = squared_norms(weight.clone(), trials).into_iter();
                let norms: Vec<f64> = norms.map(f64::sqrt).collect();
                multiply_blocks(x, &norms)
            }
        }
    }
}
