//! What a user asks for, as values: [`RunSpec`], [`SweepSpec`], their TOML form and the run id.

mod axis;
mod device;
mod halving;
mod identity;
mod model;
mod range;
mod read;
mod run;
mod search;
mod sharpness;
mod sweep;
mod train;

pub use axis::Axis;
pub use device::TrainingDevice;
pub use halving::Halving;
pub use identity::RunId;
pub use model::{
    Activation, Architecture, AttentionScale, ChannelNorm, GruConfig, MlpConfig, ModelKind,
    ModelSpec, Pooling, ResNetConfig, ResNetDepth, Stem, VisionTransformerConfig,
};
pub use read::{override_run, parse_run, parse_sweep, read_run, read_sweep};
pub use run::{
    OptimizerName, OptimizerSpec, PerturbationBatch, RunSpec, SamSpec, ScalingSpec, Schedule,
};
pub use search::{Log2Range, Search, SearchMethod};
pub use sharpness::{SharpnessGeometry, SharpnessSpec};
pub use sweep::{Grid, PlannedRun, Selection, SweepSpec};
pub use train::TrainSpec;

#[cfg(test)]
mod halving_tests;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod sharpness_tests;
#[cfg(test)]
mod tests;
