//! Perturbations and gradients that are never made: of matrices whose gradient has a rank below their sides.
//!
//! Over n rows x the gradient of a layer `y = x W` is `∇W = xᵀ δ`, with δ the gradient at y: rank n. SAM uses its first
//! gradient for a norm and for the second pass alone, and both can be had from x and δ:
//!
//! - `‖∇W‖² = ⟨x xᵀ, δ δᵀ⟩`, n × n each (the ghost norm of differentially private training: Goodfellow 2015,
//!   arXiv:1510.01799; Li et al. 2022, arXiv:2110.05679);
//! - `x' (W + c ∇W) = x' W + c (x' xᵀ) δ`, and the gradient to x' likewise. The layer that reads the batch has x' = x,
//!   so its product is that of the first pass and `c (x xᵀ) δ`.
//!
//! A step spares the first gradient of such a matrix, the way to `W + ε` and back, and for the first layer a forward
//! product. Nothing is approximated: it is the same step within rounding.
//!
//! The last pass of a step may hand `xᵀ δ` to an optimizer in factors too, which puts it into the weights as it multiplies.

use crate::fused::composite::constant;
use crate::fused::{
    WeightGradient, gram, inner_product, is_on_processor, known_linear, linear, linear_towards,
    perturbed_linear,
};
use burn::module::{Param, ParamId};
use burn::tensor::Gradients;
use burn::tensor::Tensor;
use std::collections::HashSet;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// What the passes of one SAM step do with their matrices.
#[derive(Debug, Clone, Default)]
pub(crate) struct LowRank {
    state: State,
    /// Of the gradients that this pass ends with, where that spares memory.
    form: WeightGradient,
}

#[derive(Debug, Clone, Default)]
enum State {
    /// Matrices are parameters as others.
    #[default]
    Off,
    /// The first pass: these matrices may have no gradient of their own.
    Observing {
        candidates: Arc<HashSet<ParamId>>,
        seen: Vec<Seen>,
    },
    /// Between the passes.
    Known(Vec<Factors>),
    /// The second pass.
    Perturbing(Vec<Perturbation>),
}

/// Where a layer's input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It is the batch: the same in both passes.
    Batch,
    /// Another layer.
    Layer,
}

/// A product in the first pass.
#[derive(Debug, Clone)]
struct Seen {
    id: ParamId,
    source: Source,
    x: Tensor<2>,
    /// Of this leaf of the graph the gradient is that of the product.
    probe: Tensor<2>,
    y: Tensor<2>,
}

/// The gradient of a matrix, as `xᵀ δ`.
#[derive(Debug, Clone)]
struct Factors {
    id: ParamId,
    source: Source,
    x: Tensor<2>,
    delta: Tensor<2>,
    y: Tensor<2>,
    /// `x xᵀ`.
    gram: Tensor<2>,
}

/// The perturbation of a matrix.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a matrix, for the length of a pass"
)]
enum Perturbation {
    /// As what its layer puts out.
    Output { id: ParamId, y: Tensor<2> },
    /// As `xᵀ g`.
    Factors {
        id: ParamId,
        x: Tensor<2>,
        g: Tensor<2>,
    },
}

impl Perturbation {
    fn id(&self) -> ParamId {
        match self {
            Self::Output { id, .. } | Self::Factors { id, .. } => *id,
        }
    }
}

/// Whether the factors take fewer multiplications than they spare, for a matrix that `rows` rows are multiplied with.
///
/// Of a layer they spare the gradient, for two Gram matrices (`x xᵀ`, `δ δᵀ`: half a product each, by symmetry) and four
/// products of one; by a ReLU half of the inputs are zero at least, which a whole gradient skips. Of the layer that reads the
/// batch they spare a forward product too, which is not counted: below that bound the many small operations were measured to
/// cost as much.
fn pays(rows: usize, [inputs, outputs]: [usize; 2], source: Source) -> bool {
    let product = 2 * rows * inputs * outputs;
    let square = rows * rows;
    match source {
        Source::Batch => square * (inputs + 3 * outputs) < product,
        Source::Layer => 10 * square * (inputs + outputs) < product,
    }
}

/// Whether the factors of a gradient are read faster than the gradient is written and read: so much smaller they have to be
/// that to copy them does not count.
fn pays_to_descend(rows: usize, [inputs, outputs]: [usize; 2]) -> bool {
    2 * rows * (inputs + outputs) < inputs * outputs
}

impl From<State> for LowRank {
    fn from(state: State) -> Self {
        let form = WeightGradient::Whole;
        Self { state, form }
    }
}

impl LowRank {
    /// For passes that are not of a SAM step, or whose gradients are wanted whole.
    pub fn off() -> Self {
        Self::default()
    }

    /// For a first pass that may leave out the gradients of `candidates`.
    pub fn observing(candidates: &Arc<HashSet<ParamId>>) -> Self {
        Self::from(State::Observing {
            candidates: Arc::clone(candidates),
            seen: Vec::new(),
        })
    }

    /// As it is, for a pass whose gradients go to an optimizer, which takes them in factors or not.
    #[must_use]
    pub fn ending_in_factors(self, in_factors: bool) -> Self {
        let form = match in_factors {
            true => WeightGradient::Factors,
            false => WeightGradient::Whole,
        };
        Self { form, ..self }
    }

    /// `x W`, as the pass wants it.
    pub fn product(
        &mut self,
        weight: &Param<Tensor<2>>,
        x: Tensor<2>,
        source: Source,
    ) -> Tensor<2> {
        let form = match pays_to_descend(x.dims()[0], weight.dims()) {
            true => self.form,
            false => WeightGradient::Whole,
        };
        match &mut self.state {
            State::Off | State::Known(_) => linear_towards(x, weight.val(), form),
            State::Observing { candidates, seen } => {
                let is_candidate = candidates.contains(&weight.id) && weight.is_require_grad();
                let pays = pays(x.dims()[0], weight.dims(), source);
                if !(is_candidate && pays && is_on_processor(&x)) {
                    return linear(x, weight.val());
                }
                let product = linear(x.clone(), constant(weight.val()));
                let y = product.clone().without_autodiff();
                let (product, probe) = match source {
                    Source::Batch => {
                        let leaf = y.clone().autodiff().require_grad();
                        (leaf.clone(), leaf)
                    }
                    Source::Layer => {
                        let leaf = y.zeros_like().autodiff().require_grad();
                        (product + leaf.clone(), leaf)
                    }
                };
                seen.push(Seen {
                    id: weight.id,
                    source,
                    x: x.without_autodiff(),
                    probe,
                    y,
                });
                product
            }
            State::Perturbing(perturbations) => {
                let mut known = perturbations.iter();
                match known.find(|known| known.id() == weight.id) {
                    None => linear_towards(x, weight.val(), form),
                    Some(Perturbation::Output { y, .. }) => {
                        known_linear(x, weight.val(), y.clone(), form)
                    }
                    Some(Perturbation::Factors { x: inputs, g, .. }) => {
                        perturbed_linear(x, weight.val(), inputs.clone(), g.clone(), form)
                    }
                }
            }
        }
    }

    /// Takes what the first backward pass has found for the products that were seen.
    pub fn read(&mut self, gradients: &Gradients) {
        let State::Observing { seen, .. } = &mut self.state else {
            return;
        };
        let seen = std::mem::take(seen).into_iter();
        let factors = seen.filter_map(|seen| {
            Some(Factors {
                delta: seen.probe.grad(gradients)?.without_autodiff(),
                id: seen.id,
                source: seen.source,
                gram: gram(seen.x.clone()),
                x: seen.x,
                y: seen.y,
            })
        });
        self.state = State::Known(factors.collect());
    }

    /// `‖∇W‖²` of each matrix whose gradient was left out.
    pub fn squared_norms(&self) -> Vec<(ParamId, f64)> {
        let State::Known(factors) = &self.state else {
            return Vec::new();
        };
        let norm = |factors: &Factors| {
            let outputs = gram(factors.delta.clone());
            let squared = inner_product(factors.gram.clone(), outputs);
            // Rounding may put a sum that is zero below it; what is no number stays so.
            if squared < 0.0 { 0.0 } else { squared }
        };
        let norms = factors.iter();
        norms.map(|factors| (factors.id, norm(factors))).collect()
    }

    /// For the second pass, at `W + factor(id) ∇W`.
    #[must_use]
    pub fn perturbing(self, factor: impl Fn(ParamId) -> f64) -> Self {
        let State::Known(factors) = self.state else {
            return Self::off();
        };
        let perturbations = factors.into_iter().map(|factors| {
            let g = factors.delta.mul_scalar(factor(factors.id));
            match factors.source {
                Source::Batch => Perturbation::Output {
                    id: factors.id,
                    y: (factors.y + factors.gram.matmul(g)).autodiff(),
                },
                Source::Layer => Perturbation::Factors {
                    id: factors.id,
                    x: factors.x.autodiff(),
                    g: g.autodiff(),
                },
            }
        });
        Self::from(State::Perturbing(perturbations.collect()))
    }
}
