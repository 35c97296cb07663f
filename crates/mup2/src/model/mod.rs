//! Architectures: each in one file, each tagging its parameters with their roles under width.

mod activation;
mod architecture;
mod attention;
mod convolution;
mod dense;
mod dimension;
mod dropout;
mod gru;
mod initialization;
mod mlp;
mod network;
mod normalization;
mod pass;
mod resnet;
mod spec;
mod stack;
mod trace;
mod vit;

pub use activation::Activation;
pub use architecture::Architecture;
pub use attention::{Attention, AttentionScale};
pub use convolution::Convolution;
pub use dense::Dense;
pub use dimension::Dimension;
pub use gru::{Gru, GruConfig, GruLayer};
pub use initialization::Initializer;
pub use mlp::{Mlp, MlpConfig};
pub use network::{Network, NetworkConfig};
pub use normalization::{Norm, NormKind, RunningStatistics};
pub use pass::{BatchStatistics, Pass};
pub use resnet::{Block, ChannelNorm, ResNet, ResNetConfig, ResNetDepth, Stem};
pub use spec::{ModelKind, ModelSpec};
pub use trace::{Application, Site, Trace};
pub use vit::{Pooling, TransformerBlock, VisionTransformer, VisionTransformerConfig};
