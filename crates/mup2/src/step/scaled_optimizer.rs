//! The base optimizer of a module with the multipliers of its parameters, whose SGD takes gradients
//! as factors.

use super::blocks::{blocks_at, shape_of_blocks};
use super::optimizer::{BaseOptimizerConfig, StepOptimizer, build_optimizer, fill_slots};
use super::scaled_sgd::ScaledSgd;
use super::stacked_adamw::StackedAdamW;
use crate::error::{Error, Result};
use crate::ghost_norm::ModelGradients;
use crate::scaling::ScalingTable;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Bytes;
use burn_pack::{Reader, Tensor as PackedTensor, Writer};

/// A base optimizer of one module: SGD of our own, which takes gradients of matrices as factors, or
/// any of Burn's.
#[derive(Clone)]
pub struct ScaledOptimizer {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Sgd(ScaledSgd),
    Burn(Box<ModuleOptimizer>),
}

impl From<ModuleOptimizer> for ScaledOptimizer {
    fn from(optimizer: ModuleOptimizer) -> Self {
        let kind = Kind::Burn(Box::new(optimizer));
        Self { kind }
    }
}

impl ScaledOptimizer {
    /// That of `model`, with the multipliers of `table`: the same steps, bit for bit, as
    /// [`build_optimizer`]'s.
    ///
    /// # Errors
    /// When a parameter has no row in the table or another shape.
    pub fn new<M: Module>(
        config: BaseOptimizerConfig,
        model: &M,
        table: &ScalingTable,
    ) -> Result<Self> {
        match config {
            BaseOptimizerConfig::Sgd(sgd) => {
                let kind = Kind::Sgd(ScaledSgd::new(&sgd, model, table, &[1.0])?);
                Ok(Self { kind })
            }
            BaseOptimizerConfig::AdamW(_) => Ok(build_optimizer(config, model, table)?.into()),
        }
    }

    /// That of a stack of trials, whose learning rates are `rates` times what a step is given.
    ///
    /// # Errors
    /// As [`ScaledOptimizer::new`]'s.
    pub fn of_stack<M: Module>(
        config: BaseOptimizerConfig,
        model: &M,
        table: &ScalingTable,
        rates: &[f64],
    ) -> Result<Self> {
        match config {
            BaseOptimizerConfig::Sgd(sgd) => {
                let kind = Kind::Sgd(ScaledSgd::new(&sgd, model, table, rates)?);
                Ok(Self { kind })
            }
            BaseOptimizerConfig::AdamW(adamw) => {
                let optimizer = fill_slots(model, table, rates.len(), |row, slot| {
                    slot.fill_unscaled(StackedAdamW::new(&adamw, row, rates))
                })?;
                Ok(optimizer.into())
            }
        }
    }

    /// What it has learned, in the format of Burn's optimizers.
    ///
    /// # Errors
    /// When that is too large for the format.
    pub fn to_bytes(&self) -> Result<Bytes> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::invalid(
                "optimizer",
                error.to_string(),
                "a state that can be written",
            )
        };
        match &self.kind {
            Kind::Sgd(sgd) => sgd.to_bytes().map_err(|error| failed(&error)),
            Kind::Burn(optimizer) => optimizer.into_bytes().map_err(|error| failed(&error)),
        }
    }

    /// Goes on with what [`ScaledOptimizer::to_bytes`] gave, of an optimizer of the same
    /// parameters.
    ///
    /// # Errors
    /// When the bytes are none of these.
    pub fn load(&mut self, bytes: Bytes) -> Result<()> {
        match &mut self.kind {
            Kind::Sgd(sgd) => sgd.load(bytes),
            Kind::Burn(optimizer) => {
                let loaded = optimizer.clone().from_bytes(bytes);
                **optimizer = loaded.map_err(|error| unreadable(&error))?;
                Ok(())
            }
        }
    }

    /// As [`ScaledOptimizer::load`], with the state of a stack of `of` trials, of which those at
    /// `kept` are left.
    ///
    /// # Errors
    /// As [`ScaledOptimizer::load`]'s, and when a tensor is not one block a trial.
    pub fn load_survivors(&mut self, bytes: Bytes, kept: &[usize], of: usize) -> Result<()> {
        self.load(survivors(bytes, kept, of)?)
    }
}

impl StepOptimizer for ScaledOptimizer {
    fn takes_factors(&self) -> bool {
        match &self.kind {
            Kind::Sgd(sgd) => sgd.takes_factors(),
            Kind::Burn(optimizer) => optimizer.takes_factors(),
        }
    }

    fn descend<M: Module>(
        &mut self,
        learning_rate: ModuleLearningRate,
        model: M,
        gradients: ModelGradients,
    ) -> M {
        match &mut self.kind {
            Kind::Sgd(sgd) => sgd.descend(learning_rate, model, gradients),
            Kind::Burn(optimizer) => optimizer.descend(learning_rate, model, gradients),
        }
    }
}

/// The state of the trials at `kept` in that of a stack of `of`.
fn survivors(bytes: Bytes, kept: &[usize], of: usize) -> Result<Bytes> {
    let reader = Reader::from_bytes(bytes).map_err(|error| unreadable(&error))?;
    let (scalars, metadata) = (reader.scalars().clone(), reader.metadata().clone());
    let mut tensors = Vec::new();
    for tensor in reader.into_tensors().map_err(|error| unreadable(&error))? {
        let parts = tensor.into_parts().map_err(|error| unreadable(&error))?;
        let (name, dtype, shape, id, bytes) = parts;
        let blocks = blocks_at(&bytes, kept, of);
        let divides = |side: &usize| of > 0 && side.is_multiple_of(of);
        let Some(left) = blocks.filter(|_| shape.first().is_some_and(divides)) else {
            return Err(unreadable(&format!("`{name}` is not one block a trial")));
        };
        let shape = shape_of_blocks(&shape.to_vec(), kept.len(), of);
        let left = Bytes::from_bytes_vec(left);
        tensors.push(PackedTensor::new(name, dtype, shape, id, left));
    }
    let mut writer = Writer::new(tensors);
    for (name, value) in &scalars {
        writer = writer.with_scalar(name, *value);
    }
    for (name, text) in &metadata {
        writer = writer.with_metadata(name, text);
    }
    writer.into_bytes().map_err(|error| unreadable(&error))
}

/// The error of a state that cannot be read.
pub(super) fn unreadable(problem: &dyn std::fmt::Display) -> Error {
    Error::invalid(
        "optimizer",
        format!("has an unreadable state ({problem})"),
        "the state of the same optimizer of the same model",
    )
}
