//! [`super::add_scaled`], [`super::squared_norm`] and [`super::inner_product`] on the processor.

use super::slices::{changed, contiguous, own_values, tensor, values};
use burn_flex::FlexTensor;
use mup2_kernels as kernels;

/// In the memory of either, if nobody else has it.
pub(super) fn add_scaled(x: FlexTensor, y: FlexTensor, factor: f64) -> FlexTensor {
    let factor = factor as f32;
    let (mut x, mut y) = (contiguous(x), contiguous(y));
    if own_values(&mut x).is_none()
        && let Some(sum) = own_values(&mut y)
    {
        kernels::scale_and_add(values(&x), sum, factor);
        return y;
    }
    changed(x, |sum| kernels::add_scaled(sum, values(&y), factor))
}

pub(super) fn squared_norm(x: &FlexTensor) -> FlexTensor {
    tensor(vec![kernels::squared_norm(values(x)) as f32], [1])
}

pub(super) fn inner_product(x: &FlexTensor, y: &FlexTensor) -> FlexTensor {
    let product = kernels::inner_product(values(x), values(y));
    tensor(vec![product as f32], [1])
}
