//! The built-in trainer of mup2: data, networks, runs as files, the training loop, checkpoints,
//! several processes, and the names of PyTorch's models.
//!
//! The library never prints.

pub mod built_in;
pub mod check;
pub mod checkpoint;
pub mod collective;
pub mod config;
pub mod data;
pub mod model;
pub mod pytorch;
pub mod tensorboard;
pub mod train;

use mup2::{fused, ghost_norm, sharpness, step};
use mup2_scaling as scaling;
use mup2_scaling::{error, publish, random};
