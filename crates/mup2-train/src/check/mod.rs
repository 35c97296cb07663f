//! The coordinate check of a run: its network at several widths, a few real steps each.

mod defaults;
mod measure;
mod run;
mod subject;

pub use defaults::{default_run, default_steps, default_widths};
pub use run::{CheckOptions, check};

#[cfg(test)]
mod tests;
