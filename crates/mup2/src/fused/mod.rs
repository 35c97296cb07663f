//! Layers that the engine would compute from many small operations, as one each: forward by a
//! kernel of `kernels`, with a gradient of its own.
//!
//! Each function here takes and gives ordinary tensors. On the processor, in `f32`, it is the fused
//! operation; on any other device and in any other type it is the same layer put together from the
//! engine's operations ([`composite`]), against which the fused one is tested.

mod batch_normalization;
pub mod composite;
mod convolution;
mod cross_entropy;
mod extension;
mod factors;
mod gelu;
mod ghost_norm;
mod linear;
mod relu;
mod row_normalization;
mod slices;
mod softmax;
mod sums;
#[cfg(test)]
mod tests;

pub use batch_normalization::BatchMoments;
pub use mup2_kernels::Descent;

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{DType, Tensor};
use extension::Fused;

/// Whether the kernels can read `x`.
pub fn is_fused<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && is_on_processor(x)
}

/// Whether the processor computes with `x`.
pub fn is_on_processor<const D: usize>(x: &Tensor<D>) -> bool {
    matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// `x` `[batch, channels in, height, width]` convolved with `kernel` `[channels out, channels in,
/// side, side]`, which moves by `stride` over an image with `padding` rows and columns of zeros
/// around it.
pub fn convolve(x: Tensor<4>, kernel: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let [_, _, rows, columns] = kernel.dims();
    if !is_fused(&x) || rows != columns {
        return composite::convolve(x, kernel, stride, padding);
    }
    let (x, kernel) = (x.into_dispatch(), kernel.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::convolve(x, kernel, stride, padding))
}

/// As [`convolve`], for each of `trials` whose channels lie beside each other: `x` `[batch, trials
/// · channels in, …]`, `kernel` `[trials · channels out, channels in, side, side]`.
pub fn stacked_convolve(
    x: Tensor<4>,
    kernel: Tensor<4>,
    stride: usize,
    padding: usize,
    trials: usize,
) -> Tensor<4> {
    if trials == 1 {
        return convolve(x, kernel, stride, padding);
    }
    composite::convolve_groups(x, kernel, stride, padding, trials)
}

/// `x` `[batch, channels, height, width]`, each channel normalized over batch and pixels, times
/// `gain` plus `bias` `[channels]`; what is negative then becomes 0 where `rectified`. Also the
/// moments that it was normalized by.
pub fn batch_normalize(
    x: Tensor<4>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
    rectified: bool,
) -> (Tensor<4>, BatchMoments) {
    if !is_fused(&x) {
        return composite::batch_normalize(x, gain, bias, epsilon, rectified);
    }
    let seen = x.clone().without_autodiff().into_dispatch();
    let moments = Tensor::<2>::from_dispatch(<Dispatch as Fused>::channel_moments(seen));
    let moments = BatchMoments::of(moments);
    let y = <Dispatch as Fused>::batch_normalize(
        x.into_dispatch(),
        gain.into_dispatch(),
        bias.into_dispatch(),
        moments.clone(),
        epsilon,
        rectified,
    );
    (Tensor::from_dispatch(y), moments)
}

/// Each row of `x` `[rows, channels]` normalized, times `gain` plus `bias` `[channels]`.
pub fn normalize_rows(x: Tensor<2>, gain: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<2> {
    if !is_fused(&x) {
        return composite::normalize_rows(x, gain, bias, epsilon);
    }
    let (x, gain, bias) = (
        x.into_dispatch(),
        gain.into_dispatch(),
        bias.into_dispatch(),
    );
    Tensor::from_dispatch(<Dispatch as Fused>::normalize_rows(x, gain, bias, epsilon))
}

/// `x Φ(x)`, the Gaussian error linear unit.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !is_fused(&x) {
        return composite::gelu(x);
    }
    Tensor::from_dispatch(<Dispatch as Fused>::gaussian_unit(x.into_dispatch()))
}

/// What is negative in `x` becomes 0.
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !is_fused(&x) {
        return burn::tensor::activation::relu(x);
    }
    Tensor::from_dispatch(<Dispatch as Fused>::rectify(x.into_dispatch()))
}

/// As [`relu`] of `one + other`, which have one shape.
pub fn add_relu<const D: usize>(one: Tensor<D>, other: Tensor<D>) -> Tensor<D> {
    if !is_fused(&one) || one.dims() != other.dims() {
        return burn::tensor::activation::relu(one + other);
    }
    let (one, other) = (one.into_dispatch(), other.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::add_rectify(one, other))
}

/// Rows of a batch up to which reading the weights is most of the work of a linear layer; with more
/// of them the engine's product is as fast.
const THIN: usize = 256;

/// Whether `x` has so few rows that the kernels multiply it.
pub fn is_thin(x: &Tensor<2>) -> bool {
    x.dims()[0] <= THIN
}

/// `x w`, `x` `[rows, inputs]` and `weight` `[inputs, outputs]`.
pub fn linear(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    if !is_fused(&x) || !is_thin(&x) {
        return x.matmul(weight);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::linear(x, weight))
}

/// `x w` that is known to be `y`: nothing is computed but the gradient to the weight, in `f32` on
/// the processor; none passes to `x` or `y`.
pub fn known_linear(x: Tensor<2>, weight: Tensor<2>, y: Tensor<2>) -> Tensor<2> {
    if !is_fused(&x) {
        return composite::known_linear(x, weight, y);
    }
    let operands = [x, weight, y].map(Tensor::into_dispatch);
    let [x, weight, y] = operands;
    Tensor::from_dispatch(<Dispatch as Fused>::known_linear(x, weight, y))
}

/// `x (w + aᵀ g)` without the sum, for `inputs` a `[n, inputs]` and `gradients` g `[n, outputs]`,
/// through which no gradient passes.
pub fn perturbed_linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    inputs: Tensor<2>,
    gradients: Tensor<2>,
) -> Tensor<2> {
    if !is_fused(&x) {
        return composite::perturbed_linear(x, weight, inputs, gradients);
    }
    let operands = [x, weight, inputs, gradients].map(Tensor::into_dispatch);
    let [x, weight, inputs, gradients] = operands;
    let y = <Dispatch as Fused>::perturbed_linear(x, weight, inputs, gradients);
    Tensor::from_dispatch(y)
}

/// `y + probe` for a `probe` of zeros of its shape, without the sum: the gradient at `probe` is
/// that at `y`.
pub fn probed(y: Tensor<2>, probe: Tensor<2>) -> Tensor<2> {
    if !is_fused(&y) {
        return y + probe;
    }
    let (y, probe) = (y.autodiff().into_dispatch(), probe.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::probed(y, probe))
}

/// `xᵀ dy`, the gradient to the weight of a linear layer with the input `x` `[rows, inputs]` and
/// the gradient `dy` `[rows, outputs]` at its output. No gradient passes.
pub fn weight_gradient(x: Tensor<2>, dy: Tensor<2>) -> Tensor<2> {
    if !is_fused(&x) {
        return x.transpose().matmul(dy);
    }
    let (x, dy) = (x.into_dispatch(), dy.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::weight_gradient(x, dy))
}

/// `weight` `[inputs, outputs]` and what it has of a `velocity` after `descent` by the gradient `xᵀ
/// dy`, the product of `factors`, in their memory where it is theirs alone. With the bits of the
/// same descent by the product.
pub fn descend<const D: usize>(
    weight: Tensor<D>,
    velocity: Option<Tensor<D>>,
    factors: [Tensor<2>; 2],
    descent: Descent,
) -> (Tensor<D>, Option<Tensor<D>>) {
    let weight = weight.into_dispatch();
    let [x, dy] = factors.map(Tensor::into_dispatch);
    let Some(velocity) = velocity else {
        let weight = <Dispatch as Fused>::descend(weight, x, dy, descent);
        return (Tensor::from_dispatch(weight), None);
    };
    let velocity = velocity.into_dispatch();
    let (weight, velocity) =
        <Dispatch as Fused>::descend_with_velocity(weight, velocity, x, dy, descent);
    let velocity = Some(Tensor::from_dispatch(velocity));
    (Tensor::from_dispatch(weight), velocity)
}

/// `x xᵀ`, through which no gradient passes.
pub fn gram(x: Tensor<2>) -> Tensor<2> {
    if !is_fused(&x) {
        let x = x.without_autodiff();
        return x.clone().matmul(x.transpose());
    }
    Tensor::from_dispatch(<Dispatch as Fused>::gram(x.into_dispatch()))
}

/// As [`linear`], for each of `trials` that lie one after the other: `x` `[trials · rows, inputs]`,
/// `weight` `[trials · inputs, outputs]`.
pub fn stacked_linear(x: Tensor<2>, weight: Tensor<2>, trials: usize) -> Tensor<2> {
    if trials == 1 {
        return linear(x, weight);
    }
    let ([rows, inputs], [_, outputs]) = (x.dims(), weight.dims());
    let x = x.reshape([trials, rows / trials.max(1), inputs]);
    let y = x.matmul(weight.reshape([trials, inputs, outputs]));
    y.reshape([rows, outputs])
}

/// `x + factor·y`, in the memory of `x` or `y` where it is theirs alone.
pub fn add_scaled<const D: usize>(x: Tensor<D>, y: Tensor<D>, factor: f64) -> Tensor<D> {
    if !is_fused(&x) || x.dims() != y.dims() {
        return x + y.mul_scalar(factor);
    }
    let (x, y) = (x.into_dispatch(), y.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::add_scaled(x, y, factor))
}

/// Σ x² as a number, without a temporary of the tensor's size.
pub fn squared_norm<const D: usize>(x: Tensor<D>) -> f64 {
    let x = x.without_autodiff();
    if !is_fused(&x) {
        let count = x.shape().num_elements();
        return composite::row_sums(x.powi_scalar(2).reshape([1, count])).into_scalar::<f64>();
    }
    let norm = <Dispatch as Fused>::sum_of_squares(x.into_dispatch());
    Tensor::<1>::from_dispatch(norm).into_scalar::<f64>()
}

/// Σ x y as a number, summed in `f64` where the kernels can read both.
pub fn inner_product<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> f64 {
    let (x, y) = (x.without_autodiff(), y.without_autodiff());
    if !is_fused(&x) || x.dtype() != y.dtype() {
        let count = x.shape().num_elements();
        return composite::row_sums((x * y).reshape([1, count])).into_scalar::<f64>();
    }
    let product = <Dispatch as Fused>::inner_product(x.into_dispatch(), y.into_dispatch());
    Tensor::<1>::from_dispatch(product).into_scalar::<f64>()
}

/// Cross-entropy of `logits` `[rows, classes]` against `targets` of the same shape, the shares of
/// each class; its mean over the rows of each of so many `blocks`, `[blocks]`. No gradient passes
/// to the targets.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>, blocks: usize) -> Tensor<1> {
    if !is_fused(&logits) {
        return composite::cross_entropy(logits, targets, blocks);
    }
    let (logits, targets) = (logits.into_dispatch(), targets.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Fused>::cross_entropy(logits, targets, blocks))
}

/// Softmax over the last dimension.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !is_fused(&x) {
        return burn::tensor::activation::softmax(x, D - 1);
    }
    Tensor::from_dispatch(<Dispatch as Fused>::row_softmax(x.into_dispatch()))
}
