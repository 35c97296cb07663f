//! [`super::gelu`] on the processor.

use super::slices::{Differentiable, filled, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn_flex::FlexTensor;
use mup2_kernels as kernels;

pub(super) fn forward(x: &FlexTensor) -> FlexTensor {
    filled(x, |y| kernels::gelu(values(x), y))
}

pub(super) fn differentiable<C: CheckpointStrategy>(x: Differentiable<C>) -> Differentiable<C> {
    let node = x.node();
    let x = x.into_primitive().to_contiguous();
    let y = forward(&x);
    match Gelu.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(x, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct Gelu;

impl Backward<Flex, 1> for Gelu {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let x = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| {
            let dy = dy.to_contiguous();
            filled(&x, |dx| kernels::gelu_backward(values(&x), values(&dy), dx))
        });
    }
}
