//! The name of what computes. It is no part of a spec: a run is the same run on every device.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// What computes: the processor, or a GPU that the program was built for ([`crate::train::open_device`]).
///
/// A run has one id on all devices, and results that agree within rounding. Only those of the processor
/// are the same to the last bit wherever they are made, so a results directory holds those of one device.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Default,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum TrainingDevice {
    /// The processor; in every build.
    #[default]
    Flex,
    /// A GPU through wgpu and its portable shaders; in builds with the feature `wgpu`.
    Wgpu,
    /// A GPU through Vulkan and SPIR-V; in builds with the feature `vulkan`.
    Vulkan,
    /// An NVIDIA GPU through CUDA; in builds with the feature `cuda`.
    Cuda,
}

impl TrainingDevice {
    /// Whether it is the processor, of which each trial takes one core.
    pub fn is_processor(&self) -> bool {
        *self == Self::Flex
    }
}
