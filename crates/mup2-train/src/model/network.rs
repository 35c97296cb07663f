//! Any of the architectures behind one face, so that training and checks know none of them.

use super::architecture::NetworkFrame;
use super::normalization::{Norm, RunningStatistics};
use super::pass::BatchStatistics;
use super::{Dimension, Gru, Initializer, Mlp, Pass, ResNet, VisionTransformer};
use crate::config::{Architecture, ModelSpec};
use crate::data::ImageShape;
use crate::error::Result;
use crate::scaling::{Parameterization, ScalingTable, TensorShape};
use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{DType, Device, Tensor};

/// What the path of the readout's parameters begins with, in every model.
const READOUT: &str = "readout.";

/// The shape of a [`Network`]: a model for images of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkConfig {
    model: ModelSpec,
    parameterization: Parameterization,
    images: ImageShape,
    classes: usize,
}

impl NetworkConfig {
    /// The network of `model` for images of a shape and a number of classes. The parameterization
    /// decides how attention is scaled, where the model does not say.
    ///
    /// # Errors
    /// When the architecture cannot take such images.
    pub fn new(
        model: &ModelSpec,
        parameterization: Parameterization,
        images: ImageShape,
        classes: usize,
    ) -> Result<Self> {
        model.architecture.builder().validate_images(images)?;
        Ok(Self {
            model: model.clone(),
            parameterization,
            images,
            classes,
        })
    }

    fn frame(&self) -> NetworkFrame {
        NetworkFrame {
            images: self.images,
            width: Dimension::Growing {
                target: self.model.width,
                base: self.model.base_width,
            },
            classes: self.classes,
            readout_zero_init: self.model.readout_zero_init,
            output_multiplier: self.model.output_multiplier,
            parameterization: self.parameterization,
        }
    }

    /// Every parameter with its role and its shapes at the target and the base width, in the order
    /// of the forward pass.
    pub fn tensor_shapes(&self) -> Vec<TensorShape> {
        let builder = self.model.architecture.builder();
        builder.tensor_shapes(&self.frame())
    }

    /// Factor of what the parameter at `path` contributes to the logits: that of the output for
    /// the readout's parameters, and 1 for all others.
    pub fn output_multiplier(&self, path: &str) -> f64 {
        match path.starts_with(READOUT) {
            true => self.model.output_multiplier,
            false => 1.0,
        }
    }

    /// Paths of the layers that keep running statistics.
    pub fn batch_norm_layers(&self) -> Vec<String> {
        let builder = self.model.architecture.builder();
        builder.batch_norm_layers(&self.frame())
    }

    /// Channels and side of the patches that a Vision Transformer reads.
    pub fn patches(&self) -> Option<(usize, usize)> {
        match &self.model.architecture {
            Architecture::Vit(vit) => Some((self.images.channels, vit.patch)),
            Architecture::Mlp(_) | Architecture::ResNet(_) | Architecture::Gru(_) => None,
        }
    }

    /// Draws the network from the streams of `seed`, with the stds and multipliers of `table`.
    ///
    /// # Errors
    /// When `table` was made for another model.
    pub fn init(
        &self,
        table: &ScalingTable,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Network> {
        self.draw(&Initializer::new(table, seed, device, dtype))
    }

    /// Draws the network, or a stack of networks, by any initializer.
    ///
    /// # Errors
    /// When the initializer's table was made for another model.
    pub fn draw(&self, initializer: &Initializer) -> Result<Network> {
        let builder = self.model.architecture.builder();
        builder.draw(&self.frame(), initializer)
    }
}

/// A network of any architecture.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a training, and what it holds is on the heap"
)]
pub enum Network {
    /// Multilayer perceptron on flattened images.
    Mlp(Mlp),
    /// Residual network.
    ResNet(ResNet),
    /// Vision Transformer.
    VisionTransformer(VisionTransformer),
    /// Gated recurrent network that reads rows.
    Gru(Gru),
}

/// Does the same with whatever model is inside.
macro_rules! inside {
    ($network:expr, $model:ident => $result:expr) => {
        match $network {
            Network::Mlp($model) => $result,
            Network::ResNet($model) => $result,
            Network::VisionTransformer($model) => $result,
            Network::Gru($model) => $result,
        }
    };
}

impl Network {
    /// Logits `[batch, classes]` of `images` `[batch, channels, height, width]`; a stack takes the batches of its
    /// trials one after the other.
    pub fn forward(&self, images: Tensor<4>, pass: &mut Pass) -> Tensor<2> {
        let logits = match self {
            Self::Mlp(model) => {
                let [batch, channels, height, width] = images.dims();
                let x = images.reshape([batch, channels * height * width]);
                model.forward_with(x, &mut pass.ghost_norm, &mut pass.trace)
            }
            Self::ResNet(model) => model.forward(images, pass),
            Self::VisionTransformer(model) => model.forward(images, pass),
            Self::Gru(model) => model.forward(images, pass),
        };
        pass.end();
        logits
    }

    fn norms(&self) -> Vec<&Norm> {
        match self {
            Self::Mlp(_) | Self::VisionTransformer(_) | Self::Gru(_) => Vec::new(),
            Self::ResNet(model) => model.norms(),
        }
    }

    fn norms_mut(&mut self) -> Vec<&mut Norm> {
        match self {
            Self::Mlp(_) | Self::VisionTransformer(_) | Self::Gru(_) => Vec::new(),
            Self::ResNet(model) => model.norms_mut(),
        }
    }

    /// Running statistics of every batch normalization layer, by its path.
    pub fn running_statistics(&self) -> Vec<(&str, &RunningStatistics)> {
        let norms = self.norms().into_iter().filter(|norm| norm.is_batch());
        norms.map(|norm| (norm.name(), norm.running())).collect()
    }

    /// Replaces the running statistics of the batch normalization layer at `path`; a path that the
    /// model does not have changes nothing and gives false.
    pub fn set_running_statistics(&mut self, path: &str, statistics: RunningStatistics) -> bool {
        let mut norms = self.norms_mut().into_iter().filter(|norm| norm.is_batch());
        match norms.find(|norm| norm.name() == path) {
            None => false,
            Some(norm) => {
                norm.set_running(statistics);
                true
            }
        }
    }

    /// Moves the running statistics towards what a training pass saw (PyTorch's momentum of 0.1).
    pub fn absorb(&mut self, seen: &[BatchStatistics]) {
        let norms = self.norms_mut().into_iter().filter(|norm| norm.is_batch());
        for norm in norms {
            if let Some(seen) = seen.iter().find(|seen| seen.layer == norm.name()) {
                norm.absorb(seen);
            }
        }
    }
}

impl From<Mlp> for Network {
    fn from(model: Mlp) -> Self {
        Self::Mlp(model)
    }
}

impl From<ResNet> for Network {
    fn from(model: ResNet) -> Self {
        Self::ResNet(model)
    }
}

impl From<VisionTransformer> for Network {
    fn from(model: VisionTransformer) -> Self {
        Self::VisionTransformer(model)
    }
}

impl From<Gru> for Network {
    fn from(model: Gru) -> Self {
        Self::Gru(model)
    }
}

/// Burn would derive this, but with the variant's name in front of every parameter's path.
impl Module for Network {
    fn num_params(&self) -> usize {
        inside!(self, model => model.num_params())
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        inside!(self, model => model.visit(visitor));
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        inside!(self, model => model.map(mapper).into())
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        inside!(self, model => model.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        inside!(self, model => model.fork(device).into())
    }

    fn to_device(self, device: &Device) -> Self {
        inside!(self, model => model.to_device(device).into())
    }

    fn train(self) -> Self {
        inside!(self, model => model.train().into())
    }

    fn valid(&self) -> Self {
        inside!(self, model => model.valid().into())
    }

    fn materialize(self) -> Self {
        inside!(self, model => model.materialize().into())
    }
}
