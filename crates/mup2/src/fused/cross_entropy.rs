//! [`super::cross_entropy`] on the processor.

use super::slices::{Differentiable, filled, sides, tensor, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn_flex::FlexTensor;
use mup2_kernels as kernels;

/// The losses, and the softmax of the logits.
pub(super) fn forward(
    logits: &FlexTensor,
    targets: &FlexTensor,
    blocks: usize,
) -> (FlexTensor, FlexTensor) {
    let [rows, classes] = sides::<2>(logits);
    let (in_block, values_of) = (rows / blocks.max(1), values(logits));
    let mut losses = Vec::with_capacity(blocks);
    let shares = filled(logits, |shares| {
        let size = in_block * classes;
        let of_blocks = values_of
            .chunks_exact(size)
            .zip(values(targets).chunks_exact(size));
        for ((logits, targets), shares) in of_blocks.zip(shares.chunks_exact_mut(size)) {
            let sum = kernels::cross_entropy(logits, targets, classes, shares);
            losses.push((sum / in_block as f64) as f32);
        }
    });
    (tensor(losses, [blocks]), shares)
}

pub(super) fn differentiable<C: CheckpointStrategy>(
    logits: Differentiable<C>,
    targets: Differentiable<C>,
    blocks: usize,
) -> Differentiable<C> {
    let node = logits.node();
    let [logits, targets] = [logits, targets].map(|input| input.into_primitive().to_contiguous());
    let (losses, shares) = forward(&logits, &targets, blocks);
    match CrossEntropy.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((shares, targets), losses),
        OpsKind::UnTracked(prepared) => prepared.finish(losses),
    }
}

#[derive(Debug)]
struct CrossEntropy;

impl Backward<Flex, 1> for CrossEntropy {
    /// The softmax of the logits, and the targets.
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (shares, targets) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |of_losses| {
            let of_losses = of_losses.to_contiguous();
            let ([rows, classes], factors) = (sides::<2>(&shares), values(&of_losses));
            let in_block = rows / factors.len().max(1);
            let size = in_block * classes;
            filled(&shares, |dx| {
                let (shares, targets) = (values(&shares), values(&targets));
                let of_blocks = shares.chunks_exact(size).zip(targets.chunks_exact(size));
                let of_blocks = of_blocks.zip(dx.chunks_exact_mut(size));
                for (((shares, targets), dx), factor) in of_blocks.zip(factors) {
                    let factor = factor / in_block as f32;
                    kernels::cross_entropy_backward(shares, targets, classes, factor, dx);
                }
            })
        });
    }
}
