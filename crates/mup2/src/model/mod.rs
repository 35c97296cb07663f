//! Architectures: each in one file, each tagging its parameters with their roles under width.

mod initialization;
mod mlp;

pub use initialization::Initializer;
pub use mlp::{Activation, Mlp, MlpConfig};
