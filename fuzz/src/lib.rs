//! The rooms of mup2 that read, without Burn, and what their fuzz targets share.
//!
//! The rooms are the files of `crates/mup2/src`, compiled into this crate: a dependency on `mup2` would
//! build Burn, eleven minutes of it. `data` alone is put together here, without its network half.

// The rooms are whole here, also what no target calls and what they keep for rooms that are absent.
#![allow(dead_code, unused_imports)]

#[path = "../../crates/mup2-train/src/checkpoint/mod.rs"]
pub mod checkpoint;
#[path = "../../crates/mup2-train/src/config/mod.rs"]
pub mod config;
pub mod data;
#[path = "../../crates/mup2/src/error.rs"]
pub mod error;
mod promises;
#[path = "../../crates/mup2/src/publish.rs"]
pub mod publish;
#[path = "../../crates/mup2/src/random.rs"]
pub mod random;
#[path = "../../crates/mup2-train/src/results/mod.rs"]
pub mod results;
#[path = "../../crates/mup2/src/scaling/mod.rs"]
pub mod scaling;
mod scratch;
#[path = "../../crates/mup2/src/shapes/mod.rs"]
pub mod shapes;

pub use promises::{keeps_run_promises, keeps_sweep_promises, sentence, text_and_overrides};
pub use scratch::{empty_directory, scratch};
