//! What ρ means in other code: conversion of the perturbation radius between conventions.
//!
//! Under a convention, layer `l` moves by `ε_l = ρ M_l ∇_l / ‖(K_k ∇_k)_k‖` with `M_l = rho_mult_l T_l²` and
//! `K_l = norm_mult_l T_l`, T_l being the size of the preconditioner (1, or that of the layer's
//! weights). Two conventions move a layer alike if `ρ' M'_l / N' = ρ M_l / N`, N being the norm. The
//! quotient of the norms follows from the shares `s_l` of the layers in the first one:
//! `N'/N = √(Σ s_l (K'_l / K_l)²)`. Derivation: `docs/reference/radius-conventions.md`.

use super::names::{AsamBias, Denominator, Parameterization, Perturbation, Rule};
use super::role::{Role, TensorKind};
use super::{BaseOptimizer, Scheme, TensorShape, scale};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use strum::{Display, EnumString, VariantNames};

/// Radii of layers that differ by less than this, relatively, are one radius.
const ONE_RADIUS: f64 = 1e-9;

/// How a convention's radius depends on the width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Display, EnumString, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum RadiusScaling {
    /// Not at all: SAM's public code.
    Plain,
    /// µP² relative to a base width, at which it is plain.
    Mup2,
    /// µP² in the paper's own numbers: powers of the width itself, so relative to a width of 1.
    Paper,
}

/// How a convention's radius depends on the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Display, EnumString, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum RadiusRule {
    /// Not at all: T = 1.
    Sam,
    /// T = |w| + η_asam for weights and 1 for biases: the code of ASAM's authors.
    Asam,
    /// T = |w| for everything: `adaptive=True` of the SAM code that most have copied.
    AsamAbsolute,
}

/// A meaning of ρ, written `SCALING` or `SCALING:RULE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RadiusConvention {
    /// Dependence on the width.
    pub scaling: RadiusScaling,
    /// Dependence on the weights.
    pub rule: RadiusRule,
}

impl FromStr for RadiusConvention {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (scaling, rule) = text.split_once(':').unwrap_or((text, "sam"));
        let names = |variants: &[&str]| variants.join(", ");
        Ok(Self {
            scaling: scaling.parse().map_err(|_| {
                let allowed = names(RadiusScaling::VARIANTS);
                format!("no scaling `{scaling}`; allowed: {allowed}")
            })?,
            rule: rule.parse().map_err(|_| {
                let allowed = names(RadiusRule::VARIANTS);
                format!("no rule `{rule}`; allowed: {allowed}")
            })?,
        })
    }
}

impl std::fmt::Display for RadiusConvention {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.scaling, self.rule)
    }
}

/// Tensors that a convention treats alike.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum RadiusLayer {
    /// First matrices.
    Input,
    /// Hidden matrices.
    Hidden,
    /// The readout's matrix.
    Output,
    /// Hidden biases.
    Bias,
}

impl RadiusLayer {
    fn shape(self, width: usize, base_width: usize) -> TensorShape {
        let (role, kind) = match self {
            Self::Input => (Role::Input, TensorKind::Weight),
            Self::Hidden => (Role::Hidden, TensorKind::Weight),
            Self::Output => (Role::Output, TensorKind::Weight),
            Self::Bias => (Role::Input, TensorKind::Bias),
        };
        let (grows_in, grows_out) = role.fan_exponents();
        let fan = |grows: f64, width: usize| if grows == 0.0 { 1 } else { width };
        TensorShape {
            name: self.to_string(),
            role,
            kind,
            shape: Vec::new(),
            fan: (fan(grows_in, width), fan(grows_out, width)),
            base_fan: (fan(grows_in, base_width), fan(grows_out, base_width)),
            base_init_std: 1.0,
        }
    }
}

/// What is known of one layer of the network that is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerSizes {
    /// Which.
    pub layer: RadiusLayer,
    /// Typical |w|, such as the root of the mean square; needed where the rules' T differ.
    pub weight: Option<f64>,
    /// Its part of the squared norm under the first convention, in any unit; needed where the norms'
    /// quotient depends on it.
    pub share: Option<f64>,
}

/// The network that both conventions speak of.
#[derive(Debug, Clone, PartialEq)]
pub struct RadiusSetting {
    /// Its width.
    pub width: usize,
    /// Base width of [`RadiusScaling::Mup2`].
    pub base_width: usize,
    /// Denominator of µP²; decoupled if absent.
    pub denominator: Option<Denominator>,
    /// η_asam at the base width.
    pub asam_eta: f64,
    /// Its layers.
    pub layers: Vec<LayerSizes>,
}

/// A radius in another convention.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConvertedRadius {
    /// The one radius that moves every layer as before, if there is one.
    pub rho: Option<f64>,
    /// The radius that moves each layer as before.
    pub layers: Vec<(RadiusLayer, f64)>,
}

/// M and K of one layer but for the weights, and what η_asam is multiplied by.
struct Multipliers {
    numerator: f64,
    norm: f64,
    eta: f64,
}

/// Converts ρ from one convention to another, for the network of `setting`.
///
/// # Errors
/// When a number is not allowed, or one is missing that the result depends on.
pub fn convert_radius(
    rho: f64,
    from: RadiusConvention,
    to: RadiusConvention,
    setting: &RadiusSetting,
) -> Result<ConvertedRadius> {
    check(rho, setting)?;
    let before = multipliers(from, setting)?;
    let after = multipliers(to, setting)?;
    let mut numerators = Vec::new();
    let mut norms = Vec::new();
    for ((sizes, before), after) in setting.layers.iter().zip(&before).zip(&after) {
        let size = preconditioner_quotient((from.rule, before), (to.rule, after), sizes, setting)?;
        numerators.push(after.numerator / before.numerator * size * size);
        norms.push(after.norm / before.norm * size);
    }
    let norm = norm_quotient(&norms, setting)?;
    let radii = numerators.iter().map(|quotient| rho * norm / quotient);
    let layers: Vec<(RadiusLayer, f64)> = setting
        .layers
        .iter()
        .map(|sizes| sizes.layer)
        .zip(radii)
        .collect();
    let first = layers.first().map_or(rho, |(_, radius)| *radius);
    let mut all = layers.iter();
    let one = all.all(|(_, radius)| (radius - first).abs() <= ONE_RADIUS * first.abs());
    Ok(ConvertedRadius {
        rho: one.then_some(first),
        layers,
    })
}

fn check(rho: f64, setting: &RadiusSetting) -> Result<()> {
    let positive = |value: f64| value > 0.0 && value.is_finite();
    if !(rho >= 0.0 && rho.is_finite()) {
        return Err(Error::invalid(
            "ρ",
            format!("is {rho}"),
            "a finite number from 0",
        ));
    }
    if setting.asam_eta < 0.0 || !setting.asam_eta.is_finite() {
        let problem = format!("is {}", setting.asam_eta);
        return Err(Error::invalid("η_asam", problem, "a finite number from 0"));
    }
    for sizes in &setting.layers {
        for (what, value) in [("weight size", sizes.weight), ("share", sizes.share)] {
            if let Some(value) = value
                && !positive(value)
            {
                return Err(Error::invalid(
                    format!("{what} of layer `{}`", sizes.layer),
                    format!("is {value}"),
                    "a finite number above 0",
                ));
            }
        }
    }
    Ok(())
}

fn multipliers(convention: RadiusConvention, setting: &RadiusSetting) -> Result<Vec<Multipliers>> {
    let (perturbation, base_width) = match convention.scaling {
        RadiusScaling::Plain => (Perturbation::Naive, setting.base_width),
        RadiusScaling::Mup2 => (Perturbation::Mup2, setting.base_width),
        RadiusScaling::Paper => (Perturbation::Mup2, 1),
    };
    let (rule, asam_bias) = match convention.rule {
        RadiusRule::Sam => (Rule::Sam, AsamBias::One),
        RadiusRule::Asam => (Rule::Asam, AsamBias::One),
        RadiusRule::AsamAbsolute => (Rule::Asam, AsamBias::Absolute),
    };
    let scheme = Scheme {
        denominator: setting
            .denominator
            .filter(|_| perturbation == Perturbation::Mup2),
        rule,
        optimizer: BaseOptimizer::Sgd,
        asam_bias,
        ..Scheme::new(Parameterization::Mup, perturbation)
    };
    let layers = setting.layers.iter();
    let shapes: Vec<TensorShape> = layers
        .map(|sizes| sizes.layer.shape(setting.width, base_width))
        .collect();
    let rows = scale(&scheme, &shapes)?.tensors.into_iter();
    Ok(rows
        .map(|row| Multipliers {
            numerator: row.rho_mult,
            norm: row.norm_mult,
            eta: match convention.scaling {
                // Public code adds the same number at every width.
                RadiusScaling::Plain => 1.0,
                _ => row.asam_eta_mult,
            },
        })
        .collect())
}

/// T' / T of one layer.
fn preconditioner_quotient(
    (rule, before): (RadiusRule, &Multipliers),
    (other, after): (RadiusRule, &Multipliers),
    sizes: &LayerSizes,
    setting: &RadiusSetting,
) -> Result<f64> {
    let is_bias = sizes.layer == RadiusLayer::Bias;
    // T = scale · |w| + shift.
    let line = |rule: RadiusRule, multipliers: &Multipliers| match rule {
        RadiusRule::Sam => (0.0, 1.0),
        RadiusRule::Asam if is_bias => (0.0, 1.0),
        RadiusRule::Asam => (1.0, setting.asam_eta * multipliers.eta),
        RadiusRule::AsamAbsolute => (1.0, 0.0),
    };
    let (one, two) = (line(rule, before), line(other, after));
    if one == two {
        return Ok(1.0);
    }
    let weight = sizes.weight.ok_or_else(|| {
        Error::invalid(
            format!("weight size of layer `{}`", sizes.layer),
            "is not given, and one of the rules follows the size of the weights",
            "the layer's typical |w| (root of the mean square)",
        )
    })?;
    Ok((two.0 * weight + two.1) / (one.0 * weight + one.1))
}

/// N' / N.
fn norm_quotient(quotients: &[f64], setting: &RadiusSetting) -> Result<f64> {
    let first = quotients.first().copied().unwrap_or(1.0);
    let equal = |quotient: &f64| (quotient - first).abs() <= ONE_RADIUS * first;
    if quotients.iter().all(equal) {
        return Ok(first);
    }
    let (mut sum, mut total) = (0.0, 0.0);
    for (sizes, quotient) in setting.layers.iter().zip(quotients) {
        let share = sizes.share.ok_or_else(|| {
            Error::invalid(
                format!("share of layer `{}`", sizes.layer),
                "is not given, and the two norms weigh the layers differently",
                "each layer's part of the squared norm under the first convention; `mup2 check` measures it (norm, %)",
            )
        })?;
        sum += share * quotient * quotient;
        total += share;
    }
    Ok((sum / total).sqrt())
}
