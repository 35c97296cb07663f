//! Multilayer perceptron on flattened images, as in figure 1 of the paper (three layers, no
//! biases, ReLU).

use super::architecture::{ArchitectureConfig, NetworkFrame};
use super::dense::DenseConfig;
use super::{Activation, Dense, Dimension, Initializer, Network, Trace};
use crate::error::Result;
use crate::low_rank::{LowRank, Source};
use crate::range;
use crate::scaling::TensorShape;
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// The keys of an MLP in the `[model]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MlpConfig {
    /// Number of weight layers, the readout included; at least 2.
    pub depth: usize,
    /// Whether layers have biases (initialized to 0).
    pub bias: bool,
    /// Nonlinearity of the hidden layers.
    pub activation: Activation,
    /// Adds each hidden-to-hidden layer's input to its output.
    pub residual: bool,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            depth: 3,
            bias: false,
            activation: Activation::Relu,
            residual: false,
        }
    }
}

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

impl ArchitectureConfig for MlpConfig {
    fn validate(&self, _widths: (usize, usize), key: &dyn Fn(&str) -> String) -> Result<()> {
        range::whole(key("depth"), self.depth, 2, 1000)
    }

    fn describe(&self) -> String {
        let bias = if self.bias { "with" } else { "without" };
        let residual = if self.residual { ", residual" } else { "" };
        format!(
            "mlp with {} weight layers, {}, {bias} biases{residual}",
            self.depth, self.activation
        )
    }

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
        self.forward_low_rank(x, &mut LowRank::off(), trace)
    }

    /// As [`Mlp::forward_traced`], in a pass whose matrices are as `low_rank` says.
    pub(super) fn forward_low_rank(
        &self,
        x: Tensor<2>,
        low_rank: &mut LowRank,
        trace: &mut Trace,
    ) -> Tensor<2> {
        let mut x = self
            .input
            .forward_low_rank(x, Source::Batch, low_rank, trace);
        x = self.activation.apply(x);
        for layer in &self.hidden {
            let y = layer.forward_low_rank(x.clone(), Source::Layer, low_rank, trace);
            let y = self.activation.apply(y);
            x = if self.residual { x + y } else { y };
        }
        self.readout
            .forward_low_rank(x, Source::Layer, low_rank, trace)
    }
}
