//! The readers of mup2, and what their fuzz targets share.
//!
//! The crates without Burn are dependencies. Of `mup2-train` only files are compiled in: a
//! dependency on it would build Burn, eleven minutes of it. `data` and `built_in` are put together
//! here, without the network and the trainer.

// The modules of `mup2-train` are whole here, with what no target calls.
#![allow(dead_code, unused_imports)]

pub mod built_in;
#[path = "../../crates/mup2-train/src/checkpoint/mod.rs"]
pub mod checkpoint;
#[path = "../../crates/mup2-train/src/config/mod.rs"]
pub mod config;
pub mod data;
mod promises;
mod scratch;

pub use mup2_scaling as scaling;
pub use mup2_scaling::{error, publish, random, shapes};
pub use promises::{keeps_run_promises, keeps_sweep_promises, sentence, text_and_overrides};
pub use scratch::{empty_directory, scratch};
