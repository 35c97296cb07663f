//! The four architectures: what each says of itself, from its own keys.

use super::dense::DenseConfig;
use super::{
    Dimension, GruConfig, Initializer, MlpConfig, ModelKind, Network, ResNetConfig,
    VisionTransformerConfig,
};
use crate::data::ImageShape;
use crate::error::Result;
use crate::scaling::{Parameterization, TensorShape};

/// An architecture with the keys that it alone has.
#[derive(Debug, Clone, PartialEq)]
pub enum Architecture {
    /// Multilayer perceptron on flattened images.
    Mlp(MlpConfig),
    /// Residual network.
    ResNet(ResNetConfig),
    /// Vision Transformer.
    Vit(VisionTransformerConfig),
    /// Gated recurrent network that reads an image row by row.
    Gru(GruConfig),
}

impl Default for Architecture {
    fn default() -> Self {
        Self::Mlp(MlpConfig::default())
    }
}

impl Architecture {
    /// Its name.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::Mlp(_) => ModelKind::Mlp,
            Self::ResNet(_) => ModelKind::ResNet,
            Self::Vit(_) => ModelKind::Vit,
            Self::Gru(_) => ModelKind::Gru,
        }
    }

    pub(super) fn config(&self) -> &dyn ArchitectureConfig {
        match self {
            Self::Mlp(config) => config,
            Self::ResNet(config) => config,
            Self::Vit(config) => config,
            Self::Gru(config) => config,
        }
    }
}

/// The keys of one architecture: what they allow, and the network that they make in a frame.
pub(super) trait ArchitectureConfig {
    /// Checks every value beside `(width, base width)`; `key` makes the place of a key below
    /// `model`.
    ///
    /// # Errors
    /// The first value that is out of its range.
    fn validate(&self, widths: (usize, usize), key: &dyn Fn(&str) -> String) -> Result<()>;

    /// # Errors
    /// When the architecture cannot take such images.
    fn validate_images(&self, _images: ImageShape) -> Result<()> {
        Ok(())
    }

    /// Name, depth and what else shapes the network, in a few words.
    fn describe(&self) -> String;

    /// Whether the network has normalization layers.
    fn has_norms(&self) -> bool {
        false
    }

    /// Every parameter with its role and its shapes at the target and the base width, in the order
    /// of the forward pass.
    fn tensor_shapes(&self, frame: &NetworkFrame) -> Vec<TensorShape>;

    /// Paths of the layers that keep running statistics.
    fn batch_norm_layers(&self, _frame: &NetworkFrame) -> Vec<String> {
        Vec::new()
    }

    /// Draws the network, or a stack of networks.
    ///
    /// # Errors
    /// When the initializer's table was made for another model.
    fn draw(&self, frame: &NetworkFrame, initializer: &Initializer) -> Result<Network>;
}

/// What every network is built between: its images, its width and its classes.
#[derive(Debug, Clone, Copy)]
pub(super) struct NetworkFrame {
    pub images: ImageShape,
    pub width: Dimension,
    pub classes: usize,
    pub readout_zero_init: bool,
    pub output_multiplier: f64,
    pub parameterization: Parameterization,
}

impl NetworkFrame {
    /// The last layer, from `features` to the logits.
    pub fn readout(&self, features: Dimension, bias: bool) -> DenseConfig {
        DenseConfig {
            bias,
            gain: if self.readout_zero_init { 0.0 } else { 1.0 },
            output_multiplier: self.output_multiplier,
            ..DenseConfig::new("readout", features, Dimension::Fixed(self.classes))
        }
    }
}
