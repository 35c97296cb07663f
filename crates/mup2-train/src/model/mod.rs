//! Architectures: each in one file, each tagging its parameters with their roles under width.

mod activation;
mod architecture;
mod attention;
mod convolution;
mod dense;
mod dimension;
mod dropout;
mod gru;
mod mlp;
mod network;
mod normalization;
mod pass;
mod resnet;
mod stack;
mod vit;

pub use attention::Attention;
pub use convolution::Convolution;
pub use dense::Dense;
pub use dimension::Dimension;
pub use gru::{Gru, GruLayer};
pub use mlp::Mlp;
pub use mup2::initialization::Initializer;
pub use mup2::trace::{Application, Site, Trace};
pub use network::{Network, NetworkConfig};
pub use normalization::{Norm, NormKind, RunningStatistics};
pub use pass::{BatchStatistics, Pass};
pub use resnet::{Block, ResNet};
pub use vit::{TransformerBlock, VisionTransformer};

#[cfg(test)]
mod ghost_norm_tests;
