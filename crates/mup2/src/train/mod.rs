//! From a spec to a result: the training loop.

mod batch;
mod evaluate;
mod one_core;
mod resume;
mod run;
mod setup;

pub(crate) use batch::Batch;
pub use evaluate::accuracy;
pub(crate) use one_core::panic_message;
pub use one_core::{TRIAL_THREAD, one_core_pool};
pub use resume::{Checkpointing, Earlier};
pub use run::{Cancel, Progress, train, train_resumably};
pub use setup::tensor_shapes;
pub(crate) use setup::{Setup, model_config, setup};
