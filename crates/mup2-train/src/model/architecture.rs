//! What each architecture makes of its keys: the layers of a network.

use super::dense::DenseConfig;
use super::{Dimension, Initializer, Network};
use crate::config::Architecture;
use crate::data::ImageShape;
use crate::error::Result;
use crate::scaling::{Parameterization, TensorShape};

impl Architecture {
    pub(super) fn builder(&self) -> &dyn NetworkBuilder {
        match self {
            Self::Mlp(keys) => keys,
            Self::ResNet(keys) => keys,
            Self::Vit(keys) => keys,
            Self::Gru(keys) => keys,
        }
    }
}

/// Makes networks from the keys of one architecture, in a frame.
pub(super) trait NetworkBuilder {
    /// # Errors
    /// When the architecture cannot take such images.
    fn validate_images(&self, _images: ImageShape) -> Result<()> {
        Ok(())
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
