//! Multilayer perceptron on flattened images, as in figure 1 of the paper (three layers, no
//! biases, ReLU).

use super::dense::DenseConfig;
use super::{Activation, Dense, Dimension, Initializer, Trace};
use crate::error::Result;
use crate::ghost_norm::{GhostNorm, Source};
use crate::scaling::{Role, ScalingTable, TensorShape};
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};

/// The shape of an [`Mlp`].
#[derive(Debug, Clone, PartialEq)]
pub struct MlpConfig {
    /// Number of input features.
    pub inputs: usize,
    /// Number of classes.
    pub classes: usize,
    /// Units of every hidden layer.
    pub width: usize,
    /// Width at which every multiplier is 1.
    pub base_width: usize,
    /// Number of weight layers, the readout included; at least 2.
    pub depth: usize,
    /// Whether layers have biases (initialized to 0).
    pub bias: bool,
    /// Nonlinearity.
    pub activation: Activation,
    /// Adds each hidden-to-hidden layer's input to its output.
    pub residual: bool,
    /// Starts the readout weight at zero.
    pub readout_zero_init: bool,
    /// Factor of the logits, the same at every width.
    pub output_multiplier: f64,
}

impl MlpConfig {
    fn layers(&self) -> Vec<DenseConfig> {
        let inputs = Dimension::Fixed(self.inputs);
        let width = Dimension::Growing {
            target: self.width,
            base: self.base_width,
        };
        let classes = Dimension::Fixed(self.classes);
        let hidden = (0..self.depth.saturating_sub(2))
            .map(|index| DenseConfig::new(format!("hidden.{index}"), width, width));
        std::iter::once(DenseConfig::new("input", inputs, width))
            .chain(hidden)
            .chain([DenseConfig {
                output_multiplier: self.output_multiplier,
                ..DenseConfig::new("readout", width, classes)
            }])
            .map(|layer| DenseConfig {
                bias: self.bias,
                gain: match layer.inputs.role_towards(layer.outputs) {
                    Role::Output if self.readout_zero_init => 0.0,
                    Role::Output => 1.0,
                    _ => self.activation.gain(),
                },
                ..layer
            })
            .collect()
    }

    /// Every parameter with its role and its shapes at the target and the base width.
    pub fn tensor_shapes(&self) -> Vec<TensorShape> {
        self.layers().iter().flat_map(DenseConfig::shapes).collect()
    }

    /// Draws the model from the streams of `seed`, with the stds and multipliers of `table`.
    ///
    /// # Errors
    /// When `table` was made for another model.
    pub fn init(
        &self,
        table: &ScalingTable,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Mlp> {
        self.draw(&Initializer::new(table, seed, device, dtype))
    }

    /// As `init`, by any initializer.
    pub(super) fn draw(&self, initializer: &Initializer) -> Result<Mlp> {
        let mut layers = self
            .layers()
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
        })
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
