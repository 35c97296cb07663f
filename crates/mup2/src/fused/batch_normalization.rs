//! [`super::batch_normalize`] on the processor.

use super::composite::numbers;
use super::slices::{Differentiable, filled, sides, tensor, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use mup2_kernels::{self as kernels, BatchNormalization, ChannelMap};

/// Moments of each channel of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchMoments {
    /// Mean.
    pub mean: Vec<f32>,
    /// Variance, over N.
    pub variance: Vec<f32>,
}

impl BatchMoments {
    /// From `[2, channels]`.
    pub(super) fn of(moments: Tensor<2>) -> Self {
        let mut mean = numbers(moments);
        let variance = mean.split_off(mean.len() / 2);
        Self { mean, variance }
    }

    /// 1 / √(variance + ε).
    fn inverse(&self, epsilon: f64) -> Vec<f32> {
        let inverse = |variance: &f32| (1.0 / (f64::from(*variance) + epsilon).sqrt()) as f32;
        self.variance.iter().map(inverse).collect()
    }
}

/// Channels, and pixels of a channel of an image.
fn channels_and_pixels(x: &FlexTensor) -> (usize, usize) {
    let [_, channels, height, width] = sides(x);
    (channels, height * width)
}

pub(super) fn moments(x: &FlexTensor) -> FlexTensor {
    let (channels, pixels) = channels_and_pixels(x);
    let (mut moments, variance) = kernels::channel_moments(values(x), channels, pixels);
    moments.extend(variance);
    tensor(moments, [2, channels])
}

/// Of `[x, gain, bias]`.
pub(super) fn forward(
    [x, gain, bias]: &[FlexTensor; 3],
    moments: &BatchMoments,
    epsilon: f64,
    rectified: bool,
) -> FlexTensor {
    let inverse = moments.inverse(epsilon);
    let map = ChannelMap::new(&moments.mean, &inverse, values(gain), values(bias));
    let (_, pixels) = channels_and_pixels(x);
    filled(x, |y| {
        kernels::map_channels(&map, pixels, rectified, values(x), y)
    })
}

pub(super) fn differentiable<C: CheckpointStrategy>(
    inputs: [Differentiable<C>; 3],
    moments: BatchMoments,
    epsilon: f64,
    rectified: bool,
) -> Differentiable<C> {
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive().to_contiguous());
    let y = forward(&inputs, &moments, epsilon, rectified);
    match Normalization.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let inverse = moments.inverse(epsilon);
            let mean = moments.mean;
            prepared.finish(
                Normalized {
                    inputs,
                    mean,
                    inverse,
                    rectified,
                },
                y,
            )
        }
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct Normalization;

#[derive(Debug, Clone)]
struct Normalized {
    inputs: [FlexTensor; 3],
    mean: Vec<f32>,
    inverse: Vec<f32>,
    rectified: bool,
}

impl Backward<Flex, 3> for Normalization {
    type State = Normalized;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let Normalized {
            inputs: [x, gain, bias],
            mean,
            inverse,
            rectified,
        } = ops.state;
        let (channels, pixels) = channels_and_pixels(&x);
        let of = BatchNormalization {
            x: values(&x),
            mean: &mean,
            inverse: &inverse,
            gain: values(&gain),
            bias: values(&bias),
            rectified,
            pixels,
        };
        let mut vectors = (Vec::new(), Vec::new());
        let dx = filled(&x, |dx| vectors = of.backward(values(&dy), dx));
        let [to_x, to_gain, to_bias] = ops.parents;
        let vector = |values| tensor(values, [channels]);
        for (node, gradient) in [
            (to_x, dx),
            (to_gain, vector(vectors.0)),
            (to_bias, vector(vectors.1)),
        ] {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}
