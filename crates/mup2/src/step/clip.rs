//! The global norm of a set of gradients, and clipping to it.

use super::blocks::{SquaredNorms, multiply_blocks};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Frobenius norm of all gradients of `model` taken together; gradients that are absent count 0.
pub fn gradient_norm<M: Module>(model: &M, gradients: &GradientsParams) -> f64 {
    gradient_norms(model, gradients, 1).iter().sum()
}

/// As [`gradient_norm`], of each trial of a stack.
fn gradient_norms<M: Module>(model: &M, gradients: &GradientsParams, trials: usize) -> Vec<f64> {
    let mut visitor = NormVisitor {
        gradients,
        squared: SquaredNorms::new(trials),
    };
    model.visit(&mut visitor);
    let squared = visitor.squared.into_values().into_iter();
    squared.map(f64::sqrt).collect()
}

struct NormVisitor<'a> {
    gradients: &'a GradientsParams,
    squared: SquaredNorms,
}

impl ModuleVisitor for NormVisitor<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.squared.add(gradient, 1.0);
        }
    }
}

/// Frobenius norm of all parameters of `model` taken together.
pub fn weight_norm<M: Module>(model: &M) -> f64 {
    weight_norms(model, 1).iter().sum()
}

/// As [`weight_norm`], of each trial of a stack.
pub fn weight_norms<M: Module>(model: &M, trials: usize) -> Vec<f64> {
    struct WeightVisitor(SquaredNorms);
    impl ModuleVisitor for WeightVisitor {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let weight = param.val().without_autodiff();
            self.0.add(weight, 1.0);
        }
    }
    let mut visitor = WeightVisitor(SquaredNorms::new(trials));
    model.visit(&mut visitor);
    let squared = visitor.0.into_values().into_iter();
    squared.map(f64::sqrt).collect()
}

/// Scales all gradients by one factor so that their global norm is at most `max_norm`.
///
/// In SAM this acts on the second gradient, the one taken at the perturbed weights that updates
/// the model. The first gradient is normalized by the rule itself, so clipping it has no effect.
/// The norm is the plain one, so its threshold does not transfer over widths: in µP it is the
/// readout's, and grows like the square root of the width.
pub fn clip_gradients<M: Module>(
    model: &M,
    gradients: GradientsParams,
    max_norm: f64,
) -> GradientsParams {
    clip_blocks(model, gradients, max_norm, 1)
}

/// As [`clip_gradients`], the `trials` of a stack each for itself.
pub(super) fn clip_blocks<M: Module>(
    model: &M,
    gradients: GradientsParams,
    max_norm: f64,
    trials: usize,
) -> GradientsParams {
    let norms = gradient_norms(model, &gradients, trials).into_iter();
    let factors: Vec<f64> = norms
        .map(|norm| match norm.is_nan() || norm <= max_norm {
            true => 1.0,
            false => max_norm / norm,
        })
        .collect();
    if factors.iter().all(|factor| *factor == 1.0) {
        return gradients;
    }
    scale_blocks(model, gradients, factors)
}

/// All gradients of `model`, times `factor`.
pub fn scale_gradients<M: Module>(
    model: &M,
    gradients: GradientsParams,
    factor: f64,
) -> GradientsParams {
    scale_blocks(model, gradients, vec![factor])
}

/// All gradients of a stack, with a factor for each trial.
fn scale_blocks<M: Module>(
    model: &M,
    gradients: GradientsParams,
    factors: Vec<f64>,
) -> GradientsParams {
    let mut visitor = ScaleVisitor { gradients, factors };
    model.visit(&mut visitor);
    visitor.gradients
}

struct ScaleVisitor {
    gradients: GradientsParams,
    factors: Vec<f64>,
}

impl ModuleVisitor for ScaleVisitor {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let scaled = multiply_blocks(gradient, &self.factors);
            self.gradients.register(param.id, scaled);
        }
    }
}
