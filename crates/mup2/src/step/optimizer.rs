//! Base optimizers, with each parameter's learning-rate and decay multipliers.

use super::parameters::bind;
use super::sgd::SgdStep;
use crate::error::Result;
use crate::ghost_norm::ModelGradients;
use crate::scaling::{ScalingTable, TensorScaling};
use burn::module::{Module, ParamGroup};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{
    AdamWConfig, ModuleOptimizer, Optimizer, RecordState, SgdConfig, StateSink, StateSource,
};
use burn::tensor::{Device, Tensor};

/// SGD: `v ← momentum·v + g + wd·w`, `w ← w − η v` (PyTorch's form, without dampening).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// Momentum, from 0 to below 1.
    pub momentum: f64,
    /// Nesterov's form of momentum.
    pub nesterov: bool,
    /// L2 weight decay at the base width.
    pub weight_decay: f64,
}

/// AdamW: decoupled weight decay `w ← w (1 − η·wd)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// ε of the denominator.
    pub epsilon: f64,
    /// Weight decay at the base width.
    pub weight_decay: f64,
}

/// A base optimizer and its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BaseOptimizerConfig {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
}

/// What applies the gradients of a step.
pub trait StepOptimizer {
    /// Whether it takes gradients of matrices as factors, as soon as that is faster.
    fn takes_factors(&self) -> bool {
        false
    }

    /// `model` after a step at `learning_rate`, which is that of the base width.
    fn descend<M: Module>(
        &mut self,
        learning_rate: ModuleLearningRate,
        model: M,
        gradients: ModelGradients,
    ) -> M;
}

impl StepOptimizer for ModuleOptimizer {
    fn descend<M: Module>(
        &mut self,
        learning_rate: ModuleLearningRate,
        model: M,
        gradients: ModelGradients,
    ) -> M {
        self.step(learning_rate, model, gradients.into_dense())
    }
}

/// Builds the optimizer of `model`, as Burn's: one group a parameter, so that each has its
/// multipliers.
///
/// # Errors
/// When a parameter has no row in the table or another shape.
pub fn build_optimizer<M: Module>(
    config: BaseOptimizerConfig,
    model: &M,
    table: &ScalingTable,
) -> Result<ModuleOptimizer> {
    build_optimizer_with(model, table, |row, slot| match config {
        BaseOptimizerConfig::Sgd(sgd) => slot.fill_unscaled(SgdStep::new(&sgd, row, &[1.0])),
        BaseOptimizerConfig::AdamW(adamw) => {
            let decay = adamw.weight_decay * row.wd_mult;
            slot.fill(adamw.burn().with_weight_decay(decay as f32).build())
        }
    })
}

impl AdamW {
    /// Burn's, without weight decay.
    pub(super) fn burn(&self) -> AdamWConfig {
        AdamWConfig::new()
            .with_beta_1(self.beta1 as f32)
            .with_beta_2(self.beta2 as f32)
            .with_epsilon(self.epsilon as f32)
            .with_weight_decay(0.0)
    }
}

/// Builds an optimizer of `model` from any of Burn's: `build` is called for each parameter with its
/// row and the slot of its group, and fills the slot with an optimizer, the same for all or not.
///
/// The learning rate that the optimizer is given is multiplied by `row.lr_mult`; a weight decay
/// that the optimizer multiplies by its learning rate should be multiplied by `row.wd_mult`. The
/// table has to be worked out for the optimizer's class ([`crate::scaling::BaseOptimizer`]).
///
/// # Errors
/// When a parameter has no row in the table or another shape.
///
/// # Examples
/// ```no_run
/// # fn build<M: burn::module::Module>(model: &M, table: &mup2::scaling::ScalingTable) -> mup2::error::Result<()> {
/// use burn::optim::LionConfig;
/// use mup2::step::build_optimizer_with;
/// let optimizer = build_optimizer_with(model, table, |row, slot| {
///     slot.fill(LionConfig::new().with_weight_decay(0.1 * row.wd_mult as f32).build())
/// })?;
/// # let _ = optimizer;
/// # Ok(())
/// # }
/// ```
pub fn build_optimizer_with<M: Module>(
    model: &M,
    table: &ScalingTable,
    build: impl FnMut(&TensorScaling, OptimizerSlot) -> FilledSlot,
) -> Result<ModuleOptimizer> {
    fill_slots(model, table, 1, build)
}

pub(super) fn fill_slots<M: Module>(
    model: &M,
    table: &ScalingTable,
    trials: usize,
    mut build: impl FnMut(&TensorScaling, OptimizerSlot) -> FilledSlot,
) -> Result<ModuleOptimizer> {
    // The whole-module fallback that Burn requires; every parameter gets a group of its own.
    let mut optimizer = SgdConfig::new().init();
    for (parameter, row) in bind(model, table, trials)? {
        let Some(row) = row else { continue };
        let slot = OptimizerSlot {
            optimizer,
            group: ParamGroup::from_ids(vec![parameter.id]),
            lr_mult: row.lr_mult,
        };
        optimizer = build(row, slot).0;
    }
    Ok(optimizer)
}

/// The place of one parameter's optimizer.
pub struct OptimizerSlot {
    optimizer: ModuleOptimizer,
    group: ParamGroup,
    lr_mult: f64,
}

/// A slot with its optimizer.
pub struct FilledSlot(ModuleOptimizer);

impl OptimizerSlot {
    /// Fills the slot; the learning rate of `optimizer` is multiplied by the parameter's
    /// multiplier.
    pub fn fill<O: Optimizer>(self, optimizer: O) -> FilledSlot {
        let multiplied = Multiplied {
            inner: optimizer,
            lr_mult: self.lr_mult,
        };
        self.fill_unscaled(multiplied)
    }

    /// Fills the slot with an optimizer that knows its multiplier.
    pub(super) fn fill_unscaled<O: Optimizer>(self, optimizer: O) -> FilledSlot {
        FilledSlot(self.optimizer.with_group(self.group, optimizer, None))
    }
}

/// An optimizer whose learning rate is multiplied: Burn's groups share one rate.
#[derive(Clone)]
struct Multiplied<O> {
    inner: O,
    lr_mult: f64,
}

impl<O: Optimizer> Optimizer for Multiplied<O> {
    type State<const D: usize> = ReadOnProcessor<O::State<D>>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let rate = learning_rate * self.lr_mult;
        let state = state.map(|state| state.0);
        let (tensor, state) = self.inner.step(rate, tensor, gradient, state);
        (tensor, state.map(ReadOnProcessor))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        ReadOnProcessor(O::to_device(state.0, device))
    }
}

/// A state that is read from a checkpoint to the processor: the device that Burn names is any GPU
/// that the program was built for, whether there is one or not. The next step moves the state to
/// its parameter's device.
#[derive(Clone)]
pub(super) struct ReadOnProcessor<S>(pub S);

impl<S: RecordState> RecordState for ReadOnProcessor<S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.0.state_flatten(prefix, out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _device: &Device) -> Option<Self> {
        S::state_unflatten(prefix, source, &Device::flex()).map(Self)
    }
}
