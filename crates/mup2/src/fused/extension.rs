//! The operations by which the engine is extended: on its processor backend, and there with gradients.

use super::BatchMoments;
use super::{
    batch_normalization, convolution, cross_entropy, factors, gelu, ghost_norm, linear, relu,
    row_normalization, softmax, sums,
};
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use mup2_kernels::Descent;

/// Operations on tensors of `f32`; [`super`] says what each computes.
#[backend_extension(Flex, Autodiff)]
pub trait Fused: Backend {
    /// [`super::convolve`].
    fn convolve(
        x: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    /// Mean and variance of each channel of a batch, `[2, channels]`; no gradient passes.
    fn channel_moments(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`super::batch_normalize`], by the moments of `x` itself.
    fn batch_normalize(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        moments: BatchMoments,
        epsilon: f64,
        rectified: bool,
    ) -> FloatTensor<Self>;

    /// [`super::normalize_rows`].
    fn normalize_rows(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;

    /// [`super::gelu`].
    fn gaussian_unit(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`super::relu`].
    fn rectify(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`super::add_relu`].
    fn add_rectify(one: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`super::linear`].
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`super::known_linear`].
    fn known_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// [`super::perturbed_linear`].
    fn perturbed_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        inputs: FloatTensor<Self>,
        gradients: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// [`super::gram`]; no gradient passes.
    fn gram(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`super::add_scaled`].
    fn add_scaled(x: FloatTensor<Self>, y: FloatTensor<Self>, factor: f64) -> FloatTensor<Self>;

    /// [`super::probed`].
    fn probed(y: FloatTensor<Self>, probe: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`super::weight_gradient`]; no gradient passes.
    fn weight_gradient(x: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`super::descend`] without a velocity; no gradient passes.
    fn descend(
        weight: FloatTensor<Self>,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        descent: Descent,
    ) -> FloatTensor<Self>;

    /// [`super::descend`] with one; no gradient passes.
    fn descend_with_velocity(
        weight: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        descent: Descent,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// [`super::squared_norm`], `[1]`; no gradient passes.
    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`super::inner_product`], `[1]`; no gradient passes.
    fn inner_product(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self>;

    /// [`super::cross_entropy`].
    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        blocks: usize,
    ) -> FloatTensor<Self>;

    /// [`super::softmax`].
    fn row_softmax(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Fused for Flex {
    fn convolve(
        x: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        convolution::forward(&x.to_contiguous(), &kernel.to_contiguous(), stride, padding)
    }

    fn channel_moments(x: FloatTensor<Self>) -> FloatTensor<Self> {
        batch_normalization::moments(&x.to_contiguous())
    }

    fn batch_normalize(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        moments: BatchMoments,
        epsilon: f64,
        rectified: bool,
    ) -> FloatTensor<Self> {
        let inputs = [x, gain, bias].map(|input| input.to_contiguous());
        batch_normalization::forward(&inputs, &moments, epsilon, rectified)
    }

    fn normalize_rows(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let inputs = [x, gain, bias].map(|input| input.to_contiguous());
        row_normalization::forward(&inputs, epsilon)
    }

    fn gaussian_unit(x: FloatTensor<Self>) -> FloatTensor<Self> {
        gelu::forward(&x.to_contiguous())
    }

    fn rectify(x: FloatTensor<Self>) -> FloatTensor<Self> {
        relu::forward(x)
    }

    fn add_rectify(one: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self> {
        relu::forward_sum(one, other)
    }

    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        linear::forward(&x.to_contiguous(), &weight.to_contiguous())
    }

    fn known_linear(
        _x: FloatTensor<Self>,
        _weight: FloatTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        y
    }

    fn perturbed_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        inputs: FloatTensor<Self>,
        gradients: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let operands = [x, weight, inputs, gradients];
        ghost_norm::perturbed_forward(&operands.map(|operand| operand.to_contiguous()))
    }

    fn gram(x: FloatTensor<Self>) -> FloatTensor<Self> {
        ghost_norm::gram(&x.to_contiguous())
    }

    fn add_scaled(x: FloatTensor<Self>, y: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        sums::add_scaled(x, y, factor)
    }

    fn probed(y: FloatTensor<Self>, _probe: FloatTensor<Self>) -> FloatTensor<Self> {
        y
    }

    fn weight_gradient(x: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self> {
        factors::weight_gradient(&x.to_contiguous(), &dy.to_contiguous())
    }

    fn descend(
        weight: FloatTensor<Self>,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        descent: Descent,
    ) -> FloatTensor<Self> {
        factors::descend(
            weight,
            &[x, dy].map(|factor| factor.to_contiguous()),
            descent,
        )
    }

    fn descend_with_velocity(
        weight: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        descent: Descent,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let factors = [x, dy].map(|factor| factor.to_contiguous());
        factors::descend_with_velocity(weight, velocity, &factors, descent)
    }

    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self> {
        sums::squared_norm(&x.to_contiguous())
    }

    fn inner_product(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        sums::inner_product(&x.to_contiguous(), &y.to_contiguous())
    }

    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        blocks: usize,
    ) -> FloatTensor<Self> {
        let operands = [logits, targets].map(|operand| operand.to_contiguous());
        cross_entropy::forward(&operands[0], &operands[1], blocks).0
    }

    fn row_softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        softmax::forward(&x.to_contiguous())
    }
}

impl<C: CheckpointStrategy> Fused for Autodiff<Flex, C> {
    fn convolve(
        x: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        convolution::differentiable::<C>(x, kernel, stride, padding)
    }

    fn channel_moments(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let moments = batch_normalization::moments(&x.into_primitive().to_contiguous());
        FloatTensor::<Self>::new(moments)
    }

    fn batch_normalize(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        moments: BatchMoments,
        epsilon: f64,
        rectified: bool,
    ) -> FloatTensor<Self> {
        batch_normalization::differentiable::<C>([x, gain, bias], moments, epsilon, rectified)
    }

    fn normalize_rows(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        row_normalization::differentiable::<C>([x, gain, bias], epsilon)
    }

    fn gaussian_unit(x: FloatTensor<Self>) -> FloatTensor<Self> {
        gelu::differentiable::<C>(x)
    }

    fn rectify(x: FloatTensor<Self>) -> FloatTensor<Self> {
        relu::differentiable::<C>(x)
    }

    fn add_rectify(one: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self> {
        relu::differentiable_sum::<C>(one, other)
    }

    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        linear::differentiable::<C>(x, weight)
    }

    fn known_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        ghost_norm::known::<C>(x, weight, y)
    }

    fn perturbed_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        inputs: FloatTensor<Self>,
        gradients: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        ghost_norm::perturbed::<C>([x, weight, inputs, gradients])
    }

    fn gram(x: FloatTensor<Self>) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(ghost_norm::gram(&x.into_primitive().to_contiguous()))
    }

    fn add_scaled(x: FloatTensor<Self>, y: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        Self::float_add(x, Self::float_mul_scalar(y, factor.into()))
    }

    fn probed(y: FloatTensor<Self>, probe: FloatTensor<Self>) -> FloatTensor<Self> {
        factors::probed::<C>(y, probe)
    }

    fn weight_gradient(x: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self> {
        let [x, dy] = [x, dy].map(|input| input.into_primitive());
        FloatTensor::<Self>::new(<Flex as Fused>::weight_gradient(x, dy))
    }

    fn descend(
        weight: FloatTensor<Self>,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        descent: Descent,
    ) -> FloatTensor<Self> {
        let [weight, x, dy] = [weight, x, dy].map(|input| input.into_primitive());
        FloatTensor::<Self>::new(<Flex as Fused>::descend(weight, x, dy, descent))
    }

    fn descend_with_velocity(
        weight: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        descent: Descent,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let inputs = [weight, velocity, x, dy].map(|input| input.into_primitive());
        let [weight, velocity, x, dy] = inputs;
        let (weight, velocity) =
            <Flex as Fused>::descend_with_velocity(weight, velocity, x, dy, descent);
        (
            FloatTensor::<Self>::new(weight),
            FloatTensor::<Self>::new(velocity),
        )
    }

    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(sums::squared_norm(&x.into_primitive().to_contiguous()))
    }

    fn inner_product(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        let [x, y] = [x, y].map(|input| input.into_primitive().to_contiguous());
        FloatTensor::<Self>::new(sums::inner_product(&x, &y))
    }

    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        blocks: usize,
    ) -> FloatTensor<Self> {
        cross_entropy::differentiable::<C>(logits, targets, blocks)
    }

    fn row_softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        softmax::differentiable::<C>(x)
    }
}
