//! The global norm of a set of gradients, and clipping to it.

use crate::fused::squared_norm;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Frobenius norm of all gradients of `model` taken together; gradients that are absent count 0.
pub fn gradient_norm<M: Module>(model: &M, gradients: &GradientsParams) -> f64 {
    let mut visitor = NormVisitor {
        gradients,
        squared: 0.0,
    };
    model.visit(&mut visitor);
    visitor.squared.sqrt()
}

struct NormVisitor<'a> {
    gradients: &'a GradientsParams,
    squared: f64,
}

impl ModuleVisitor for NormVisitor<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.squared += squared_norm(gradient);
        }
    }
}

/// Frobenius norm of all parameters of `model` taken together.
pub fn weight_norm<M: Module>(model: &M) -> f64 {
    struct WeightVisitor(f64);
    impl ModuleVisitor for WeightVisitor {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 += squared_norm(param.val().without_autodiff());
        }
    }
    let mut visitor = WeightVisitor(0.0);
    model.visit(&mut visitor);
    visitor.0.sqrt()
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
    let norm = gradient_norm(model, &gradients);
    if norm.is_nan() || norm <= max_norm {
        return gradients;
    }
    scale_gradients(model, gradients, max_norm / norm)
}

/// All gradients of `model`, times `factor`.
pub(crate) fn scale_gradients<M: Module>(
    model: &M,
    gradients: GradientsParams,
    factor: f64,
) -> GradientsParams {
    let mut visitor = ScaleVisitor { gradients, factor };
    model.visit(&mut visitor);
    visitor.gradients
}

struct ScaleVisitor {
    gradients: GradientsParams,
    factor: f64,
}

impl ModuleVisitor for ScaleVisitor {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let scaled = gradient.mul_scalar(self.factor);
            self.gradients.register(param.id, scaled);
        }
    }
}
