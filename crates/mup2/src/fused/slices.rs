//! Between the processor backend's tensors and slices.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// A tensor that gradients may pass.
pub(super) type Differentiable<C> = FloatTensor<Autodiff<Flex, C>>;

/// The values of a contiguous tensor of `f32`.
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    let layout = tensor.layout();
    &tensor.storage::<f32>()[layout.start_offset()..][..layout.num_elements()]
}

/// Its sides.
pub(super) fn sides<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.layout().shape().dims()
}

/// A new tensor of the shape of `like`, which `fill` writes.
pub(super) fn filled(like: &FlexTensor, fill: impl FnOnce(&mut [f32])) -> FlexTensor {
    let mut values = vec![0.0; like.layout().num_elements()];
    fill(&mut values);
    tensor(values, like.layout().shape().to_vec())
}

/// A tensor of `values`.
pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Vec<usize>>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}
