//! µP² for [Burn](https://burn.dev): sharpness-aware training whose learning rate and perturbation
//! radius, tuned on a narrow network, are right for the wide one.
//!
//! The method is that of Haas, Xu, Cevher and Vankadara, "µP²: Effective Sharpness Aware
//! Minimization Requires Layerwise Perturbation Scaling", NeurIPS 2024 (arXiv 2411.00075), called
//! "the paper" throughout; "METHOD" is our summary, `docs/concepts/method.md`.
//!
//! [`module`] scales any Burn module, [`step`] trains it, [`check`] measures whether every layer is
//! perturbed as the theory says, [`sharpness`] measures what it reached. The library never prints.

pub mod check;
pub mod fused;
pub mod ghost_norm;
pub mod initialization;
pub mod module;
pub mod sharpness;
pub mod step;
pub mod trace;

pub use mup2_scaling as scaling;
pub use mup2_scaling::{error, random, shapes};

/// The programs of the guide, compiled and run with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/your-model.md")]
struct GuideToYourModel;
