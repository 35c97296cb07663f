//! Arithmetic on parameters that are blocks, one for each trial of a stack, along their first
//! dimension. One block is the ordinary case.

use crate::error::{Error, Result};
use crate::fused::composite::row_sums;
use crate::fused::{add_scaled, is_fused, squared_norm};
use burn::tensor::{Tensor, TensorData};

/// Σ x² of each block, summed over tensors. A GPU is asked for it once, not once a tensor: it
/// stands still while the answer is awaited.
pub(super) struct SquaredNorms {
    known: Vec<f64>,
    on_device: Option<Tensor<2>>,
}

impl SquaredNorms {
    /// Zero, for so many blocks.
    pub fn new(blocks: usize) -> Self {
        Self {
            known: vec![0.0; blocks],
            on_device: None,
        }
    }

    /// Adds `factor` times the squared norms of the blocks of `x`.
    pub fn add<const D: usize>(&mut self, x: Tensor<D>, factor: f64) {
        let x = x.without_autodiff();
        if let ([known], true) = (self.known.as_mut_slice(), is_fused(&x)) {
            *known += squared_norm(x) * factor;
            return;
        }
        let more = sums_of_squares(x, self.known.len()).mul_scalar(factor);
        self.on_device = Some(match self.on_device.take() {
            None => more,
            Some(sum) => sum + more,
        });
    }

    /// Adds a number to that of every block.
    pub fn add_known(&mut self, squared: f64) {
        for known in &mut self.known {
            *known += squared;
        }
    }

    /// The sums.
    pub fn into_values(self) -> Vec<f64> {
        match self.on_device {
            None => self.known,
            Some(sum) => {
                let on_device = numbers(sum).into_iter().zip(self.known);
                on_device.map(|(sum, known)| sum + known).collect()
            }
        }
    }
}

/// `[blocks, 1]`.
fn sums_of_squares<const D: usize>(x: Tensor<D>, blocks: usize) -> Tensor<2> {
    row_sums(rows(x, blocks).powi_scalar(2))
}

/// Σ x² of each of `blocks`.
pub(super) fn squared_norms<const D: usize>(x: Tensor<D>, blocks: usize) -> Vec<f64> {
    if blocks == 1 {
        return vec![squared_norm(x)];
    }
    numbers(sums_of_squares(x.without_autodiff(), blocks))
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

/// Those blocks at `kept`, of as many as `of`; absent where there is no such block.
pub fn blocks_at<T: Copy>(values: &[T], kept: &[usize], of: usize) -> Option<Vec<T>> {
    let size = values.len() / of.max(1);
    let mut chosen = Vec::with_capacity(size * kept.len());
    for place in kept {
        chosen.extend_from_slice(values.get(place * size..(place + 1) * size)?);
    }
    Some(chosen)
}

/// The shape of a tensor that so many blocks are `kept` of.
pub fn shape_of_blocks(shape: &[usize], kept: usize, of: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if let Some(first) = shape.first_mut() {
        *first = *first / of.max(1) * kept;
    }
    shape
}

/// The losses of so many blocks.
///
/// # Errors
/// When there is not one for each.
pub(super) fn losses(losses: Tensor<1>, blocks: usize) -> Result<Vec<f64>> {
    let [count] = losses.dims();
    if count == blocks {
        return Ok(numbers(losses));
    }
    let problem = format!("has shape [{count}]");
    let allowed = format!("[{blocks}]: a mean over the batch");
    Err(Error::invalid("loss", problem, allowed))
}

/// The values of a tensor.
fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.without_autodiff().into_data().iter::<f64>().collect()
}

/// `[blocks, …]`, a row a block.
fn rows<const D: usize>(x: Tensor<D>, blocks: usize) -> Tensor<2> {
    let count = x.shape().num_elements();
    x.reshape([blocks, count / blocks.max(1)])
}
