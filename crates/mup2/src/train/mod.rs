//! From a spec to a result: the training loop.

mod evaluate;
mod run;
mod setup;

pub use evaluate::accuracy;
pub use run::{Cancel, Progress, train};
