//! Builds model, optimizer and SAM from a spec: where configuration meets the engine.

use super::architecture::network_for;
use super::average::Average;
use super::device_memory::{TOTAL, machine_memory};
use crate::config::{OptimizerName, RunSpec, Schedule};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::{Network, NetworkConfig};
use crate::scaling::{ScalingTable, TensorShape, scale};
use crate::step::{
    AdamW, AsamOptions, BaseOptimizerConfig, Decay, Geometry, Sam, SamConfig, ScaledOptimizer, Sgd,
    TimeFactor,
};
use burn::tensor::{DType, Device};

/// Everything that a run trains with.
pub(crate) struct Setup {
    pub model: Network,
    pub optimizer: ScaledOptimizer,
    pub sam: Sam,
    /// The moving average that is evaluated in the model's place, if one is.
    pub average: Option<Average>,
    pub config: NetworkConfig,
    pub binding: Binding,
    pub learning_rate: TimeFactor,
    pub radius: TimeFactor,
}

/// # Errors
/// When the rule perturbs none of the model's tensors.
pub(crate) fn setup(
    spec: &RunSpec,
    data: &Dataset,
    steps_per_epoch: usize,
    device: &Device,
) -> Result<Setup> {
    let (config, binding) = network_and_binding(spec, data, 1)?;
    let model = config.init(&binding.table, spec.seed, device, DType::F32)?;
    let (optimizer, sam) = binding.bind(&model)?;
    let (learning_rate, radius) = time_factors(spec, steps_per_epoch);
    Ok(Setup {
        average: Average::new(spec.train.ema_decay, &model),
        model,
        optimizer,
        sam,
        config,
        binding,
        learning_rate,
        radius,
    })
}

/// The network of a run, and what optimizer and SAM are made from; for `trials` of them at once.
///
/// # Errors
/// When the rule perturbs none of the model's tensors, or there is no memory for the trials.
pub(super) fn network_and_binding(
    spec: &RunSpec,
    data: &Dataset,
    trials: usize,
) -> Result<(NetworkConfig, Binding)> {
    let config = network_for(spec, data)?;
    let shapes = config.tensor_shapes();
    check_memory(&shapes, trials)?;
    let binding = Binding {
        optimizer: base_optimizer(spec),
        sam: sam_config(spec),
        table: scale(&spec.scheme(), &shapes)?,
    };
    Ok((config, binding))
}

/// Learning rate and radius over time.
pub(super) fn time_factors(spec: &RunSpec, steps_per_epoch: usize) -> (TimeFactor, TimeFactor) {
    let total_steps = spec.train.schedule_length() * steps_per_epoch;
    let warmup_steps = (spec.optimizer.warmup_epochs * steps_per_epoch as f64).round() as usize;
    let learning_rate = TimeFactor {
        decay: decay(spec.optimizer.schedule),
        warmup_steps,
        total_steps,
    };
    let radius = TimeFactor {
        decay: decay(spec.sam.schedule),
        warmup_steps: 0,
        total_steps,
    };
    (learning_rate, radius)
}

/// Refuses a network that this machine cannot hold: the system would end the whole process, and
/// with it the trials beside this one. Nothing is refused where the memory is not known.
///
/// # Errors
/// When weights, perturbed weights and gradients are more than the machine's memory.
fn check_memory(shapes: &[TensorShape], trials: usize) -> Result<()> {
    /// Weights, their perturbed copy and one set of gradients: the least that a SAM step needs.
    const COPIES: f64 = 3.0;
    const GIB: f64 = (1u64 << 30) as f64;
    let Some(memory) = machine_memory(TOTAL) else {
        return Ok(());
    };
    let memory = memory as f64;
    let entries =
        |shape: &TensorShape| shape.shape.iter().map(|side| *side as f64).product::<f64>();
    let values: f64 = trials as f64 * shapes.iter().map(entries).sum::<f64>();
    let needed = COPIES * values * std::mem::size_of::<f32>() as f64;
    if needed <= memory {
        return Ok(());
    }
    Err(Error::invalid(
        "model.width",
        format!(
            "makes a network that needs {:.1} GiB to train",
            needed / GIB
        ),
        format!(
            "networks that fit into the {:.1} GiB of this machine",
            memory / GIB
        ),
    ))
}

/// What binds optimizer and SAM to the parameters of a model.
pub(crate) struct Binding {
    pub(super) optimizer: BaseOptimizerConfig,
    pub(super) sam: SamConfig,
    pub table: ScalingTable,
}

impl Binding {
    /// Both, by the ids that the model's parameters have now.
    pub fn bind(&self, model: &Network) -> Result<(ScaledOptimizer, Sam)> {
        let optimizer = ScaledOptimizer::new(self.optimizer, model, &self.table)?;
        let sam = Sam::new(self.sam.clone(), model, &self.table)?;
        Ok((optimizer, sam))
    }

    /// The coordinates in which the run's perturbations are the steepest.
    pub fn geometry(&self, model: &Network) -> Result<Geometry> {
        Geometry::of_multipliers(self.sam.rule, &self.sam.asam, model, &self.table)
    }
}

fn sam_config(spec: &RunSpec) -> SamConfig {
    SamConfig {
        rule: spec.sam.rule,
        asam: AsamOptions {
            eta: spec.sam.asam_eta,
            bias: spec.sam.asam_bias,
        },
        every: spec.sam.every,
        ascent_steps: spec.sam.ascent_steps,
        clip_norm: spec.optimizer.clip_norm,
        seed: spec.seed,
    }
}

fn base_optimizer(spec: &RunSpec) -> BaseOptimizerConfig {
    let optimizer = &spec.optimizer;
    match optimizer.name {
        OptimizerName::Sgd => BaseOptimizerConfig::Sgd(Sgd {
            momentum: optimizer.momentum,
            nesterov: optimizer.nesterov,
            weight_decay: optimizer.weight_decay,
        }),
        OptimizerName::Adamw => BaseOptimizerConfig::AdamW(AdamW {
            beta1: optimizer.beta1,
            beta2: optimizer.beta2,
            epsilon: optimizer.epsilon,
            weight_decay: optimizer.weight_decay,
        }),
    }
}

fn decay(schedule: Schedule) -> Decay {
    match schedule {
        Schedule::Constant => Decay::Constant,
        Schedule::Cosine => Decay::Cosine,
        Schedule::Linear => Decay::Linear,
    }
}
