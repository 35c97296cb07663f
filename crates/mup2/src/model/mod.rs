//! Architectures: each in one file, each tagging its parameters with their roles under width.

mod initialization;
mod mlp;
mod trace;

pub use initialization::Initializer;
pub use mlp::{Activation, Mlp, MlpConfig};
pub use trace::{Application, Site, Trace};
