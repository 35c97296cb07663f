//! One training run as a value: the file `RUN.toml`.

use super::model::ModelSpec;
use super::range;
use super::sharpness::SharpnessSpec;
use super::train::TrainSpec;
use crate::data::{AugmentSpec, DataSpec};
use crate::error::{Error, Result};
use crate::scaling::{
    AsamBias, BaseOptimizer, CustomExponents, Denominator, Parameterization, Perturbation, Rule,
    Scheme, SchemeName,
};
use serde::{Deserialize, Serialize};

/// Everything that decides the result of one run; equal specs give equal results.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunSpec {
    /// Seed of initialization, batch order and label noise; any whole number from 0.
    pub seed: u64,
    /// Images and labels.
    pub data: DataSpec,
    /// Architecture and widths.
    pub model: ModelSpec,
    /// Parameterization and perturbation scaling.
    pub scaling: ScalingSpec,
    /// Base optimizer and learning-rate schedule.
    pub optimizer: OptimizerSpec,
    /// Perturbation rule and radius.
    pub sam: SamSpec,
    /// Length of training, batches and evaluation.
    pub train: TrainSpec,
    /// What happens to training images.
    pub augment: AugmentSpec,
    /// Whether and how sharpness is measured.
    pub sharpness: SharpnessSpec,
}

/// The `[scaling]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScalingSpec {
    /// Initialization and learning rate over width.
    pub parameterization: Parameterization,
    /// Perturbation radius over width.
    pub perturbation: Perturbation,
    /// Norm of the denominator; by default decoupled for `mup2` and coupled for the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denominator: Option<Denominator>,
    /// Puts the width dependence into weight multipliers (the a-form) instead of the optimizer.
    pub weight_multipliers: bool,
    /// Exponents of your own in place of the scheme's.
    pub exponents: CustomExponents,
}

impl Default for ScalingSpec {
    fn default() -> Self {
        Self {
            parameterization: Parameterization::Mup,
            perturbation: Perturbation::Mup2,
            denominator: None,
            weight_multipliers: false,
            exponents: CustomExponents::default(),
        }
    }
}

/// The `[optimizer]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSpec {
    /// Optimizer.
    pub name: OptimizerName,
    /// Learning rate η at the base width; above 0.
    pub lr: f64,
    /// Momentum of SGD, from 0 to below 1.
    pub momentum: f64,
    /// Nesterov's form of momentum; needs a momentum above 0.
    pub nesterov: bool,
    /// Weight decay at the base width, at least 0: L2 for SGD, decoupled for AdamW.
    pub weight_decay: f64,
    /// AdamW's decay of the first moment, from 0 to below 1.
    pub beta1: f64,
    /// AdamW's decay of the second moment, from 0 to below 1.
    pub beta2: f64,
    /// AdamW's ε; above 0. Not scaled: in µP gradient entries shrink with the width, so it should
    /// stay far below them at the widest network.
    pub epsilon: f64,
    /// Learning rate over time.
    pub schedule: Schedule,
    /// Epochs of linear warm-up, fractions allowed; from 0 to `train.epochs`.
    pub warmup_epochs: f64,
    /// Clips the gradient of the update (taken at the perturbed weights) to this global norm, the
    /// plain one, whose size depends on the width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
}

impl Default for OptimizerSpec {
    fn default() -> Self {
        Self {
            name: OptimizerName::Sgd,
            lr: 0.0625,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            schedule: Schedule::Constant,
            warmup_epochs: 0.0,
            clip_norm: None,
        }
    }
}

/// A base optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerName {
    /// Stochastic gradient descent.
    Sgd,
    /// Adam with decoupled weight decay (Adam where the decay is 0).
    Adamw,
}

impl OptimizerName {
    /// The class that decides the width exponents.
    pub fn scaling(self) -> BaseOptimizer {
        match self {
            Self::Sgd => BaseOptimizer::Sgd,
            Self::Adamw => BaseOptimizer::Adam,
        }
    }
}

/// A value over time, as a factor of its peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Always 1.
    Constant,
    /// Half a cosine from 1 to 0.
    Cosine,
    /// A line from 1 to 0.
    Linear,
}

/// The `[sam]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamSpec {
    /// Perturbation rule.
    pub rule: Rule,
    /// Perturbation radius ρ at the base width; at least 0, and 0 is the base optimizer alone.
    pub rho: f64,
    /// ρ over time.
    pub schedule: Schedule,
    /// Perturbs every k-th step only; at least 1.
    pub every: usize,
    /// Ascent steps of radius ρ / ascent_steps each; at least 1.
    pub ascent_steps: usize,
    /// ASAM's small constant η_asam at the base width; at least 0.
    pub asam_eta: f64,
    /// ASAM's treatment of biases.
    pub asam_bias: AsamBias,
    /// Whose gradient the perturbation follows, where a batch is computed in parts.
    pub perturbation_batch: PerturbationBatch,
}

/// Whose gradient a perturbation follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PerturbationBatch {
    /// The whole batch's: one perturbation a step, whatever `train.micro_batches` is.
    Whole,
    /// Each part's own: so many perturbations a step as parts (m-sharpness, Foret et al. 2021, with
    /// m the size of a part). It changes which radius is best.
    Micro,
}

impl Default for SamSpec {
    fn default() -> Self {
        Self {
            rule: Rule::Sam,
            rho: 0.0625,
            schedule: Schedule::Constant,
            every: 1,
            ascent_steps: 1,
            asam_eta: 0.01,
            asam_bias: AsamBias::One,
            perturbation_batch: PerturbationBatch::Whole,
        }
    }
}

impl RunSpec {
    /// Takes over what the name of a scheme says.
    pub fn set_scheme(&mut self, name: SchemeName) {
        self.scaling.parameterization = name.parameterization;
        self.scaling.perturbation = name.perturbation;
        self.sam.rule = name.rule.unwrap_or(self.sam.rule);
    }

    /// The scheme that [`crate::scaling::scale`] is asked for.
    pub fn scheme(&self) -> Scheme {
        Scheme {
            parameterization: self.scaling.parameterization,
            perturbation: self.scaling.perturbation,
            denominator: self.scaling.denominator,
            rule: self.sam.rule,
            optimizer: self.optimizer.name.scaling(),
            asam_bias: self.sam.asam_bias,
            exponents: self.scaling.exponents.clone(),
            weight_multipliers: self.scaling.weight_multipliers,
        }
    }

    /// Whether the run can be a trial of a stack: its batches are whole, and nothing is measured that a stack
    /// cannot measure.
    pub fn can_be_stacked(&self) -> bool {
        let whole = self.train.micro_batches == 1 && self.train.recalibrate_batches == 0;
        whole && !self.sharpness.is_on()
    }

    /// The run without what the trials of one stack may differ in: equal for runs that can be stacked together.
    /// Not an id, which is equal for some schemes whose radii differ by a factor.
    pub fn stacked_with(&self) -> Self {
        let mut common = self.clone();
        common.seed = 0;
        common.optimizer.lr = 1.0;
        common.sam.rho = 1.0;
        common
    }

    /// Checks every value; `place` names the file for the message.
    ///
    /// # Errors
    /// The first value that is out of its range, by key, with what is allowed.
    pub fn validate(&self, place: &str) -> Result<()> {
        self.validate_below(place, "")
    }

    /// As [`RunSpec::validate`], for a run that stands in its file below the key `prefix`.
    pub(crate) fn validate_below(&self, place: &str, prefix: &str) -> Result<()> {
        let key = |key: &str| format!("{place}: {prefix}{key}");
        self.data.validate(&key("data"))?;
        self.model.validate(&|name| key(&format!("model.{name}")))?;
        self.train.validate(&|name| key(&format!("train.{name}")))?;
        self.augment.validate(&key("augment"))?;
        let sharpness = |name: &str| key(&format!("sharpness.{name}"));
        self.sharpness
            .validate(&sharpness, self.train.evaluate_every)?;
        range::whole(key("sam.every"), self.sam.every, 1, 1_000_000)?;
        range::whole(key("sam.ascent_steps"), self.sam.ascent_steps, 1, 1000)?;
        let optimizer = &self.optimizer;
        let momentum = optimizer.momentum;
        let not_negative = |name: &str, value: f64| {
            let allowed = "finite numbers of at least 0";
            range::real(key(name), value, allowed, value >= 0.0)
        };
        range::positive(key("optimizer.lr"), optimizer.lr)?;
        range::fraction(key("optimizer.momentum"), momentum)?;
        range::fraction(key("optimizer.beta1"), optimizer.beta1)?;
        range::fraction(key("optimizer.beta2"), optimizer.beta2)?;
        not_negative("optimizer.weight_decay", optimizer.weight_decay)?;
        not_negative("optimizer.warmup_epochs", optimizer.warmup_epochs)?;
        range::positive(key("optimizer.epsilon"), optimizer.epsilon)?;
        if let Some(norm) = optimizer.clip_norm {
            range::positive(key("optimizer.clip_norm"), norm)?;
        }
        if optimizer.nesterov && momentum == 0.0 {
            return Err(Error::invalid(
                key("optimizer.nesterov"),
                "is true with a momentum of 0",
                "Nesterov's form together with `optimizer.momentum` above 0",
            ));
        }
        not_negative("sam.rho", self.sam.rho)?;
        not_negative("sam.asam_eta", self.sam.asam_eta)?;
        self.validate_rule(&key("sam.rule"), self.sam.rule)
    }

    /// Refuses a rule that perturbs nothing of the model; `name` at `place` is what set it.
    pub(crate) fn validate_rule(&self, place: &str, name: impl std::fmt::Display) -> Result<()> {
        if self.sam.rule == Rule::SamOn && !self.model.has_norms() {
            let kind = self.model.kind();
            return Err(Error::invalid(
                place,
                format!("is `{name}`, but model `{kind}` has no normalization layers"),
                "`sam`, `asam`, `asam-layer` or `random` for this model",
            ));
        }
        Ok(())
    }
}
