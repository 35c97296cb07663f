//! The names of what can be chosen: parameterization, perturbation scaling, rule, optimizer.

use super::exponents::CustomExponents;
use super::role::TensorKind;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// How initialization and learning rate depend on width (METHOD section 1).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Parameterization {
    /// Standard parameterization: Kaiming initialization, one learning rate for every width.
    Sp,
    /// Standard parameterization with the learning rate divided by the width, so that it is stable.
    SpStable,
    /// Neural tangent parameterization: stable, but features do not learn in the limit.
    Ntp,
    /// Maximal update parameterization (µP).
    Mup,
}

/// How the perturbation radius of each layer depends on width (METHOD section 3).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Perturbation {
    /// One radius ρ for every width and layer: what SAM's public code does.
    Naive,
    /// ρ divided by the square root of the width ratio, equal in every layer.
    Global,
    /// Each layer contributes equally to the norm; under plain SAM only the readout is then
    /// effectively perturbed.
    Balanced,
    /// Only input-like tensors are effectively perturbed.
    FirstLayer,
    /// Every layer is effectively perturbed (derived from the spectral condition for any rule).
    Mup2,
}

/// Which exponents the norm in the perturbation's denominator uses.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Denominator {
    /// The numerator's: `e_l = d_l`.
    Coupled,
    /// Its own, chosen so that every layer contributes Θ(1) to the norm.
    Decoupled,
}

/// The perturbation rule, by its preconditioner T: `ε ∝ T²∇ / ‖T∇‖` (METHOD section 4).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Rule {
    /// T = 1 (Foret et al. 2021).
    Sam,
    /// T = |w| + η_asam elementwise (Kwon et al. 2021).
    Asam,
    /// T = ‖W‖_F per tensor.
    AsamLayer,
    /// SAM on the gains and biases of normalization layers only (Müller et al. 2023).
    SamOn,
    /// A Gaussian direction in place of the gradient: a control that is not aligned with it.
    Random,
}

/// The optimizer that applies the gradient taken at the perturbed weights.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum BaseOptimizer {
    /// Stochastic gradient descent, with or without momentum.
    Sgd,
    /// Adam and AdamW: updates do not depend on the gradient's size.
    Adam,
}

/// How elementwise ASAM treats biases: the two conventions of public code.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum AsamBias {
    /// T = 1 for biases, as in the original code.
    One,
    /// T = |b| for biases; η_asam is added to weights only.
    Absolute,
}

/// Everything that decides how a model's tensors scale with width.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheme {
    /// Initialization and learning rate.
    pub parameterization: Parameterization,
    /// Perturbation radius.
    pub perturbation: Perturbation,
    /// Norm in the denominator; `None` takes the perturbation's own: decoupled for
    /// [`Perturbation::Mup2`], coupled for the others.
    pub denominator: Option<Denominator>,
    /// Perturbation rule.
    pub rule: Rule,
    /// Base optimizer.
    pub optimizer: BaseOptimizer,
    /// ASAM's treatment of biases.
    pub asam_bias: AsamBias,
    /// Exponents that replace the tabulated or derived ones.
    pub exponents: CustomExponents,
    /// Moves the width dependence from the optimizer into weight multipliers in the forward
    /// pass (the a-form of METHOD section 5); the trajectory is the same in exact arithmetic.
    pub weight_multipliers: bool,
}

impl Scheme {
    /// The scheme that a name such as `mup2`, `mup-global` or `sp-naive` stands for, with plain
    /// SAM over SGD.
    pub fn new(parameterization: Parameterization, perturbation: Perturbation) -> Self {
        Self {
            parameterization,
            perturbation,
            denominator: None,
            rule: Rule::Sam,
            optimizer: BaseOptimizer::Sgd,
            asam_bias: AsamBias::One,
            exponents: CustomExponents::default(),
            weight_multipliers: false,
        }
    }

    /// Whether the rule's preconditioner T follows the size of a tensor of this kind.
    pub(super) fn uses_weight_size(&self, kind: TensorKind) -> bool {
        match self.rule {
            Rule::Sam | Rule::SamOn | Rule::Random => false,
            Rule::Asam => kind != TensorKind::Bias || self.asam_bias == AsamBias::Absolute,
            Rule::AsamLayer => true,
        }
    }

    /// The denominator in force.
    pub fn denominator(&self) -> Denominator {
        self.denominator.unwrap_or(match self.perturbation {
            Perturbation::Mup2 => Denominator::Decoupled,
            _ => Denominator::Coupled,
        })
    }
}
