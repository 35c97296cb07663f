//! [`super::softmax`] on the processor.

use super::slices::{Differentiable, filled, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn_flex::FlexTensor;
use mup2_kernels as kernels;

/// Length of the last dimension.
fn columns(x: &FlexTensor) -> usize {
    x.layout()
        .shape()
        .to_vec()
        .last()
        .copied()
        .unwrap_or(1)
        .max(1)
}

pub(super) fn forward(x: &FlexTensor) -> FlexTensor {
    filled(x, |y| kernels::softmax(values(x), columns(x), y))
}

pub(super) fn differentiable<C: CheckpointStrategy>(x: Differentiable<C>) -> Differentiable<C> {
    let node = x.node();
    let y = forward(&x.into_primitive().to_contiguous());
    match Softmax.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(y.clone(), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct Softmax;

impl Backward<Flex, 1> for Softmax {
    /// Its output.
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let y = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| {
            let dy = dy.to_contiguous();
            filled(&y, |dx| {
                kernels::softmax_backward(values(&y), values(&dy), columns(&y), dx)
            })
        });
    }
}
