//! From a spec to a result: the training loop.

mod architecture;
mod average;
mod batch;
mod device;
mod device_memory;
mod evaluate;
mod evaluation;
mod exchange;
mod feed;
mod reduction;
mod resume;
mod run;
mod setup;
mod share;
mod sharpness;
mod stack;
mod stack_memory;
mod stack_setup;
mod throughput;
mod trained;
mod weights;

pub(crate) use architecture::network_for;
pub use architecture::{network_config, tensor_shapes};
pub(crate) use batch::Batch;
pub use device::{device_model, open_device};
pub use device_memory::free_memory;
pub use evaluate::accuracy;
pub use exchange::{Accuracies, check_weight_shapes, evaluate_weights, ours, theirs};
pub use resume::{Checkpointing, Earlier, Keeping, StartWeights};
pub use run::{Progress, train, train_resumably, train_together};
pub(crate) use setup::{Setup, setup};
pub use share::check_processes;
pub use stack::{check_stack, train_stack};
pub use stack_memory::trial_memory;
pub use throughput::{Throughput, ThroughputOptions, throughput};
pub use trained::{TrainedWeights, classes_of_weights, normalization_of_weights, run_of_weights};
pub use weights::{effective_weights, with_effective_weights};

use crate::config::RunSpec;

/// The result of a run of the built-in trainer.
pub type RunResult = mup2_sweep::results::RunResult<RunSpec>;
