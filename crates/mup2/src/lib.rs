//! µP²: sharpness-aware training whose learning rate and perturbation radius, tuned on a narrow
//! network, are right for the wide one.
//!
//! The method is that of Haas, Xu, Cevher and Vankadara, "µP²: Effective Sharpness Aware
//! Minimization Requires Layerwise Perturbation Scaling", NeurIPS 2024 (arXiv 2411.00075), called
//! "the paper" throughout; "METHOD" is our summary, `docs/concepts/method.md`.
//!
//! The library never prints. Its rooms, and which may enter which, are described in
//! `ARCHITECTURE.md` and enforced by `tests/architecture.rs`.

pub mod built_in;
pub mod cancel;
pub mod check;
pub mod checkpoint;
pub mod collective;
pub mod config;
pub mod data;
pub mod doctor;
pub mod error;
pub mod export;
mod figure;
pub mod fused;
mod kernels;
mod low_rank;
pub mod model;
pub mod module;
pub mod one_core;
pub mod phases;
pub mod publish;
pub mod pytorch;
pub mod random;
pub mod report;
pub mod results;
pub mod scaling;
pub mod shapes;
pub mod sharpness;
pub mod step;
pub mod sweep;
pub mod tensorboard;
pub mod train;

/// The programs of the guide, compiled and run with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/your-model.md")]
struct GuideToYourModel;
