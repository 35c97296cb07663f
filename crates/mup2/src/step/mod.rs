//! One training step: sharpness-aware minimization around any Burn optimizer, on any Burn module.
//!
//! A step takes a model and a closure that returns the loss and its gradients; neither the model
//! nor the closure knows of the perturbation.

mod batch_parts;
mod blocks;
mod clip;
mod geometry;
mod m_sharpness;
mod named;
mod optimizer;
mod parameters;
mod passes;
mod perturbation;
mod perturbed_tensors;
mod preconditioner;
mod record;
mod sam;
mod sam_config;
mod scaled_optimizer;
mod scaled_sgd;
mod schedule;
mod sgd;
mod stacked;
mod stacked_adamw;
mod tracking;

pub use batch_parts::BatchParts;
pub use blocks::{blocks_at, shape_of_blocks};
pub use clip::{clip_gradients, gradient_norm, weight_norm};
pub use clip::{scale_gradients, weight_norms};
pub use geometry::{Geometry, Stretch, TensorGeometry};
pub use named::{NamedMapper, NamedVisitor, map_named, visit_named};
pub use optimizer::{
    AdamW, BaseOptimizerConfig, FilledSlot, OptimizerSlot, Sgd, StepOptimizer, build_optimizer,
    build_optimizer_with,
};
pub use parameters::{Parameter, flat_gradients, flat_parameters, parameters};
pub use passes::{Passes, Sharing};
pub use perturbation::Perturbation;
pub use preconditioner::AsamOptions;
pub use record::{PerturbationRecord, Recorded, StepReport, TensorRecord};
pub use sam::Sam;
pub use sam_config::SamConfig;
pub use scaled_optimizer::ScaledOptimizer;
pub use schedule::{Decay, TimeFactor};
pub use stacked::StackedSam;

#[cfg(test)]
mod tests;
