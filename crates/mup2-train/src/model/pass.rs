//! What the forward passes of one step share: how the model is to behave in them, and what they
//! tell of it.

use super::{Network, Trace};
use crate::ghost_norm::{GhostNorm, ModelGradients};
use crate::random;
use burn::tensor::Gradients;
use rand_chacha::ChaCha8Rng;

/// A forward pass, or those of one step, which have the same masks. Models do not change by being
/// used: what they saw comes out here.
#[derive(Debug, Clone)]
pub struct Pass {
    training: bool,
    noise: Option<Noise>,
    pub(super) trace: Trace,
    pub(super) ghost_norm: GhostNorm,
    /// Whether the statistics of this forward pass are wanted.
    observes: bool,
    statistics: Vec<BatchStatistics>,
}

/// Where the random masks of a training step come from.
#[derive(Debug, Clone)]
struct Noise {
    /// One for each trial of a stack.
    seeds: Vec<u64>,
    step: u64,
}

/// Mean and variance of the inputs of one batch normalization layer in one pass.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchStatistics {
    /// Path of the layer.
    pub layer: String,
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Variance of each channel, unbiased (over N − 1), as PyTorch keeps it.
    pub variance: Vec<f32>,
}

impl Pass {
    /// No dropout, and batch normalization by running statistics.
    pub fn evaluation() -> Self {
        Self {
            training: false,
            noise: None,
            trace: Trace::off(),
            ghost_norm: GhostNorm::default(),
            observes: false,
            statistics: Vec::new(),
        }
    }

    /// Dropout and stochastic depth by the streams of (`seed`, `step`), batch normalization by the
    /// batch's statistics. All passes of one step have the same masks, so that SAM perturbs the
    /// loss that it descends.
    pub fn training(seed: u64, step: u64) -> Self {
        Self::training_stack(&[seed], step)
    }

    /// As [`Pass::training`], with a seed for each trial of a stack.
    pub fn training_stack(seeds: &[u64], step: u64) -> Self {
        let seeds = seeds.to_vec();
        Self {
            training: true,
            noise: Some(Noise { seeds, step }),
            ..Self::evaluation()
        }
    }

    /// Masks nothing.
    #[must_use]
    pub fn without_masks(self) -> Self {
        Self {
            noise: None,
            ..self
        }
    }

    /// Records what each parameter was applied to.
    #[must_use]
    pub fn tracing(self) -> Self {
        Self {
            trace: Trace::recording(),
            ..self
        }
    }

    /// Collects the statistics that batch normalization layers see in the first forward pass: they
    /// are those of the weights, not of the perturbed ones.
    #[must_use]
    pub fn observing(self) -> Self {
        Self {
            observes: true,
            ..self
        }
    }

    /// Whether the model is being trained.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// What each parameter was applied to; empty unless the pass was [`Pass::tracing`].
    pub fn into_trace(self) -> Trace {
        self.trace
    }

    /// What batch normalization layers saw; empty unless the pass was [`Pass::observing`].
    pub fn into_statistics(self) -> Vec<BatchStatistics> {
        self.statistics
    }

    /// The gradients of `model` after a backward pass from what this forward pass has computed.
    pub fn gradients(&mut self, backward: Gradients, model: &Network) -> ModelGradients {
        self.ghost_norm.gradients(backward, model)
    }

    /// Whether statistics are wanted; computing them for nobody costs a transfer per layer.
    pub(super) fn is_observing(&self) -> bool {
        self.observes
    }

    pub(super) fn observe(&mut self, statistics: BatchStatistics) {
        if self.observes {
            self.statistics.push(statistics);
        }
    }

    /// A forward pass is over.
    pub(super) fn end(&mut self) {
        self.observes = false;
    }

    /// The streams of a layer's mask, one for each trial; absent in evaluation, where nothing is
    /// masked.
    pub(super) fn mask_streams(&self, layer: &str) -> Option<Vec<ChaCha8Rng>> {
        let Noise { seeds, step } = self.noise.as_ref()?;
        let purpose = format!("mask/{step}/{layer}");
        let streams = seeds.iter().map(|&seed| random::stream(seed, &purpose));
        Some(streams.collect())
    }
}

impl AsMut<GhostNorm> for Pass {
    fn as_mut(&mut self) -> &mut GhostNorm {
        &mut self.ghost_norm
    }
}
