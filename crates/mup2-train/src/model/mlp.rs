//! Multilayer perceptron on flattened images, as in figure 1 of the paper (three layers, no
//! biases, ReLU).

use super::architecture::{NetworkBuilder, NetworkFrame};
use super::dense::DenseConfig;
use super::{Dense, Dimension, Initializer, Network, Trace};
use crate::config::{Activation, MlpConfig};
use crate::error::Result;
use crate::ghost_norm::{GhostNorm, Source};
use crate::scaling::TensorShape;
use burn::module::Module;
use burn::tensor::Tensor;

impl MlpConfig {
    fn layers(&self, frame: &NetworkFrame) -> Vec<DenseConfig> {
        let (width, pixels) = (frame.width, Dimension::Fixed(frame.images.values()));
        let hidden = (0..self.depth.saturating_sub(2))
            .map(|index| DenseConfig::new(format!("hidden.{index}"), width, width));
        std::iter::once(DenseConfig::new("input", pixels, width))
            .chain(hidden)
            .map(|layer| DenseConfig {
                bias: self.bias,
                gain: self.activation.gain(),
                ..layer
            })
            .chain([frame.readout(width, self.bias)])
            .collect()
    }
}

impl NetworkBuilder for MlpConfig {
    fn tensor_shapes(&self, frame: &NetworkFrame) -> Vec<TensorShape> {
        let layers = self.layers(frame);
        layers.iter().flat_map(DenseConfig::shapes).collect()
    }

    fn draw(&self, frame: &NetworkFrame, initializer: &Initializer) -> Result<Network> {
        let mut layers = self
            .layers(frame)
            .iter()
            .map(|layer| layer.init(initializer))
            .collect::<Result<Vec<_>>>()?;
        let readout = layers.split_off(layers.len() - 1).remove(0);
        let hidden = layers.split_off(1);
        Ok(Mlp {
            input: layers.remove(0),
            hidden,
            readout,
            activation: self.activation,
            residual: self.residual,
        }
        .into())
    }
}

/// A multilayer perceptron.
#[derive(Module, Debug)]
pub struct Mlp {
    input: Dense,
    hidden: Vec<Dense>,
    readout: Dense,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    residual: bool,
}

impl Mlp {
    /// Logits `[batch, classes]` of `x` `[batch, inputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.forward_traced(x, &mut Trace::off())
    }

    /// As [`Mlp::forward`], telling `trace` what each parameter was applied to.
    pub fn forward_traced(&self, x: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        self.forward_with(x, &mut GhostNorm::default(), trace)
    }

    /// [`Mlp::forward_traced`] in a pass of a step.
    pub(super) fn forward_with(
        &self,
        x: Tensor<2>,
        ghost_norm: &mut GhostNorm,
        trace: &mut Trace,
    ) -> Tensor<2> {
        let mut x = self.input.forward_with(x, Source::Batch, ghost_norm, trace);
        x = self.activation.apply(x);
        for layer in &self.hidden {
            let y = layer.forward_with(x.clone(), Source::Layer, ghost_norm, trace);
            let y = self.activation.apply(y);
            x = if self.residual { x + y } else { y };
        }
        self.readout
            .forward_with(x, Source::Layer, ghost_norm, trace)
    }
}
