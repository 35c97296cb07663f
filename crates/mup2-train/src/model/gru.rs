//! Gated recurrent network (Cho et al. 2014) that reads an image row by row: an architecture that
//! the paper does not have.
//!
//! The first layer's input matrix is input-like; recurrent matrices, and the input matrices of
//! further layers, are hidden. The equations are PyTorch's, with two biases.

use super::architecture::{NetworkBuilder, NetworkFrame};
use super::dense::DenseConfig;
use super::{Dense, Dimension, Initializer, Network, Pass, Trace};
use crate::config::GruConfig;
use crate::error::Result;
use crate::scaling::TensorShape;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

impl GruConfig {
    /// The input and the recurrent matrix of each layer, three gates wide.
    fn cells(&self, frame: &NetworkFrame) -> Vec<[DenseConfig; 2]> {
        let width = frame.width;
        let row = Dimension::Fixed(frame.images.channels * frame.images.width);
        let cells = (0..self.layers).map(|layer| {
            let inputs = if layer == 0 { row } else { width };
            [("input", inputs), ("recurrent", width)].map(|(part, inputs)| DenseConfig {
                bias: true,
                ..DenseConfig::new(format!("layers.{layer}.{part}"), inputs, width.times(3))
            })
        });
        cells.collect()
    }
}

impl NetworkBuilder for GruConfig {
    fn tensor_shapes(&self, frame: &NetworkFrame) -> Vec<TensorShape> {
        let cells = self.cells(frame);
        let layers = cells.iter().flatten().flat_map(DenseConfig::shapes);
        let readout = frame.readout(frame.width, true);
        layers.chain(readout.shapes()).collect()
    }

    fn draw(&self, frame: &NetworkFrame, initializer: &Initializer) -> Result<Network> {
        let cells = self.cells(frame);
        let layers = cells.iter().map(|[input, recurrent]| {
            Ok(GruLayer {
                input: input.init(initializer)?,
                recurrent: recurrent.init(initializer)?,
            })
        });
        Ok(Gru {
            layers: layers.collect::<Result<_>>()?,
            readout: frame.readout(frame.width, true).init(initializer)?,
        }
        .into())
    }
}

/// A gated recurrent network.
#[derive(Module, Debug)]
pub struct Gru {
    layers: Vec<GruLayer>,
    readout: Dense,
}

/// One layer: `r = σ(x_r + h_r)`, `z = σ(x_z + h_z)`, `n = tanh(x_n + r ⊙ h_n)`,
/// `h ← (1 − z) ⊙ n + z ⊙ h`, where x_· and h_· are the thirds of what the two matrices give.
#[derive(Module, Debug)]
pub struct GruLayer {
    input: Dense,
    recurrent: Dense,
}

impl Gru {
    /// Logits `[batch, classes]` of `x` `[batch, channels, height, width]`, from the last state.
    pub fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<2> {
        let [batch, channels, height, width] = x.dims();
        let rows = x.swap_dims(1, 2);
        let mut rows = rows.reshape([batch, height, channels * width]);
        for layer in &self.layers {
            rows = layer.forward(rows, &mut pass.trace);
        }
        let last = rows.narrow(1, height - 1, 1);
        let features = last.dims()[2];
        self.readout
            .forward(last.reshape([batch, features]), &mut pass.trace)
    }
}

impl GruLayer {
    /// The states `[batch, steps, width]` after each of the steps of `x` `[batch, steps, inputs]`;
    /// the first state is zero.
    fn forward(&self, x: Tensor<3>, trace: &mut Trace) -> Tensor<3> {
        let inputs = self.input.forward_tokens(x, trace);
        let [batch, steps, gates] = inputs.dims();
        let width = gates / 3;
        let mut state = Tensor::<2>::zeros([batch, width], (&inputs.device(), inputs.dtype()));
        let mut states = Vec::with_capacity(steps);
        // A parameter has one site, also when it is used at every step.
        let mut recurrent = trace.empty_like();
        for step in 0..steps {
            let input = inputs.clone().narrow(1, step, 1).reshape([batch, gates]);
            let carried = self.recurrent.forward(state.clone(), &mut recurrent);
            let third = |x: &Tensor<2>, index| x.clone().narrow(1, index * width, width);
            let reset = sigmoid(third(&input, 0) + third(&carried, 0));
            let update = sigmoid(third(&input, 1) + third(&carried, 1));
            let new = (third(&input, 2) + reset * third(&carried, 2)).tanh();
            state = new.clone() + update * (state - new);
            states.push(state.clone().unsqueeze_dim(1));
        }
        trace.record_joined(recurrent);
        Tensor::cat(states, 1)
    }
}
