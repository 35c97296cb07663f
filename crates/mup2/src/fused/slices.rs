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

/// The tensor itself where nothing is to be done: `to_contiguous` would make a second owner.
pub(super) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    match tensor.is_contiguous() {
        true => tensor,
        false => tensor.to_contiguous(),
    }
}

/// The values of a contiguous tensor that is the only owner of its memory, all of it.
pub(super) fn own_values(tensor: &mut FlexTensor) -> Option<&mut [f32]> {
    let layout = tensor.layout();
    let (first, count) = (layout.start_offset(), layout.num_elements());
    tensor
        .try_storage_mut::<f32>()?
        .get_mut(first..first + count)
}

/// The tensor, or a copy if somebody else has its memory.
pub(super) fn owned(tensor: FlexTensor) -> FlexTensor {
    let mut tensor = contiguous(tensor);
    match own_values(&mut tensor).is_some() {
        true => tensor,
        false => self::tensor(values(&tensor).to_vec(), tensor.layout().shape().to_vec()),
    }
}

/// The tensor after `change`, in its memory where it is its alone.
pub(super) fn changed(tensor: FlexTensor, change: impl FnOnce(&mut [f32])) -> FlexTensor {
    let mut tensor = owned(tensor);
    if let Some(values) = own_values(&mut tensor) {
        change(values);
    }
    tensor
}
