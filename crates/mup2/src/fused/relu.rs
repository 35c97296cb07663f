//! [`super::relu`] and [`super::add_relu`] on the processor.

use super::slices::{Differentiable, changed, contiguous, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn_flex::FlexTensor;
use mup2_kernels as kernels;

pub(super) fn forward(x: FlexTensor) -> FlexTensor {
    changed(x, kernels::relu)
}

pub(super) fn differentiable<C: CheckpointStrategy>(x: Differentiable<C>) -> Differentiable<C> {
    let node = x.node();
    let y = forward(x.into_primitive());
    match Relu.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(y.clone(), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct Relu;

impl Backward<Flex, 1> for Relu {
    /// Its output.
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let y = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |dy| {
            changed(dy, |dy| kernels::relu_backward(values(&y), dy))
        });
    }
}

pub(super) fn forward_sum(one: FlexTensor, other: FlexTensor) -> FlexTensor {
    let other = contiguous(other);
    changed(one, |one| kernels::add_relu(one, values(&other)))
}

pub(super) fn differentiable_sum<C: CheckpointStrategy>(
    one: Differentiable<C>,
    other: Differentiable<C>,
) -> Differentiable<C> {
    let nodes = [one.node(), other.node()];
    let y = forward_sum(one.into_primitive(), other.into_primitive());
    match AddRelu.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(y.clone(), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct AddRelu;

impl Backward<Flex, 2> for AddRelu {
    /// Its output.
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let y = ops.state;
        let dy = gradients.consume::<Flex>(&ops.node);
        let dx = changed(dy, |dy| kernels::relu_backward(values(&y), dy));
        for node in ops.parents.into_iter().flatten() {
            gradients.register::<Flex>(node.id, dx.clone());
        }
    }
}
