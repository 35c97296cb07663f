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
mod stack;
mod trace;
mod vit;

pub use attention::Attention;
pub use convolution::Convolution;
pub use dense::Dense;
pub use dimension::Dimension;
pub use gru::{Gru, GruLayer};
pub use initialization::Initializer;
pub use mlp::Mlp;
pub use network::{Network, NetworkConfig};
pub use normalization::{Norm, NormKind, RunningStatistics};
pub use pass::{BatchStatistics, Pass};
pub use resnet::{Block, ResNet};
pub use trace::{Application, Site, Trace};
pub use vit::{TransformerBlock, VisionTransformer};
