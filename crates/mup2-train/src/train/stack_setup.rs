//! Model, optimizer and SAM of a stack of trials.

use super::average::Average;
use super::setup::{Binding, network_and_binding, time_factors};
use super::weights::{replaced, stored_weights};
use crate::config::RunSpec;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::{Initializer, Network, NetworkConfig};
use crate::step::{
    ScaledOptimizer, StackedSam, TimeFactor, blocks_at, parameters, shape_of_blocks,
};
use burn::module::Module;
use burn::tensor::{DType, Device};
use std::collections::BTreeMap;

/// What the trials of a stack differ in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trial {
    /// Its place among the runs that the stack was made of.
    pub run: usize,
    pub learning_rate: f64,
    pub rho: f64,
    pub seed: u64,
}

/// Everything that a stack trains with.
pub(super) struct StackSetup {
    pub trials: Vec<Trial>,
    pub model: Network,
    pub optimizer: ScaledOptimizer,
    pub sam: StackedSam,
    /// The moving averages that are evaluated in the models' place, if they are.
    pub average: Option<Average>,
    pub learning_rate: TimeFactor,
    pub radius: TimeFactor,
    config: NetworkConfig,
    binding: Binding,
    device: Device,
}

impl StackSetup {
    /// A trial for each of `specs`, which differ in learning rate, radius and seed alone.
    ///
    /// # Errors
    /// As those of the setup of one run; when there is no spec.
    pub fn new(
        specs: &[RunSpec],
        data: &Dataset,
        steps_per_epoch: usize,
        device: &Device,
    ) -> Result<Self> {
        let first = specs
            .first()
            .ok_or_else(|| Error::invalid("stack", "has no run", "at least 1"))?;
        let trials: Vec<Trial> = specs
            .iter()
            .enumerate()
            .map(|(run, spec)| Trial {
                run,
                learning_rate: spec.optimizer.lr,
                rho: spec.sam.rho,
                seed: spec.seed,
            })
            .collect();
        let (config, binding) = network_and_binding(first, data, trials.len())?;
        let model = draw(&config, &binding, &trials, device)?;
        let optimizer = optimizer(&binding, &model, &trials)?;
        let (learning_rate, radius) = time_factors(first, steps_per_epoch);
        Ok(Self {
            sam: sam(&binding, &model, &trials)?,
            average: Average::new(first.train.ema_decay, &model),
            optimizer,
            model,
            learning_rate,
            radius,
            config,
            binding,
            device: device.clone(),
            trials,
        })
    }

    /// The seeds of the trials.
    pub fn seeds(&self) -> Vec<u64> {
        seeds(&self.trials)
    }

    /// The stack of the trials at `kept`, as far as they are.
    ///
    /// # Errors
    /// When the optimizer's state cannot be read back.
    pub fn keep(self, kept: &[usize]) -> Result<Self> {
        let before = self.trials.len();
        if kept.len() == before {
            return Ok(self);
        }
        let trials: Vec<Trial> = kept.iter().map(|&place| self.trials[place]).collect();
        let ids: BTreeMap<String, u64> = parameters(&self.model)
            .into_iter()
            .map(|parameter| (parameter.name, parameter.id.val()))
            .collect();
        let fresh = draw(&self.config, &self.binding, &trials, &self.device)?;
        let of_kept = |model: &Network, into: Network, ids| {
            let mut weights = stored_weights(model)?;
            for (name, weights) in &mut weights {
                weights.shape = shape_of_blocks(&weights.shape, kept.len(), before);
                weights.values = blocks_at(&weights.values, kept, before).ok_or_else(|| {
                    Error::invalid(
                        name.as_str(),
                        "is not one block a trial",
                        "a stacked tensor",
                    )
                })?;
            }
            Result::Ok(replaced(into, weights, ids))
        };
        let average = match self.average {
            None => None,
            Some(average) => Some(Average {
                model: of_kept(&average.model, fresh.valid(), BTreeMap::new())?,
                ..average
            }),
        };
        let model = of_kept(&self.model, fresh, ids)?;
        let mut optimizer = optimizer(&self.binding, &model, &trials)?;
        optimizer.load_survivors(self.optimizer.to_bytes()?, kept, before)?;
        let mut sam = sam(&self.binding, &model, &trials)?;
        sam.set_steps(self.sam.steps());
        Ok(Self {
            trials,
            model,
            optimizer,
            sam,
            average,
            ..self
        })
    }
}

fn seeds(trials: &[Trial]) -> Vec<u64> {
    trials.iter().map(|trial| trial.seed).collect()
}

fn draw(
    config: &NetworkConfig,
    binding: &Binding,
    trials: &[Trial],
    device: &Device,
) -> Result<Network> {
    let seeds = seeds(trials);
    config.draw(&Initializer::of_stack(
        &binding.table,
        &seeds,
        device,
        DType::F32,
    ))
}

fn optimizer(binding: &Binding, model: &Network, trials: &[Trial]) -> Result<ScaledOptimizer> {
    let rates = trials.iter().map(|trial| trial.learning_rate);
    let rates: Vec<f64> = rates.collect();
    ScaledOptimizer::of_stack(binding.optimizer, model, &binding.table, &rates)
}

fn sam(binding: &Binding, model: &Network, trials: &[Trial]) -> Result<StackedSam> {
    StackedSam::new(binding.sam.clone(), model, &binding.table, &seeds(trials))
}
