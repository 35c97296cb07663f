//! A module with its multipliers: what makes its weights, its optimizer and its SAM.

use super::start::Start;
use crate::error::{Error, Result};
use crate::scaling::{BaseOptimizer, ScalingTable, Scheme, TensorScaling, TensorShape};
use crate::shapes::Layout;
use crate::step::{
    BaseOptimizerConfig, FilledSlot, OptimizerSlot, Sam, SamConfig, build_optimizer,
    build_optimizer_with,
};
use burn::module::Module;
use burn::optim::ModuleOptimizer;

/// A scheme worked out for one module at one width.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaledModule {
    scheme: Scheme,
    width_ratio: f64,
    table: ScalingTable,
    shapes: Vec<TensorShape>,
    parameters: Vec<ScaledParameter>,
}

/// What else is known of a parameter, beside its row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaledParameter {
    /// What its sides count.
    pub layout: Layout,
    /// What it starts at.
    pub start: Start,
}

impl ScaledModule {
    pub(super) fn new(
        scheme: Scheme,
        width_ratio: f64,
        table: ScalingTable,
        shapes: Vec<(TensorShape, ScaledParameter)>,
    ) -> Self {
        let (shapes, parameters) = shapes.into_iter().unzip();
        Self {
            scheme,
            width_ratio,
            table,
            shapes,
            parameters,
        }
    }

    /// The scheme.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Width of the module over that of the base.
    pub fn width_ratio(&self) -> f64 {
        self.width_ratio
    }

    /// Multipliers and exponents, a row a parameter in the module's order, and the theory's verdict.
    pub fn table(&self) -> &ScalingTable {
        &self.table
    }

    /// Roles, shapes and fans of the parameters, in the order of the table.
    pub fn shapes(&self) -> &[TensorShape] {
        &self.shapes
    }

    /// Layouts and starts of the parameters, in the order of the table.
    pub fn parameters(&self) -> &[ScaledParameter] {
        &self.parameters
    }

    /// The base optimizer of `model`, with the multipliers of each parameter.
    ///
    /// # Errors
    /// When `config` is not of the class that the scheme was worked out for, or `model` has other
    /// parameters.
    pub fn optimizer<M: Module>(
        &self,
        config: BaseOptimizerConfig,
        model: &M,
    ) -> Result<ModuleOptimizer> {
        self.check_class(match config {
            BaseOptimizerConfig::Sgd(_) => BaseOptimizer::Sgd,
            BaseOptimizerConfig::AdamW(_) => BaseOptimizer::Adam,
        })?;
        build_optimizer(config, model, &self.table)
    }

    /// Any of Burn's optimizers as the base optimizer: see [`build_optimizer_with`].
    ///
    /// `class` says what its updates depend on: [`BaseOptimizer::Sgd`] if they are proportional to the
    /// gradients, [`BaseOptimizer::Adam`] if entry by entry they do not depend on the gradient's size
    /// (Adam, RMSprop, Adagrad, Adan, Lion). Optimizers that normalize a whole tensor (Muon, LAMB,
    /// Adafactor with its parameter scale) are neither; exponents for them are not derived here.
    ///
    /// # Errors
    /// As [`optimizer`](Self::optimizer).
    pub fn optimizer_with<M: Module>(
        &self,
        class: BaseOptimizer,
        model: &M,
        build: impl FnMut(&TensorScaling, OptimizerSlot) -> FilledSlot,
    ) -> Result<ModuleOptimizer> {
        self.check_class(class)?;
        build_optimizer_with(model, &self.table, build)
    }

    fn check_class(&self, class: BaseOptimizer) -> Result<()> {
        if class == self.scheme.optimizer {
            return Ok(());
        }
        Err(Error::invalid(
            "base optimizer",
            format!(
                "is of the class `{class}`, and the scheme was worked out for `{}`",
                self.scheme.optimizer
            ),
            "`Scheme::optimizer` of the same class",
        ))
    }

    /// SAM for `model` with the scheme's rule and the defaults of [`SamConfig::new`].
    ///
    /// # Errors
    /// When `model` has other parameters.
    pub fn sam<M: Module>(&self, model: &M) -> Result<Sam> {
        let mut config = SamConfig::new(self.scheme.rule);
        config.asam.bias = self.scheme.asam_bias;
        self.sam_with(config, model)
    }

    /// SAM for `model` with settings of your own.
    ///
    /// # Errors
    /// When the rule is not the scheme's, or `model` has other parameters.
    pub fn sam_with<M: Module>(&self, config: SamConfig, model: &M) -> Result<Sam> {
        let scheme = (self.scheme.rule, self.scheme.asam_bias);
        if (config.rule, config.asam.bias) != scheme {
            return Err(Error::invalid(
                "SamConfig",
                format!(
                    "has the rule `{}` with bias `{}`, and the scheme was worked out for `{}` with `{}`",
                    config.rule, config.asam.bias, scheme.0, scheme.1
                ),
                "`Scheme::rule` and `Scheme::asam_bias` of the same values",
            ));
        }
        Sam::new(config, model, &self.table)
    }
}
