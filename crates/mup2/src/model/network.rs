//! Any of the zoo's models behind one face, so that training and checks know none of them.

use super::normalization::{Norm, RunningStatistics};
use super::pass::BatchStatistics;
use super::{
    Gru, GruConfig, Initializer, Mlp, MlpConfig, Pass, ResNet, ResNetConfig, VisionTransformer,
    VisionTransformerConfig,
};
use crate::error::Result;
use crate::scaling::{ScalingTable, TensorShape};
use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{DType, Device, Tensor};

/// What the path of the readout's parameters begins with, in every model.
const READOUT: &str = "readout.";

/// The shape of a [`Network`].
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkConfig {
    /// Multilayer perceptron.
    Mlp(MlpConfig),
    /// Residual network.
    ResNet(ResNetConfig),
    /// Vision Transformer.
    VisionTransformer(VisionTransformerConfig),
    /// Gated recurrent network.
    Gru(GruConfig),
}

impl NetworkConfig {
    /// Every parameter with its role and its shapes at the target and the base width.
    pub fn tensor_shapes(&self) -> Vec<TensorShape> {
        match self {
            Self::Mlp(config) => config.tensor_shapes(),
            Self::ResNet(config) => config.tensor_shapes(),
            Self::VisionTransformer(config) => config.tensor_shapes(),
            Self::Gru(config) => config.tensor_shapes(),
        }
    }

    /// Factor of what the parameter at `path` contributes to the logits: that of the output for
    /// the readout's parameters, and 1 for all others.
    pub fn output_multiplier(&self, path: &str) -> f64 {
        if !path.starts_with(READOUT) {
            return 1.0;
        }
        match self {
            Self::Mlp(config) => config.output_multiplier,
            Self::ResNet(config) => config.output_multiplier,
            Self::VisionTransformer(config) => config.output_multiplier,
            Self::Gru(config) => config.output_multiplier,
        }
    }

    /// Paths of the layers that keep running statistics.
    pub fn batch_norm_layers(&self) -> Vec<String> {
        match self {
            Self::ResNet(config) => config.batch_norm_layers(),
            Self::Mlp(_) | Self::VisionTransformer(_) | Self::Gru(_) => Vec::new(),
        }
    }

    /// Channels and side of the patches that a Vision Transformer reads.
    pub fn patches(&self) -> Option<(usize, usize)> {
        match self {
            Self::VisionTransformer(config) => Some((config.image[0], config.patch)),
            Self::Mlp(_) | Self::ResNet(_) | Self::Gru(_) => None,
        }
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
    ) -> Result<Network> {
        self.draw(&Initializer::new(table, seed, device, dtype))
    }

    /// Draws the model, or a stack of models, by any initializer.
    ///
    /// # Errors
    /// When the initializer's table was made for another model.
    pub fn draw(&self, initializer: &Initializer) -> Result<Network> {
        Ok(match self {
            Self::Mlp(config) => Network::Mlp(config.draw(initializer)?),
            Self::ResNet(config) => Network::ResNet(config.draw(initializer)?),
            Self::VisionTransformer(config) => {
                Network::VisionTransformer(config.draw(initializer)?)
            }
            Self::Gru(config) => Network::Gru(config.draw(initializer)?),
        })
    }
}

/// A model of the zoo.
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

/// As [`inside!`], and puts the new model back.
macro_rules! transformed {
    ($network:expr, $model:ident => $result:expr) => {
        match $network {
            Network::Mlp($model) => Network::Mlp($result),
            Network::ResNet($model) => Network::ResNet($result),
            Network::VisionTransformer($model) => Network::VisionTransformer($result),
            Network::Gru($model) => Network::Gru($result),
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

/// Burn would derive this, but with the variant's name in front of every parameter's path.
impl Module for Network {
    fn num_params(&self) -> usize {
        inside!(self, model => model.num_params())
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        inside!(self, model => model.visit(visitor));
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        transformed!(self, model => model.map(mapper))
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        inside!(self, model => model.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        transformed!(self, model => model.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        transformed!(self, model => model.to_device(device))
    }

    fn train(self) -> Self {
        transformed!(self, model => model.train())
    }

    fn valid(&self) -> Self {
        transformed!(self, model => model.valid())
    }

    fn materialize(self) -> Self {
        transformed!(self, model => model.materialize())
    }
}
