//! µP²: sharpness-aware training whose learning rate and perturbation radius, tuned on a narrow
//! network, are right for the wide one.
//!
//! The method is that of Haas, Xu, Cevher and Vankadara, "µP²: Effective Sharpness Aware
//! Minimization Requires Layerwise Perturbation Scaling", NeurIPS 2024 (arXiv 2411.00075), called
//! "the paper" throughout; "METHOD" is our summary, `docs/concepts/method.md`.
//!
//! The library never prints. Its rooms, and which may enter which, are described in
//! `ARCHITECTURE.md` and enforced by `tests/architecture.rs`.

pub mod check;
pub mod checkpoint;
pub mod collective;
pub mod config;
pub mod data;
pub mod export;
pub mod fused;
mod low_rank;
pub mod model;
pub mod module;
pub mod pytorch;
pub mod results;
pub mod sharpness;
pub mod step;
pub mod sweep;
pub mod tensorboard;
pub mod train;

pub use mup2_report::{doctor, phases, report, table};
pub use mup2_scaling as scaling;
pub use mup2_scaling::{error, publish, random, shapes};

/// The programs of the guide, compiled and run with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/your-model.md")]
struct GuideToYourModel;
