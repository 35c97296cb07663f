//! What "the ball of radius ρ" is: a Euclidean one, or the one in which SAM's step is the steepest.

use super::parameters::{bind, flat_parameters, parameters};
use super::preconditioner::{AsamOptions, Preconditioner};
use crate::error::Result;
use crate::fused::squared_norm;
use crate::scaling::{Rule, ScalingTable};
use burn::module::Module;
use burn::tensor::Tensor;

/// Coordinates u of a perturbation `ε_l = S_l u_l`, one stretch S a tensor, in which a ball is
/// round.
///
/// In the Euclidean geometry S = 1. In that of the multipliers `S_l = √(rho_mult_l) T_l`, with the
/// rule's preconditioner T at the model's weights: the direction that raises the loss most, at
/// equal ‖u‖, is then `S∇/‖S∇‖`, and `ε = S²∇/‖S∇‖` points where SAM's does.
#[derive(Debug, Clone)]
pub struct Geometry {
    tensors: Vec<TensorGeometry>,
}

/// The coordinates of one tensor.
#[derive(Debug, Clone)]
pub struct TensorGeometry {
    /// S.
    pub stretch: Stretch,
    /// Weight of `‖S_l ∇_l‖²` in SAM's denominator, `norm_mult² / rho_mult`; 1 in the Euclidean
    /// geometry, and in that of `mup2` with its decoupled denominator.
    pub share: f64,
}

/// S of one tensor.
#[derive(Debug, Clone)]
pub enum Stretch {
    /// One factor for all entries; 0 for a tensor that the rule leaves alone.
    Uniform(f64),
    /// A factor for each entry, flattened.
    Elementwise(Box<Tensor<1>>),
}

impl Geometry {
    /// Every entry of every parameter alike: S = 1.
    pub fn euclidean<M: Module>(model: &M) -> Self {
        let plain = TensorGeometry {
            stretch: Stretch::Uniform(1.0),
            share: 1.0,
        };
        Self {
            tensors: vec![plain; parameters(model).len()],
        }
    }

    /// That of a rule's perturbations with the multipliers of `table`.
    ///
    /// [`Rule::Random`] has T = 1, and multipliers that were made for directions other than the
    /// gradient's.
    ///
    /// # Errors
    /// When a parameter has no row in the table or another shape.
    pub fn of_multipliers<M: Module>(
        rule: Rule,
        asam: &AsamOptions,
        model: &M,
        table: &ScalingTable,
    ) -> Result<Self> {
        let mut weights = flat_parameters(model);
        let rows = bind(model, table, 1)?.into_iter();
        let tensors = rows.map(|(parameter, row)| {
            // No perturbation moves what is not trained.
            let Some(row) = row else {
                return TensorGeometry {
                    stretch: Stretch::Uniform(0.0),
                    share: 0.0,
                };
            };
            let factor = row.rho_mult.sqrt();
            let weight = weights.remove(&parameter.name);
            let stretch = match (Preconditioner::of(rule, row, asam), weight) {
                (Preconditioner::Elementwise { eta }, Some(weight)) => {
                    let entries = weight.abs().add_scalar(eta).mul_scalar(factor);
                    Stretch::Elementwise(Box::new(entries))
                }
                (Preconditioner::Layerwise, Some(weight)) => {
                    Stretch::Uniform(squared_norm(weight).sqrt() * factor)
                }
                (Preconditioner::Identity, _) | (_, None) => Stretch::Uniform(factor),
            };
            let share = if row.rho_mult == 0.0 {
                0.0
            } else {
                row.norm_mult.powi(2) / row.rho_mult
            };
            TensorGeometry { stretch, share }
        });
        Ok(Self {
            tensors: tensors.collect(),
        })
    }

    /// One entry a parameter, in the order in which the module visits them.
    pub fn tensors(&self) -> &[TensorGeometry] {
        &self.tensors
    }
}
