//! The built-in trainer's part in sweeps: its runs as a kind, and the training of them.

mod columns;
mod description;
mod runs;
mod trainer;

pub use runs::{BUILT_IN, run_of};
pub use trainer::{BuiltIn, StackSize, check_data, describe};

#[cfg(test)]
mod export_tests;
#[cfg(test)]
mod halving_tests;
#[cfg(test)]
mod stack_tests;
#[cfg(test)]
mod sweep_tests;
#[cfg(test)]
mod trainer_tests;

use mup2_sweep::command::COMMAND;
use mup2_sweep::config::Kind;

/// What a sweep's runs may be in a program that has the built-in trainer.
pub const KINDS: &[Kind] = &[BUILT_IN, COMMAND];
