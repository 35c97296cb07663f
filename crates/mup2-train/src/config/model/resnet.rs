//! The keys of a residual network.

use super::ArchitectureKeys;
use crate::config::range;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The `[model.resnet]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "the keys of `[model.resnet]`"
)]
pub struct ResNetConfig {
    /// Which of the published networks: 18, 34 or 50.
    pub layers: ResNetDepth,
    /// First layers.
    pub stem: Stem,
    /// Normalization after each convolution.
    pub norm: ChannelNorm,
    /// Groups of channels of `norm = "group"`; a divisor of the width and of the base width.
    pub groups: usize,
    /// Starts the gain of each block's last normalization at 0, so that blocks start as identities.
    pub norm_zero_init: bool,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self {
            layers: ResNetDepth::ResNet18,
            stem: Stem::Cifar,
            norm: ChannelNorm::Batch,
            groups: 8,
            norm_zero_init: false,
        }
    }
}

/// A number of layers, and the kind of block that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum ResNetDepth {
    /// 2, 2, 2, 2 blocks of two convolutions.
    ResNet18,
    /// 3, 4, 6, 3 blocks of two convolutions.
    ResNet34,
    /// 3, 4, 6, 3 bottleneck blocks of three convolutions.
    ResNet50,
}

/// What the images go through first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// A 3×3 convolution: full resolution, for images of about 32 × 32.
    Cifar,
    /// A 7×7 convolution of stride 2 and a 3×3 max pooling of stride 2.
    Imagenet,
}

/// A normalization of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelNorm {
    /// Batch normalization.
    Batch,
    /// Group normalization.
    Group,
}

impl From<ResNetDepth> for u16 {
    fn from(depth: ResNetDepth) -> Self {
        match depth {
            ResNetDepth::ResNet18 => 18,
            ResNetDepth::ResNet34 => 34,
            ResNetDepth::ResNet50 => 50,
        }
    }
}

impl TryFrom<u16> for ResNetDepth {
    type Error = String;

    fn try_from(layers: u16) -> std::result::Result<Self, String> {
        match layers {
            18 => Ok(Self::ResNet18),
            34 => Ok(Self::ResNet34),
            50 => Ok(Self::ResNet50),
            _ => Err(format!("is {layers}, expected 18, 34 or 50")),
        }
    }
}

impl ArchitectureKeys for ResNetConfig {
    fn validate(&self, widths: (usize, usize), key: &dyn Fn(&str) -> String) -> Result<()> {
        match self.norm {
            ChannelNorm::Batch => Ok(()),
            ChannelNorm::Group => range::divisor(key("resnet.groups"), self.groups, widths),
        }
    }

    fn describe(&self) -> String {
        let stem = match self.stem {
            Stem::Cifar => "3×3",
            Stem::Imagenet => "7×7",
        };
        let norm = match self.norm {
            ChannelNorm::Batch => "batch normalization".to_owned(),
            ChannelNorm::Group => format!("group normalization ({} groups)", self.groups),
        };
        let gains = if self.norm_zero_init {
            ", last gain of each block starting at 0"
        } else {
            ""
        };
        let layers = u16::from(self.layers);
        format!("resnet-{layers} with a {stem} stem, {norm}{gains}")
    }

    fn has_norms(&self) -> bool {
        true
    }
}
