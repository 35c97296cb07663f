//! The same layers from the engine's own operations, for every device and type.

use super::BatchMoments;
use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

/// As [`super::convolve`].
pub fn convolve(x: Tensor<4>, kernel: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    convolve_groups(x, kernel, stride, padding, 1)
}

/// As [`super::stacked_convolve`].
pub fn convolve_groups(
    x: Tensor<4>,
    kernel: Tensor<4>,
    stride: usize,
    padding: usize,
    groups: usize,
) -> Tensor<4> {
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], groups);
    conv2d(x, kernel, None, options)
}

/// As [`super::batch_normalize`].
pub fn batch_normalize(
    x: Tensor<4>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
    rectified: bool,
) -> (Tensor<4>, BatchMoments) {
    let [_, channels, _, _] = x.dims();
    let mean = over_batch(x.clone());
    let centred = x - mean.clone();
    let variance = over_batch(centred.clone().powi_scalar(2));
    let moments = BatchMoments {
        mean: numbers(mean),
        variance: numbers(variance.clone()),
    };
    let shape = [1, channels, 1, 1];
    let y = centred / (variance + epsilon).sqrt() * gain.reshape(shape) + bias.reshape(shape);
    (if rectified { relu(y) } else { y }, moments)
}

/// Mean of each channel over batch and pixels, `[1, channels, 1, 1]`.
fn over_batch(x: Tensor<4>) -> Tensor<4> {
    x.mean_dim(3).mean_dim(2).mean_dim(0)
}

/// The sum of each row of `x` `[rows, columns]`, `[rows, 1]`.
///
/// Piece by piece. On wgpu (Burn 0.22.1 on Mesa's software Vulkan) a sum over one dimension, and a dot product, of more
/// than 2^18 numbers leaves the rest out without a word: of 500,000 ones it makes 262,144. Short sums are also
/// the more precise ones in f32.
pub fn row_sums(mut x: Tensor<2>) -> Tensor<2> {
    const PIECE: usize = 512;
    loop {
        let [rows, columns] = x.dims();
        if columns <= PIECE {
            return x.sum_dim(1);
        }
        let pieces = columns / PIECE;
        let whole = pieces * PIECE;
        let head = x.clone().narrow(1, 0, whole);
        let sums = head.reshape([rows * pieces, PIECE]).sum_dim(1);
        let sums = sums.reshape([rows, pieces]);
        x = match columns - whole {
            0 => sums,
            rest => Tensor::cat(vec![sums, x.narrow(1, whole, rest).sum_dim(1)], 1),
        };
    }
}

/// The values of a tensor.
pub(super) fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.without_autodiff().into_data().iter::<f32>().collect()
}

/// As [`super::normalize_rows`].
pub fn normalize_rows(x: Tensor<2>, gain: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let centred = x.clone() - x.mean_dim(1);
    let variance = centred.clone().powi_scalar(2).mean_dim(1);
    let normalized = centred / (variance + epsilon).sqrt();
    normalized * gain.unsqueeze::<2>() + bias.unsqueeze::<2>()
}

/// As [`super::gelu`]. The engine's own (0.22.1) computes the exact function, and the gradient of its approximation
/// by tanh, which differs by up to 5e-4.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let share = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0;
    x * share * 0.5
}

/// As [`super::known_linear`]; here the product is computed, as the way of the gradient.
pub fn known_linear(x: Tensor<2>, weight: Tensor<2>, y: Tensor<2>) -> Tensor<2> {
    let product = constant(x).matmul(weight);
    product.clone() - constant(product) + constant(y)
}

/// `x` without a gradient. The engine's `detach` makes of a leaf that wants its gradient another such leaf.
pub(crate) fn constant<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match x.is_autodiff() {
        true => x.without_autodiff().autodiff(),
        false => x,
    }
}

/// As [`super::perturbed_linear`].
pub fn perturbed_linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    inputs: Tensor<2>,
    gradients: Tensor<2>,
) -> Tensor<2> {
    let shares = x.clone().matmul(constant(inputs).transpose());
    x.matmul(weight) + shares.matmul(constant(gradients))
}

/// As [`super::cross_entropy`].
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>, blocks: usize) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let log_likelihood = (log_softmax(logits, 1) * constant(targets)).sum_dim(1);
    let of_blocks = log_likelihood.reshape([blocks, rows / blocks.max(1)]);
    of_blocks.mean_dim(1).reshape([blocks]).neg()
}
