//! Arithmetic on parameters that are blocks, one for each trial of a stack, along their first dimension. One block is
//! the ordinary case.

use crate::fused::{add_scaled, squared_norm};
use burn::tensor::{Tensor, TensorData};

/// Σ x² of each of `blocks`.
pub(super) fn squared_norms<const D: usize>(x: Tensor<D>, blocks: usize) -> Vec<f64> {
    if blocks == 1 {
        return vec![squared_norm(x)];
    }
    let rows = rows(x.without_autodiff(), blocks);
    numbers(rows.powi_scalar(2).sum_dim(1))
}

/// `x + factor·y`, with a factor for each block.
pub(super) fn add_scaled_blocks<const D: usize>(
    x: Tensor<D>,
    y: Tensor<D>,
    factors: &[f64],
) -> Tensor<D> {
    match factors {
        [factor] => add_scaled(x, y, *factor),
        _ => x + multiply_blocks(y, factors),
    }
}

/// `factor·x`, with a factor for each block.
pub(super) fn multiply_blocks<const D: usize>(x: Tensor<D>, factors: &[f64]) -> Tensor<D> {
    if let [factor] = factors {
        return x.mul_scalar(*factor);
    }
    let (shape, device, dtype) = (x.dims(), x.device(), x.dtype());
    let data = TensorData::new(factors.to_vec(), [factors.len(), 1]).convert_dtype(dtype);
    let factors_of_rows = Tensor::<2>::from_data(data, (&device, dtype));
    (rows(x, factors.len()) * factors_of_rows).reshape(shape)
}

/// The values of a tensor.
pub(super) fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.without_autodiff().into_data().iter::<f64>().collect()
}

/// `[blocks, …]`, a row a block.
fn rows<const D: usize>(x: Tensor<D>, blocks: usize) -> Tensor<2> {
    let count = x.shape().num_elements();
    x.reshape([blocks, count / blocks.max(1)])
}
