//! [`super::normalize_rows`] on the processor.

use super::slices::{Differentiable, filled, tensor, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use mup2_kernels as kernels;

/// Of `[x, gain, bias]`.
pub(super) fn forward([x, gain, bias]: &[FlexTensor; 3], epsilon: f64) -> FlexTensor {
    let (gain, bias) = (values(gain), values(bias));
    filled(x, |y| {
        kernels::normalize_rows(values(x), gain, bias, epsilon as f32, y)
    })
}

pub(super) fn differentiable<C: CheckpointStrategy>(
    inputs: [Differentiable<C>; 3],
    epsilon: f64,
) -> Differentiable<C> {
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive().to_contiguous());
    let y = forward(&inputs, epsilon);
    match Normalization.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let [x, gain, _] = inputs;
            prepared.finish((x, gain, epsilon), y)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct Normalization;

impl Backward<Flex, 3> for Normalization {
    type State = (FlexTensor, FlexTensor, f64);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (x, gain, epsilon) = ops.state;
        let (gain, epsilon) = (values(&gain), epsilon as f32);
        let mut vectors = (Vec::new(), Vec::new());
        let dx = filled(&x, |dx| {
            vectors = kernels::normalize_rows_backward(values(&x), gain, epsilon, values(&dy), dx);
        });
        let [to_x, to_gain, to_bias] = ops.parents;
        let vector = |values| tensor(values, [gain.len()]);
        for (node, gradient) in [
            (to_x, dx),
            (to_gain, vector(vectors.0)),
            (to_bias, vector(vectors.1)),
        ] {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}
