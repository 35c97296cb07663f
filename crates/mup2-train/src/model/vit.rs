//! Vision Transformer (Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021), as the paper
//! trains it on ImageNet: pre-normalization blocks, learned positions, class token or mean pooling.
//!
//! The patch embedding is input-like, and so are positions and class token, whose entries grow in
//! number with the width only (vectors). Attention and MLP matrices are hidden.

use super::architecture::{NetworkBuilder, NetworkFrame};
use super::attention::{Attention, AttentionConfig};
use super::dense::DenseConfig;
use super::dropout::{dropout, stochastic_depth};
use super::normalization::{Norm, NormConfig, NormKind};
use super::{Application, Dense, Dimension, Initializer, Network, Pass, Site};
use crate::config::{Activation, Pooling, VisionTransformerConfig};
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::scaling::{Role, TensorKind, TensorShape};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mup2::trace::multiplied;

/// ε of all normalizations, timm's.
const NORM_EPSILON: f64 = 1e-6;
/// Initialization std of positions and class token, timm's.
const EMBEDDING_STD: f64 = 0.02;

/// All layers before they are drawn: shapes and parameters come from this one list.
struct VisionTransformerLayers {
    patches: DenseConfig,
    class_token: Option<TensorShape>,
    positions: TensorShape,
    blocks: Vec<TransformerBlockLayers>,
    norm: NormConfig,
    readout: DenseConfig,
}

/// The layers of one [`TransformerBlock`] before they are drawn.
struct TransformerBlockLayers {
    attention_norm: NormConfig,
    attention: AttentionConfig,
    mlp_norm: NormConfig,
    expansion: DenseConfig,
    contraction: DenseConfig,
}

impl VisionTransformerConfig {
    fn layers(&self, frame: &NetworkFrame) -> VisionTransformerLayers {
        let (images, width) = (frame.images, frame.width);
        let head = match self.head_dim {
            Some(size) => Dimension::Fixed(size),
            None => width.divided_by(self.heads),
        };
        let patch_inputs = Dimension::Fixed(images.channels * self.patch * self.patch);
        let patches = (images.height / self.patch) * (images.width / self.patch);
        let class_token = self.pool == Pooling::ClassToken;
        let scale = self.attention_scale_in(frame.parameterization);
        let blocks = (0..self.depth).map(|index| {
            let place = format!("blocks.{index}");
            let mlp = |part, inputs, outputs, gain| DenseConfig {
                bias: true,
                gain,
                ..DenseConfig::new(format!("{place}.{part}"), inputs, outputs)
            };
            let hidden = width.times(self.mlp_ratio);
            TransformerBlockLayers {
                attention_norm: norm(format!("{place}.attention_norm"), width),
                attention: AttentionConfig {
                    name: format!("{place}.attention"),
                    width,
                    head,
                    qk_norm: self.qk_norm.then_some(NORM_EPSILON),
                    scale,
                },
                mlp_norm: norm(format!("{place}.mlp_norm"), width),
                expansion: mlp("expansion", width, hidden, 1.0),
                contraction: mlp("contraction", hidden, width, Activation::Gelu.gain()),
            }
        });
        VisionTransformerLayers {
            patches: DenseConfig {
                bias: true,
                ..DenseConfig::new("patches", patch_inputs, width)
            },
            class_token: class_token.then(|| embedding("class_token", 1, width)),
            positions: embedding("positions", patches + usize::from(class_token), width),
            blocks: blocks.collect(),
            norm: norm("norm".to_owned(), width),
            readout: frame.readout(width, true),
        }
    }
}

impl NetworkBuilder for VisionTransformerConfig {
    fn validate_images(&self, images: ImageShape) -> Result<()> {
        let divides = |side: usize| self.patch > 0 && side.is_multiple_of(self.patch);
        if divides(images.height) && divides(images.width) {
            return Ok(());
        }
        Err(Error::invalid(
            "model.vit.patch",
            format!("is {}, but the images are {images}", self.patch),
            "a divisor of the images' height and width",
        ))
    }

    fn tensor_shapes(&self, frame: &NetworkFrame) -> Vec<TensorShape> {
        let layers = self.layers(frame);
        let mut shapes = layers.patches.shapes();
        shapes.extend(layers.class_token);
        shapes.push(layers.positions);
        for block in &layers.blocks {
            shapes.extend(block.attention_norm.shapes());
            shapes.extend(block.attention.shapes());
            shapes.extend(block.mlp_norm.shapes());
            shapes.extend(block.expansion.shapes());
            shapes.extend(block.contraction.shapes());
        }
        shapes.extend(layers.norm.shapes());
        shapes.extend(layers.readout.shapes());
        shapes
    }

    fn draw(&self, frame: &NetworkFrame, initializer: &Initializer) -> Result<Network> {
        let layers = self.layers(frame);
        let last = self.depth.saturating_sub(1).max(1) as f64;
        let blocks = layers.blocks.iter().enumerate().map(|(index, block)| {
            Ok(TransformerBlock {
                attention_norm: block.attention_norm.init(initializer)?,
                attention: block.attention.init(initializer)?,
                mlp_norm: block.mlp_norm.init(initializer)?,
                expansion: block.expansion.init(initializer)?,
                contraction: block.contraction.init(initializer)?,
                name: format!("blocks.{index}"),
                dropout: self.dropout,
                stochastic_depth: self.stochastic_depth * index as f64 / last,
            })
        });
        let class_token = layers.class_token.as_ref();
        Ok(VisionTransformer {
            patches: layers.patches.init(initializer)?,
            class_token: class_token
                .map(|shape| initializer.gaussian(&shape.name))
                .transpose()?,
            positions: initializer.gaussian("positions")?,
            blocks: blocks.collect::<Result<_>>()?,
            norm: layers.norm.init(initializer)?,
            readout: layers.readout.init(initializer)?,
            embedding_multiplier: initializer.row("positions")?.weight_mult,
            patch: self.patch,
            dropout: self.dropout,
        }
        .into())
    }
}

fn norm(name: String, channels: Dimension) -> NormConfig {
    NormConfig {
        name,
        channels,
        kind: NormKind::Layer,
        epsilon: NORM_EPSILON,
        zero_init: false,
    }
}

/// So many vectors that are added to tokens, `[count, width]`: input-like with a fan-in of 1.
fn embedding(name: &str, count: usize, width: Dimension) -> TensorShape {
    TensorShape {
        name: name.to_owned(),
        role: Role::Input,
        kind: TensorKind::Weight,
        shape: vec![count, width.target()],
        fan: (1, width.target()),
        base_fan: (1, width.base()),
        base_init_std: EMBEDDING_STD,
    }
}

/// A Vision Transformer.
#[derive(Module, Debug)]
pub struct VisionTransformer {
    patches: Dense,
    class_token: Option<Param<Tensor<2>>>,
    positions: Param<Tensor<2>>,
    blocks: Vec<TransformerBlock>,
    norm: Norm,
    readout: Dense,
    #[module(skip)]
    embedding_multiplier: f64,
    #[module(skip)]
    patch: usize,
    #[module(skip)]
    dropout: f64,
}

/// Attention and MLP, each normalized before and added to what came in.
#[derive(Module, Debug)]
pub struct TransformerBlock {
    attention_norm: Norm,
    attention: Attention,
    mlp_norm: Norm,
    expansion: Dense,
    contraction: Dense,
    #[module(skip)]
    name: String,
    #[module(skip)]
    dropout: f64,
    #[module(skip)]
    stochastic_depth: f64,
}

impl VisionTransformer {
    /// Logits `[batch, classes]` of `x` `[batch, channels, height, width]`.
    pub fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<2> {
        let x = patches(x, self.patch);
        let mut x = self.patches.forward_tokens(x, &mut pass.trace);
        let [batch, _, width] = x.dims();
        if let Some(token) = &self.class_token {
            let token = self.embedding(token, "class_token", batch, pass);
            x = Tensor::cat(vec![token.expand([batch, 1, width]), x], 1);
        }
        x = x + self.embedding(&self.positions, "positions", batch, pass);
        x = dropout(x, self.dropout, "embedding", pass);
        for block in &self.blocks {
            x = block.forward(x, pass);
        }
        let features = match self.class_token {
            // Only the class token is read, so only it needs the last normalization.
            Some(_) => x.narrow(1, 0, 1),
            None => x.mean_dim(1),
        };
        let features = self.norm.forward_tokens(features, &mut pass.trace);
        self.readout
            .forward(features.reshape([batch, width]), &mut pass.trace)
    }

    /// What is to be added to the tokens of `batch` images: `[1, count, width]`; of a stack, where each trial has
    /// its own, `[batch, count, width]`.
    fn embedding(
        &self,
        parameter: &Param<Tensor<2>>,
        name: &str,
        batch: usize,
        pass: &mut Pass,
    ) -> Tensor<3> {
        let value = multiplied(parameter.val(), self.embedding_multiplier);
        if pass.trace.is_recording() {
            let [count, width] = value.dims();
            pass.trace.record(Site {
                parameter: name.to_owned(),
                application: Application::Bias {
                    multiplier: self.embedding_multiplier,
                },
                product: value.clone().without_autodiff().reshape([1, count * width]),
            });
        }
        let stack = self.readout.stack();
        if stack == 1 {
            return value.unsqueeze();
        }
        let [counts, width] = value.dims();
        let (count, images) = (counts / stack, batch / stack);
        let value = value.reshape([stack, 1, count, width]);
        let value = value.expand([stack, images, count, width]);
        value.reshape([batch, count, width])
    }
}

/// `[batch, patches, channels · patch²]`, row by row, each patch with its channels outermost.
fn patches(x: Tensor<4>, patch: usize) -> Tensor<3> {
    let [batch, channels, height, width] = x.dims();
    let (rows, columns) = (height / patch, width / patch);
    let x = x.reshape([batch, channels, rows, patch, columns, patch]);
    let x = x.permute([0, 2, 4, 1, 3, 5]);
    x.reshape([batch, rows * columns, channels * patch * patch])
}

impl TransformerBlock {
    fn forward(&self, x: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
        let y = self
            .attention_norm
            .forward_tokens(x.clone(), &mut pass.trace);
        let y = self.attention.forward(y, &mut pass.trace);
        let x = x + self.branch(y, "attention", pass);
        let y = self.mlp_norm.forward_tokens(x.clone(), &mut pass.trace);
        let y = self.expansion.forward_tokens(y, &mut pass.trace);
        let y = Activation::Gelu.apply(y);
        let y = dropout(y, self.dropout, &format!("{}.expansion", self.name), pass);
        let y = self.contraction.forward_tokens(y, &mut pass.trace);
        x + self.branch(y, "mlp", pass)
    }

    /// What is added to the stream: dropped in part, or for whole samples.
    fn branch(&self, y: Tensor<3>, part: &str, pass: &Pass) -> Tensor<3> {
        let layer = format!("{}.{part}", self.name);
        let y = dropout(y, self.dropout, &layer, pass);
        let layer = format!("{layer}.stochastic_depth");
        stochastic_depth(y, self.stochastic_depth, &layer, pass)
    }
}
