//! [`super::known_linear`], [`super::perturbed_linear`] and [`super::gram`] on the processor.

use super::factors::weight_gradient;
use super::slices::{Differentiable, filled, sides, tensor, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use mup2_kernels as kernels;

pub(super) fn gram(x: &FlexTensor) -> FlexTensor {
    let [rows, columns] = sides::<2>(x);
    let mut products = vec![0.0; rows * rows];
    kernels::gram(values(x), columns, &mut products);
    tensor(products, [rows, rows])
}

fn row_products(x: &FlexTensor, y: &FlexTensor) -> FlexTensor {
    let ([rows, columns], [width, _]) = (sides::<2>(x), sides::<2>(y));
    let mut products = vec![0.0; rows * width];
    kernels::row_products(values(x), values(y), columns, &mut products);
    tensor(products, [rows, width])
}

pub(super) fn known<C: CheckpointStrategy>(
    x: Differentiable<C>,
    weight: Differentiable<C>,
    y: Differentiable<C>,
) -> Differentiable<C> {
    let node = weight.node();
    let [x, y] = [x, y].map(|input| input.into_primitive().to_contiguous());
    match KnownLinear.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(x, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct KnownLinear;

impl Backward<Flex, 1> for KnownLinear {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let x = ops.state;
        if let [Some(node)] = ops.parents {
            gradients.register::<Flex>(node.id, weight_gradient(&x, &dy));
        }
    }
}

pub(super) fn perturbed_forward([x, weight, inputs, gradients]: &[FlexTensor; 4]) -> FlexTensor {
    let (sizes, [rows, outputs]) = (
        sides::<2>(weight),
        [sides::<2>(x)[0], sides::<2>(weight)[1]],
    );
    let mut y = vec![0.0; rows * outputs];
    kernels::linear(values(x), values(weight), sizes, &mut y);
    let shares = row_products(x, inputs);
    let sizes = sides::<2>(gradients);
    kernels::add_linear(values(&shares), values(gradients), sizes, &mut y);
    tensor(y, [rows, outputs])
}

pub(super) fn perturbed<C: CheckpointStrategy>(
    [x, weight, inputs, gradients]: [Differentiable<C>; 4],
) -> Differentiable<C> {
    let nodes = [x.node(), weight.node()];
    let state = [x, weight, inputs, gradients].map(|input| input.into_primitive().to_contiguous());
    let y = perturbed_forward(&state);
    match PerturbedLinear
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prepared) => prepared.finish(state, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

#[derive(Debug)]
struct PerturbedLinear;

impl Backward<Flex, 2> for PerturbedLinear {
    type State = [FlexTensor; 4];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [x, weight, inputs, gradients] = ops.state;
        let sizes = sides::<2>(&weight);
        let [to_x, to_weight] = ops.parents;
        if let Some(node) = to_x {
            let dx = filled(&x, |dx| {
                kernels::input_gradient(values(&dy), values(&weight), sizes, dx);
                let shares = row_products(&dy, &gradients);
                let sizes = sides::<2>(&inputs);
                kernels::add_linear(values(&shares), values(&inputs), sizes, dx);
            });
            grads.register::<Flex>(node.id, dx);
        }
        if let Some(node) = to_weight {
            grads.register::<Flex>(node.id, weight_gradient(&x, &dy));
        }
    }
}
