//! The built-in trainer's runs as values: [`RunSpec`], its TOML form and what its id is made of.

mod beginning;
mod canonical;
mod device;
mod model;
mod range;
mod read_run;
mod run;
mod sharpness;
mod train;

pub use device::TrainingDevice;
pub use model::{
    Activation, Architecture, AttentionScale, ChannelNorm, GruConfig, MlpConfig, ModelKind,
    ModelSpec, Pooling, ResNetConfig, ResNetDepth, Stem, VisionTransformerConfig,
};
pub use read_run::{override_run, parse_run, read_run};
pub use run::{
    OptimizerName, OptimizerSpec, PerturbationBatch, RunSpec, SamSpec, ScalingSpec, Schedule,
};
pub use sharpness::{SharpnessGeometry, SharpnessSpec};
pub use train::TrainSpec;

#[cfg(test)]
mod sharpness_tests;
