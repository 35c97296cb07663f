//! [`super::convolve`] on the processor.

use super::slices::{Differentiable, filled, sides, tensor, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use mup2_kernels::{self as kernels, ConvolutionShape};

fn shape(x: &FlexTensor, kernel: &FlexTensor, stride: usize, padding: usize) -> ConvolutionShape {
    let [batch, inputs, height, width] = sides(x);
    let [outputs, _, kernel, _] = sides(kernel);
    ConvolutionShape {
        batch,
        inputs,
        outputs,
        height,
        width,
        kernel,
        stride,
        padding,
    }
}

pub(super) fn forward(
    x: &FlexTensor,
    kernel: &FlexTensor,
    stride: usize,
    padding: usize,
) -> FlexTensor {
    let shape = shape(x, kernel, stride, padding);
    let sides = [
        shape.batch,
        shape.outputs,
        shape.out_height(),
        shape.out_width(),
    ];
    let mut y = vec![0.0; sides.iter().product()];
    kernels::forward(&shape, values(x), values(kernel), &mut y);
    tensor(y, sides)
}

pub(super) fn differentiable<C: CheckpointStrategy>(
    x: Differentiable<C>,
    kernel: Differentiable<C>,
    stride: usize,
    padding: usize,
) -> Differentiable<C> {
    let nodes = [x.node(), kernel.node()];
    let (x, kernel) = (
        x.into_primitive().to_contiguous(),
        kernel.into_primitive().to_contiguous(),
    );
    let y = forward(&x, &kernel, stride, padding);
    match Convolution.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let shape = shape(&x, &kernel, stride, padding);
            prepared.finish((x, kernel, shape), y)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct Convolution;

impl Backward<Flex, 2> for Convolution {
    type State = (FlexTensor, FlexTensor, ConvolutionShape);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (x, kernel, shape) = ops.state;
        let [to_x, to_kernel] = ops.parents;
        if let Some(node) = to_x {
            let dx = filled(&x, |dx| {
                kernels::backward_input(&shape, values(&kernel), values(&dy), dx)
            });
            gradients.register::<Flex>(node.id, dx);
        }
        if let Some(node) = to_kernel {
            let dw = filled(&kernel, |dw| {
                kernels::backward_weight(&shape, values(&x), values(&dy), dw)
            });
            gradients.register::<Flex>(node.id, dw);
        }
    }
}
