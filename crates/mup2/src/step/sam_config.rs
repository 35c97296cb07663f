//! The settings of SAM that do not depend on the model.

use super::preconditioner::AsamOptions;
use crate::scaling::{AsamBias, Rule};

/// The settings of [`Sam`](super::Sam) that do not depend on the model.
#[derive(Debug, Clone, PartialEq)]
pub struct SamConfig {
    /// Perturbation rule.
    pub rule: Rule,
    /// ASAM's constants.
    pub asam: AsamOptions,
    /// Perturbs every k-th step, the first included; other steps are the base optimizer's.
    pub every: usize,
    /// Ascent steps of radius ρ / ascent_steps each.
    pub ascent_steps: usize,
    /// Clips the update's gradient to this global norm.
    pub clip_norm: Option<f64>,
    /// Seed of [`Rule::Random`]'s directions.
    pub seed: u64,
}

impl SamConfig {
    /// `rule` at every step, in one ascent step and without clipping; η_asam = 0.01 and T = 1 for
    /// biases, as in ASAM's original code.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            asam: AsamOptions {
                eta: 0.01,
                bias: AsamBias::One,
            },
            every: 1,
            ascent_steps: 1,
            clip_norm: None,
            seed: 0,
        }
    }
}
