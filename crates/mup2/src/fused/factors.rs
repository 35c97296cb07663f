//! Gradients of matrices as what they are the product of, `xᵀ dy`, on the processor.
//!
//! Autodiff and optimizers hand gradients on as tensors, so that one in factors is a tensor too: x and then dy, row by
//! row, in the shape `[rows, inputs + outputs]`, which no gradient `[inputs, outputs]` has.

use super::slices::{changed, own_values, owned, sides, tensor, values};
use burn_flex::FlexTensor;
use mup2_kernels::{self as kernels, Descent};

/// What the backward pass of a linear layer hands on as the gradient to its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightGradient {
    /// The gradient.
    #[default]
    Whole,
    /// Its factors.
    Factors,
}

/// The gradient to a weight from the input `x` and from `dy`, the gradient at the output.
pub(super) fn weight_gradient(x: &FlexTensor, dy: &FlexTensor, form: WeightGradient) -> FlexTensor {
    let ([rows, inputs], [_, outputs]) = (sides::<2>(x), sides::<2>(dy));
    match form {
        WeightGradient::Whole => {
            let gradient = kernels::weight_gradient(values(x), values(dy), [inputs, outputs]);
            tensor(gradient, [inputs, outputs])
        }
        WeightGradient::Factors => {
            let both = [values(x), values(dy)].concat();
            tensor(both, [rows, inputs + outputs])
        }
    }
}

/// x and dy of a gradient in factors to a weight of `[inputs, _]`.
fn parts(factors: &FlexTensor, inputs: usize) -> (&[f32], &[f32]) {
    let [rows, _] = sides::<2>(factors);
    values(factors).split_at(rows * inputs)
}

/// The product of `factors`, for a weight like `weight`.
pub(super) fn product(factors: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let sizes = sides::<2>(weight);
    let (x, dy) = parts(factors, sizes[0]);
    tensor(kernels::weight_gradient(x, dy, sizes), sizes)
}

/// [`super::descend`] without a velocity.
pub(super) fn descend(weight: FlexTensor, factors: &FlexTensor, descent: Descent) -> FlexTensor {
    let sizes = sides::<2>(&weight);
    let (x, dy) = parts(factors, sizes[0]);
    changed(weight, |w| kernels::descend(x, dy, sizes, descent, w))
}

/// [`super::descend`] with one.
pub(super) fn descend_with_velocity(
    weight: FlexTensor,
    velocity: FlexTensor,
    factors: &FlexTensor,
    descent: Descent,
) -> (FlexTensor, FlexTensor) {
    let (mut weight, mut velocity) = (owned(weight), owned(velocity));
    let sizes = sides::<2>(&weight);
    let (x, dy) = parts(factors, sizes[0]);
    if let (Some(w), Some(v)) = (own_values(&mut weight), own_values(&mut velocity)) {
        kernels::descend_with_velocity(x, dy, sizes, descent, [w, v]);
    }
    (weight, velocity)
}
