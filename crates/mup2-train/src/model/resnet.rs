//! Residual network (He et al., "Deep Residual Learning for Image Recognition", 2016): with the
//! 3×3 stem that CIFAR is trained with, as in table 2 of the paper, or the 7×7 stem of ImageNet.
//!
//! The stem is input-like, every other convolution hidden, gains and biases of the normalizations
//! are vectors, the readout weight is the output and its bias fixed.

use super::architecture::{NetworkBuilder, NetworkFrame};
use super::convolution::{Convolution, ConvolutionConfig};
use super::dense::DenseConfig;
use super::normalization::{Norm, NormConfig, NormKind};
use super::stack::{beside, one_after_the_other};
use super::{Dense, Dimension, Initializer, Network, Pass};
use crate::config::{ChannelNorm, ResNetConfig, ResNetDepth, Stem};
use crate::error::Result;
use crate::fused::add_relu;
use crate::scaling::TensorShape;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

/// PyTorch's ε of batch and group normalization.
const NORM_EPSILON: f64 = 1e-5;

impl ResNetDepth {
    fn blocks(self) -> [usize; 4] {
        match self {
            Self::ResNet18 => [2, 2, 2, 2],
            Self::ResNet34 | Self::ResNet50 => [3, 4, 6, 3],
        }
    }

    /// Channels out of a block over those of its stage.
    fn expansion(self) -> usize {
        match self {
            Self::ResNet18 | Self::ResNet34 => 1,
            Self::ResNet50 => 4,
        }
    }
}

/// All layers before they are drawn: shapes and parameters come from this one list.
struct ResNetLayers {
    stem: ConvolutionConfig,
    stem_norm: NormConfig,
    stages: Vec<Vec<BlockLayers>>,
    readout: DenseConfig,
}

/// The layers of one [`Block`] before they are drawn.
struct BlockLayers {
    convolutions: Vec<ConvolutionConfig>,
    norms: Vec<NormConfig>,
    shortcut: Option<(ConvolutionConfig, NormConfig)>,
}

impl ResNetConfig {
    fn all_layers(&self, frame: &NetworkFrame) -> ResNetLayers {
        let width = frame.width;
        let (kernel, stride) = match self.stem {
            Stem::Cifar => (3, 1),
            Stem::Imagenet => (7, 2),
        };
        let images = Dimension::Fixed(frame.images.channels);
        let mut channels = width;
        let mut stages = Vec::new();
        for (stage, blocks) in self.layers.blocks().into_iter().enumerate() {
            let planes = width.times(1 << stage);
            let blocks = (0..blocks).map(|block| {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let place = format!("stages.{stage}.{block}");
                let layers = self.block(&place, channels, planes, stride);
                channels = planes.times(self.layers.expansion());
                layers
            });
            stages.push(blocks.collect());
        }
        ResNetLayers {
            stem: convolution("stem".to_owned(), images, width, kernel, stride),
            stem_norm: self.norm("stem_norm".to_owned(), width, false),
            stages,
            readout: frame.readout(channels, true),
        }
    }

    /// Two 3×3 convolutions, or a 3×3 one between two 1×1 ones; the stride is at the first 3×3.
    fn block(
        &self,
        place: &str,
        inputs: Dimension,
        planes: Dimension,
        stride: usize,
    ) -> BlockLayers {
        let outputs = planes.times(self.layers.expansion());
        let layers = match self.layers {
            ResNetDepth::ResNet18 | ResNetDepth::ResNet34 => {
                vec![(inputs, planes, 3, stride), (planes, outputs, 3, 1)]
            }
            ResNetDepth::ResNet50 => vec![
                (inputs, planes, 1, 1),
                (planes, planes, 3, stride),
                (planes, outputs, 1, 1),
            ],
        };
        let last = layers.len() - 1;
        let norms = layers.iter().enumerate().map(|(index, layer)| {
            let zero_init = self.norm_zero_init && index == last;
            self.norm(format!("{place}.norms.{index}"), layer.1, zero_init)
        });
        let norms = norms.collect();
        let convolutions = layers.into_iter().enumerate();
        let convolutions = convolutions
            .map(|(index, (inputs, outputs, kernel, stride))| {
                let name = format!("{place}.convolutions.{index}");
                convolution(name, inputs, outputs, kernel, stride)
            })
            .collect();
        let shortcut = (stride != 1 || inputs != outputs).then(|| {
            let name = format!("{place}.shortcut");
            (
                convolution(name, inputs, outputs, 1, stride),
                self.norm(format!("{place}.shortcut_norm"), outputs, false),
            )
        });
        BlockLayers {
            convolutions,
            norms,
            shortcut,
        }
    }

    fn norm(&self, name: String, channels: Dimension, zero_init: bool) -> NormConfig {
        NormConfig {
            name,
            channels,
            kind: self.norm_kind(),
            epsilon: NORM_EPSILON,
            zero_init,
        }
    }

    fn norm_kind(&self) -> NormKind {
        match self.norm {
            ChannelNorm::Batch => NormKind::Batch,
            ChannelNorm::Group => NormKind::Group {
                groups: self.groups,
            },
        }
    }
}

impl NetworkBuilder for ResNetConfig {
    fn tensor_shapes(&self, frame: &NetworkFrame) -> Vec<TensorShape> {
        let layers = self.all_layers(frame);
        let mut shapes = vec![layers.stem.shape()];
        shapes.extend(layers.stem_norm.shapes());
        for block in layers.stages.iter().flatten() {
            for (convolution, norm) in block.convolutions.iter().zip(&block.norms) {
                shapes.push(convolution.shape());
                shapes.extend(norm.shapes());
            }
            if let Some((convolution, norm)) = &block.shortcut {
                shapes.push(convolution.shape());
                shapes.extend(norm.shapes());
            }
        }
        shapes.extend(layers.readout.shapes());
        shapes
    }

    fn batch_norm_layers(&self, frame: &NetworkFrame) -> Vec<String> {
        if self.norm != ChannelNorm::Batch {
            return Vec::new();
        }
        let all = self.all_layers(frame);
        let mut layers = vec![all.stem_norm.name];
        for block in all.stages.into_iter().flatten() {
            layers.extend(block.norms.into_iter().map(|norm| norm.name));
            layers.extend(block.shortcut.map(|(_, norm)| norm.name));
        }
        layers
    }

    fn draw(&self, frame: &NetworkFrame, initializer: &Initializer) -> Result<Network> {
        let layers = self.all_layers(frame);
        let stages = layers.stages.iter().map(|stage| {
            let blocks = stage.iter().map(|block| block.init(initializer));
            blocks.collect::<Result<Vec<_>>>()
        });
        Ok(ResNet {
            stages: stages.collect::<Result<_>>()?,
            stem: layers.stem.init(initializer)?,
            stem_norm: layers.stem_norm.init(initializer)?,
            readout: layers.readout.init(initializer)?,
            pools: self.stem == Stem::Imagenet,
        }
        .into())
    }
}

fn convolution(
    name: String,
    inputs: Dimension,
    outputs: Dimension,
    kernel: usize,
    stride: usize,
) -> ConvolutionConfig {
    ConvolutionConfig {
        name,
        inputs,
        outputs,
        kernel,
        stride,
        gain: 2f64.sqrt(),
    }
}

impl BlockLayers {
    fn init(&self, initializer: &Initializer) -> Result<Block> {
        let convolutions = self.convolutions.iter();
        let norms = self.norms.iter();
        let shortcut = self.shortcut.as_ref();
        Ok(Block {
            convolutions: convolutions
                .map(|c| c.init(initializer))
                .collect::<Result<_>>()?,
            norms: norms
                .map(|norm| norm.init(initializer))
                .collect::<Result<_>>()?,
            shortcut: shortcut.map(|(c, _)| c.init(initializer)).transpose()?,
            shortcut_norm: shortcut
                .map(|(_, norm)| norm.init(initializer))
                .transpose()?,
        })
    }
}

/// A residual network.
#[derive(Module, Debug)]
pub struct ResNet {
    stem: Convolution,
    stem_norm: Norm,
    stages: Vec<Vec<Block>>,
    readout: Dense,
    #[module(skip)]
    pools: bool,
}

/// Convolutions with a shortcut around them.
#[derive(Module, Debug)]
pub struct Block {
    convolutions: Vec<Convolution>,
    norms: Vec<Norm>,
    shortcut: Option<Convolution>,
    shortcut_norm: Option<Norm>,
}

impl ResNet {
    /// Logits `[batch, classes]` of `x` `[batch, channels, height, width]`.
    pub fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<2> {
        let stack = self.readout.stack();
        let x = self.stem.forward(beside(x, stack), &mut pass.trace);
        let mut x = self.stem_norm.forward_rectified(x, pass);
        if self.pools {
            let halving = MaxPoolOptions::new([3, 3])
                .with_stride([2, 2])
                .with_padding([1, 1]);
            x = max_pool2d(x, halving);
        }
        for block in self.stages.iter().flatten() {
            x = block.forward(x, pass);
        }
        let [batch, channels, height, width] = x.dims();
        let pixels = x.reshape([batch, channels, height * width]);
        let features = pixels.mean_dim(2).reshape([batch, channels]);
        self.readout
            .forward(one_after_the_other(features, stack), &mut pass.trace)
    }

    /// The normalization layers, in the order of the forward pass.
    pub(super) fn norms(&self) -> Vec<&Norm> {
        let blocks = self.stages.iter().flatten();
        std::iter::once(&self.stem_norm)
            .chain(blocks.flat_map(|block| block.norms.iter().chain(&block.shortcut_norm)))
            .collect()
    }

    /// As [`ResNet::norms`], to be changed.
    pub(super) fn norms_mut(&mut self) -> Vec<&mut Norm> {
        let blocks = self.stages.iter_mut().flatten();
        std::iter::once(&mut self.stem_norm)
            .chain(blocks.flat_map(|block| block.norms.iter_mut().chain(&mut block.shortcut_norm)))
            .collect()
    }
}

impl Block {
    fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        let mut y = x.clone();
        let last = self.convolutions.len().saturating_sub(1);
        let layers = self.convolutions.iter().zip(&self.norms);
        for (index, (convolution, norm)) in layers.enumerate() {
            y = convolution.forward(y, &mut pass.trace);
            y = match index < last {
                true => norm.forward_rectified(y, pass),
                false => norm.forward(y, pass),
            };
        }
        let around = match (&self.shortcut, &self.shortcut_norm) {
            (Some(shortcut), Some(norm)) => {
                norm.forward(shortcut.forward(x, &mut pass.trace), pass)
            }
            _ => x,
        };
        add_relu(y, around)
    }
}
