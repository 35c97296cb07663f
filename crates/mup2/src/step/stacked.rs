//! SAM of several trials at once, as one model whose parameters are blocks, one a trial, along
//! their first dimension.

use super::blocks::losses;
use super::clip::clip_blocks;
use super::optimizer::StepOptimizer;
use super::passes::Passes;
use super::perturbation::{Draw, Perturbation};
use super::perturbed_tensors::{PerturbedTensors, usable};
use super::record::StepReport;
use super::sam_config::SamConfig;
use crate::error::Result;
use crate::ghost_norm::{ModelGradients, Purpose};
use crate::scaling::ScalingTable;
use burn::module::Module;
use std::sync::Arc;

/// A [`Sam`](super::Sam) for each trial of a stack. One that diverges spoils its own weights and no
/// other's.
#[derive(Debug, Clone)]
pub struct StackedSam {
    config: SamConfig,
    tensors: PerturbedTensors,
    /// Of random directions, one for each trial.
    seeds: Vec<u64>,
    steps: u64,
}

impl StackedSam {
    /// As [`Sam::new`](super::Sam::new), for trials with these seeds.
    ///
    /// # Errors
    /// As those of [`Sam::new`](super::Sam::new).
    pub fn new<M: Module>(
        config: SamConfig,
        model: &M,
        table: &ScalingTable,
        seeds: &[u64],
    ) -> Result<Self> {
        Ok(Self {
            tensors: PerturbedTensors::bind(&config, model, table, seeds.len())?,
            config,
            seeds: seeds.to_vec(),
            steps: 0,
        })
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Goes on as after `steps` steps.
    pub fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// One step of every trial, as [`Sam::step_by`](super::Sam::step_by): `rho` has a radius for
    /// each, `passes` return their losses (shape `[trials]`) and the gradients of the sum.
    ///
    /// # Errors
    /// As those of [`Sam::step`](super::Sam::step).
    pub fn step_by<M: Module>(
        &mut self,
        passes: &mut impl Passes<M>,
        optimizer: &mut impl StepOptimizer,
        model: M,
        learning_rate: f64,
        rho: &[f64],
    ) -> Result<(M, Vec<StepReport>)> {
        let learning_rate = self.tensors.usable_rates(learning_rate)?;
        let (gradients, reports) = self.ascend(passes, &model, rho)?;
        self.steps += 1;
        if reports.iter().all(|report| report.diverged) {
            return Ok((model, reports));
        }
        let mut gradients = gradients.into_dense();
        if let Some(max_norm) = self.config.clip_norm {
            gradients = clip_blocks(&model, gradients, max_norm, self.seeds.len());
        }
        let model = optimizer.descend(learning_rate, model, gradients.into());
        Ok((model, reports))
    }

    /// The gradients at the weights at which each trial takes them.
    fn ascend<M: Module>(
        &self,
        passes: &mut impl Passes<M>,
        model: &M,
        rho: &[f64],
    ) -> Result<(ModelGradients, Vec<StepReport>)> {
        for rho in rho {
            usable("rho", *rho)?;
        }
        let is_due = self.steps.is_multiple_of(self.config.every as u64);
        let ascents = match is_due && rho.iter().any(|rho| *rho > 0.0) {
            true => self.config.ascent_steps,
            false => 0,
        };
        // A product of a stack is of all its trials.
        let factored = match (self.config.ascent_steps, self.seeds.len()) {
            (1, 1) => self.tensors.multiples(),
            _ => Arc::default(),
        };
        let purpose = |done| match done < ascents {
            true => Purpose::Ascent(Arc::clone(&factored)),
            false => Purpose::Descent { factored: false },
        };
        let (first, mut gradients) = passes.gradient(model, purpose(0))?;
        let first = losses(first, self.seeds.len())?.into_iter();
        let mut reports: Vec<StepReport> = first.map(StepReport::at).collect();
        if ascents == 0 || reports.iter().all(|report| report.diverged) {
            return Ok((gradients, reports));
        }
        let mut perturbed = self.tensors.copy(model);
        let radii: Vec<f64> = rho.iter().map(|rho| rho / ascents as f64).collect();
        for ascent in 0..ascents {
            let draw = Draw {
                seeds: &self.seeds,
                step: self.steps,
                ascent,
                part: 0,
            };
            let perturbation =
                Perturbation::new(&self.tensors, &perturbed, gradients, &radii, draw);
            passes.ascending(&perturbed, &perturbation);
            let norms = perturbation.norms().to_vec();
            perturbed = perturbation.apply(perturbed);
            let (after, at_perturbed) = passes.gradient(&perturbed, purpose(ascent + 1))?;
            gradients = at_perturbed;
            let after = losses(after, self.seeds.len())?;
            let seen = norms.into_iter().zip(after);
            for ((report, rho), (norm, loss)) in reports.iter_mut().zip(rho).zip(seen) {
                if *rho > 0.0 {
                    report.ascended(norm, loss);
                }
            }
        }
        Ok((gradients, reports))
    }
}
