//! [`super::linear`] on the processor.

use super::factors::weight_gradient;
use super::slices::{Differentiable, filled, sides, tensor, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use mup2_kernels as kernels;

pub(super) fn forward(x: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let ([rows, _], sizes) = (sides::<2>(x), sides::<2>(weight));
    let mut y = vec![0.0; rows * sizes[1]];
    kernels::linear(values(x), values(weight), sizes, &mut y);
    tensor(y, [rows, sizes[1]])
}

pub(super) fn differentiable<C: CheckpointStrategy>(
    x: Differentiable<C>,
    weight: Differentiable<C>,
) -> Differentiable<C> {
    let nodes = [x.node(), weight.node()];
    let [x, weight] = [x, weight].map(|input| input.into_primitive().to_contiguous());
    let y = forward(&x, &weight);
    match Linear.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((x, weight), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct Linear;

impl Backward<Flex, 2> for Linear {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (x, weight) = ops.state;
        let sizes = sides::<2>(&weight);
        let [to_x, to_weight] = ops.parents;
        if let Some(node) = to_x {
            let dx = filled(&x, |dx| {
                kernels::input_gradient(values(&dy), values(&weight), sizes, dx);
            });
            gradients.register::<Flex>(node.id, dx);
        }
        if let Some(node) = to_weight {
            gradients.register::<Flex>(node.id, weight_gradient(&x, &dy));
        }
    }
}
