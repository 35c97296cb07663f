//! How a rule perturbs each parameter of a model.

use super::parameters::bind;
use super::preconditioner::Preconditioner;
use super::sam_config::SamConfig;
use crate::error::{Error, Result};
use crate::scaling::{Rule, ScalingTable};
use burn::module::{Module, ParamId};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How the rule treats one parameter.
#[derive(Debug, Clone)]
pub(super) struct PerturbedTensor {
    pub name: String,
    pub rho_mult: f64,
    pub norm_mult: f64,
    pub preconditioner: Preconditioner,
}

impl PerturbedTensor {
    /// Whether the rule neither moves it nor counts it in the norm.
    pub fn is_left_alone(&self) -> bool {
        self.rho_mult == 0.0 && self.norm_mult == 0.0
    }
}

/// The multipliers of a table, bound to the parameters of a model by their paths.
#[derive(Debug, Clone)]
pub(super) struct PerturbedTensors {
    pub rule: Rule,
    tensors: Arc<HashMap<ParamId, PerturbedTensor>>,
    /// Those whose perturbation is a multiple of their gradient.
    multiples: Arc<HashSet<ParamId>>,
    /// The model has numbers that are not trained, running statistics perhaps.
    has_untrained: bool,
}

impl PerturbedTensors {
    /// Binds the parameters of `model`, which are blocks, one for each of `trials`, along their
    /// first dimension.
    ///
    /// # Errors
    /// When a parameter has no row in the table or another shape.
    pub fn bind<M: Module>(
        config: &SamConfig,
        model: &M,
        table: &ScalingTable,
        trials: usize,
    ) -> Result<Self> {
        let bound = bind(model, table, trials)?;
        let has_untrained = bound.iter().any(|(_, row)| row.is_none());
        let rows = bound
            .into_iter()
            .filter_map(|(parameter, row)| Some((parameter, row?)));
        let tensors = rows.map(|(parameter, row)| {
            let tensor = PerturbedTensor {
                rho_mult: row.rho_mult,
                norm_mult: row.norm_mult,
                preconditioner: Preconditioner::of(config.rule, row, &config.asam),
                name: parameter.name,
            };
            (parameter.id, tensor)
        });
        let tensors: HashMap<ParamId, PerturbedTensor> = tensors.collect();
        let is_multiple = |tensor: &PerturbedTensor| {
            tensor.preconditioner == Preconditioner::Identity && config.rule != Rule::Random
        };
        let multiples = tensors.iter().filter(|(_, tensor)| is_multiple(tensor));
        Ok(Self {
            rule: config.rule,
            multiples: Arc::new(multiples.map(|(id, _)| *id).collect()),
            tensors: Arc::new(tensors),
            has_untrained,
        })
    }

    /// How a parameter is perturbed; absent where it is not trained.
    pub fn get(&self, id: ParamId) -> Option<&PerturbedTensor> {
        self.tensors.get(&id)
    }

    /// `rates`, if each parameter has a usable one.
    ///
    /// # Errors
    /// When one is negative or not finite.
    pub fn usable_rates(&self, rates: impl Into<ModuleLearningRate>) -> Result<ModuleLearningRate> {
        let rates = rates.into();
        for (id, tensor) in self.tensors.iter() {
            usable(
                "learning rate",
                rates.lr_from_param(*id, Some(&tensor.name)),
            )?;
        }
        Ok(rates)
    }

    /// Parameters whose perturbation is a multiple of their gradient.
    pub fn multiples(&self) -> Arc<HashSet<ParamId>> {
        Arc::clone(&self.multiples)
    }

    /// A copy to perturb. Running statistics of Burn's layers are shared between the clones of a
    /// module; a copy by way of the validation module has its own, which the passes at perturbed
    /// weights may move.
    pub fn copy<M: Module>(&self, model: &M) -> M {
        match self.has_untrained {
            true => model.valid().train(),
            false => model.clone(),
        }
    }
}

/// `value`, if it can be a learning rate or a radius.
pub(super) fn usable(place: &str, value: f64) -> Result<f64> {
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    let problem = format!("is {value}");
    Err(Error::invalid(place, problem, "finite numbers from 0"))
}
