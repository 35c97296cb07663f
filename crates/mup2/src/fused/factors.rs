//! Gradients of matrices as the product `xᵀ dy` that they are, on the processor.

use super::slices::{Differentiable, changed, own_values, owned, sides, tensor, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use mup2_kernels::{self as kernels, Descent};

/// The gradient to a weight from the input `x` and from `dy`, the gradient at the output.
pub(super) fn weight_gradient(x: &FlexTensor, dy: &FlexTensor) -> FlexTensor {
    let ([_, inputs], [_, outputs]) = (sides::<2>(x), sides::<2>(dy));
    let gradient = kernels::weight_gradient(values(x), values(dy), [inputs, outputs]);
    tensor(gradient, [inputs, outputs])
}

/// [`super::descend`] without a velocity.
pub(super) fn descend(
    weight: FlexTensor,
    [x, dy]: &[FlexTensor; 2],
    descent: Descent,
) -> FlexTensor {
    let sizes = sides::<2>(&weight);
    changed(weight, |w| {
        kernels::descend(values(x), values(dy), sizes, descent, w);
    })
}

/// [`super::descend`] with one.
pub(super) fn descend_with_velocity(
    weight: FlexTensor,
    velocity: FlexTensor,
    [x, dy]: &[FlexTensor; 2],
    descent: Descent,
) -> (FlexTensor, FlexTensor) {
    let (mut weight, mut velocity) = (owned(weight), owned(velocity));
    let sizes = sides::<2>(&weight);
    if let (Some(w), Some(v)) = (own_values(&mut weight), own_values(&mut velocity)) {
        kernels::descend_with_velocity(values(x), values(dy), sizes, descent, [w, v]);
    }
    (weight, velocity)
}

/// [`super::probed`].
pub(super) fn probed<C: CheckpointStrategy>(
    y: Differentiable<C>,
    probe: Differentiable<C>,
) -> Differentiable<C> {
    let nodes = [y.node(), probe.node()];
    let y = y.into_primitive();
    match Probed.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((), y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct Probed;

impl Backward<Flex, 2> for Probed {
    type State = ();

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node);
        for node in ops.parents.into_iter().flatten() {
            gradients.register::<Flex>(node.id, dy.clone());
        }
    }
}
