//! Ghost norm: SAM's first gradient of a matrix, and the perturbation by it, from factors.
//!
//! Over n rows x the gradient of a layer `y = x W` is `∇W = xᵀ δ`, with δ the gradient at y: rank
//! n. SAM uses its first gradient for a norm and for the second pass alone, and both can be had
//! from x and δ:
//!
//! - `‖∇W‖² = ⟨x xᵀ, δ δᵀ⟩`, n × n each (the ghost norm of differentially private training:
//!   Goodfellow 2015, arXiv:1510.01799; Li et al. 2022, arXiv:2110.05679);
//! - `x' (W + c ∇W) = x' W + c (x' xᵀ) δ`, and the gradient to x' likewise. The layer that reads
//!   the batch has x' = x, so its product is that of the first pass and `c (x xᵀ) δ`.
//!
//! A step spares the first gradient of such a matrix, the way to `W + ε` and back, and for the
//! first layer a forward product. Nothing is approximated: it is the same step within rounding.
//!
//! The last gradient of a step may be factors too ([`Gradient::Factored`]), for an optimizer that
//! multiplies them while it moves the weights.
//!
//! A [`GhostNorm`] lasts for the passes of one step. A model asks it for its products
//! ([`GhostNorm::product`]), each matrix once in a pass, and whoever runs the backward pass hands
//! that to it ([`GhostNorm::gradients`]).

mod gradients;
mod perturbation;

pub use gradients::{Factors, Gradient, ModelGradients};
pub use perturbation::{FactoredPerturbation, GhostGradient};

use crate::fused::composite::constant;
use crate::fused::{
    is_fused, is_on_processor, is_thin, known_linear, linear, perturbed_linear, probed,
};
use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use std::collections::HashSet;
use std::sync::Arc;

/// What the gradients of a pass are for, and which of them may be factors.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// A perturbation, which takes those of these matrices as factors.
    Ascent(Arc<HashSet<ParamId>>),
    /// An optimizer, which takes those of all matrices as factors or of none.
    Descent {
        /// Whether it does.
        factored: bool,
    },
}

/// Where a layer's input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It is the batch: the same in all passes of a step.
    Batch,
    /// Another layer.
    Layer,
}

/// What the passes of one step share of their matrices.
#[derive(Debug, Clone)]
pub struct GhostNorm {
    purpose: Purpose,
    /// The matrices that are perturbed in this pass.
    perturbations: Vec<FactoredPerturbation>,
    /// The products of this pass whose gradients will be factors.
    products: Vec<Product>,
}

/// A product `y = x W` whose gradient to W is left out.
#[derive(Debug, Clone)]
struct Product {
    id: ParamId,
    x: Tensor<2>,
    /// The gradient at this leaf of the graph is that at y.
    probe: Tensor<2>,
    /// y, where the next pass has the same x.
    output: Option<Tensor<2>>,
}

impl Default for GhostNorm {
    /// For passes whose gradients are dense and whose matrices are not perturbed.
    fn default() -> Self {
        Self {
            purpose: Purpose::Descent { factored: false },
            perturbations: Vec::new(),
            products: Vec::new(),
        }
    }
}

impl GhostNorm {
    /// Begins a pass whose gradients have this purpose.
    pub fn begin(&mut self, purpose: Purpose) {
        self.purpose = purpose;
        self.products.clear();
    }

    /// Perturbs these matrices, and no others, in the passes that come.
    pub fn perturb(&mut self, perturbations: Vec<FactoredPerturbation>) {
        self.perturbations = perturbations;
    }

    /// `x W` of this pass, with the perturbation of W: `[rows, outputs]` of `x` `[rows, inputs]`
    /// and `weight` `[inputs, outputs]`.
    pub fn product(
        &mut self,
        weight: &Param<Tensor<2>>,
        x: Tensor<2>,
        source: Source,
    ) -> Tensor<2> {
        let mut perturbations = self.perturbations.iter();
        let perturbation = perturbations.find(|known| known.id() == weight.id);
        let factored = self.is_factored(weight, &x, source, perturbation.is_some());
        let values = match factored {
            true => constant(weight.val()),
            false => weight.val(),
        };
        let y = match perturbation {
            None => linear(x.clone(), values),
            Some(FactoredPerturbation::Output { y, .. }) => {
                known_linear(x.clone(), values, y.clone())
            }
            Some(FactoredPerturbation::Factors { x: inputs, g, .. }) => {
                perturbed_linear(x.clone(), values, inputs.clone(), g.clone())
            }
        };
        if !factored {
            return y;
        }
        let output = y.clone().without_autodiff();
        let probe = output.zeros_like().autodiff().require_grad();
        let stays = source == Source::Batch && matches!(self.purpose, Purpose::Ascent(_));
        self.products.push(Product {
            id: weight.id,
            x: x.without_autodiff(),
            probe: probe.clone(),
            output: stays.then_some(output),
        });
        probed(y, probe)
    }

    /// Whether the gradient to `weight` is left out of this pass.
    fn is_factored(
        &self,
        weight: &Param<Tensor<2>>,
        x: &Tensor<2>,
        source: Source,
        is_perturbed: bool,
    ) -> bool {
        let (rows, sizes) = (x.dims()[0], weight.dims());
        let may_be = match &self.purpose {
            Purpose::Ascent(matrices) => {
                matrices.contains(&weight.id) && pays(rows, sizes, source) && is_on_processor(x)
            }
            Purpose::Descent { factored } => {
                *factored
                    && pays_to_descend(rows, sizes)
                    && is_fused(x)
                    && (is_perturbed || is_thin(x))
            }
        };
        may_be && weight.is_require_grad()
    }

    /// The gradients of a model that this pass has ended with.
    pub fn gradients<M: Module>(&mut self, mut backward: Gradients, model: &M) -> ModelGradients {
        let products = self.products.drain(..);
        let factored = products.filter_map(|product| {
            let delta = product.probe.grad_remove(&mut backward)?;
            let factors = Factors {
                x: product.x,
                delta: delta.without_autodiff(),
                output: product.output,
            };
            Some((product.id, factors))
        });
        let factored = factored.collect();
        ModelGradients::new(GradientsParams::from_grads(backward, model), factored)
    }
}

/// Whether the factors take fewer multiplications than they spare, for a matrix that `rows` rows
/// are multiplied with.
///
/// Of a layer they spare the gradient, for two Gram matrices (`x xᵀ`, `δ δᵀ`: half a product each,
/// by symmetry) and four products of one; by a ReLU half of the inputs are zero at least, which a
/// whole gradient skips. Of the layer that reads the batch they spare a forward product too, which
/// is not counted: below that bound the many small operations were measured to cost as much.
fn pays(rows: usize, [inputs, outputs]: [usize; 2], source: Source) -> bool {
    let product = 2 * rows * inputs * outputs;
    let square = rows * rows;
    match source {
        Source::Batch => square * (inputs + 3 * outputs) < product,
        Source::Layer => 10 * square * (inputs + outputs) < product,
    }
}

/// Whether the factors of a gradient are read faster than the gradient is written and read: so much
/// smaller they have to be that to keep them does not count.
fn pays_to_descend(rows: usize, [inputs, outputs]: [usize; 2]) -> bool {
    2 * rows * (inputs + outputs) < inputs * outputs
}

#[cfg(test)]
mod tests {
    use super::{Source, pays};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn factors_are_taken_only_where_they_spare_multiplications(
            (rows, inputs, outputs) in (1usize..200, 1usize..4000, 1usize..4000),
        ) {
            // Multiplications: a Gram matrix of rows of n entries has half of rows² n.
            let square = (rows * rows) as f64;
            let (gradient, half) = ((rows * inputs * outputs) as f64, square * (inputs + outputs) as f64 / 2.0);
            let layer = half + 2.0 * square * (inputs + outputs) as f64;
            // The zeros of a ReLU are skipped.
            prop_assert_eq!(pays(rows, [inputs, outputs], Source::Layer), layer < gradient / 2.0);
            let batch = half + square * outputs as f64;
            prop_assert_eq!(pays(rows, [inputs, outputs], Source::Batch), batch < gradient);
            if rows >= inputs.min(outputs) {
                prop_assert!(!pays(rows, [inputs, outputs], Source::Layer));
            }
        }
    }
}
