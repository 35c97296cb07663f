//! The built-in trainer's runs as a sweep knows them, without the trainer.

#[path = "../../crates/mup2-train/src/built_in/columns.rs"]
mod columns;
#[path = "../../crates/mup2-train/src/built_in/description.rs"]
mod description;
#[path = "../../crates/mup2-train/src/built_in/runs.rs"]
mod runs;

pub use runs::{BUILT_IN, run_of};

use mup2_sweep::command::COMMAND;
use mup2_sweep::config::Kind;

/// As in `built_in/mod.rs`: what a sweep's runs may be.
pub const KINDS: &[Kind] = &[BUILT_IN, COMMAND];
