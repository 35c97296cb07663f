//! A training in the middle: everything that it needs to go on to the same bits.
//!
//! A checkpoint is one [safetensors](https://github.com/huggingface/safetensors) file, so that its
//! weights can be read by other programs: the tensors `model/NAME`, the optimizer's state as bytes
//! (`optimizer`), and in the metadata a JSON text `state` with its SHA-256 over state and tensors.

mod directory;
mod file;
mod safetensors_file;
mod weights_file;

pub use directory::CheckpointDirectory;
pub use weights_file::{read_metadata, read_shapes, read_weights, write_weights};

use crate::config::RunSpec;
use mup2_sweep::config::RunId;
use mup2_sweep::results::RunResult;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the file; raised when something changes its meaning.
pub const CHECKPOINT_FORMAT: u32 = 1;

/// What a training is beside its weights and its optimizer's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingState {
    /// [`CHECKPOINT_FORMAT`].
    pub format: u32,
    /// Id of the run that it belongs to.
    pub id: RunId,
    /// The result so far: metrics, and the number of steps, which give the place in the data.
    pub result: RunResult<RunSpec>,
    /// Sum of the losses of the current epoch's steps.
    pub loss_sum: f64,
    /// Steps that SAM has counted: the place in its random streams and in `sam.every`.
    pub sam_steps: u64,
    /// The number by which the optimizer's state knows each parameter.
    pub parameters: BTreeMap<String, u64>,
}

/// A parameter's values.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Shape.
    pub shape: Vec<usize>,
    /// Values in row-major order.
    pub values: Vec<f32>,
}

/// A training in the middle.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// All but tensors.
    pub state: TrainingState,
    /// Parameters by path.
    pub weights: BTreeMap<String, Weights>,
    /// The optimizer's state, in Burn's own form.
    pub optimizer: Vec<u8>,
}

#[cfg(test)]
mod tests;
