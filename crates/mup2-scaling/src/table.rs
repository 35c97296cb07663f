//! From exponents to multipliers: the table that initialization, optimizer and SAM read.

use super::exponents::{RoleExponents, SchemeExponents, TensorExponents};
use super::names::{BaseOptimizer, Rule};
use super::role::{Role, TensorKind};
use super::{Scheme, TensorShape};
use crate::error::Result;
use serde::Serialize;

/// Exponents within this distance count as equal: they are sums of a few halves.
pub(super) const EXPONENT_TOLERANCE: f64 = 1e-9;

/// One tensor's multipliers; at the base width every multiplier is exactly 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorScaling {
    /// Path of the parameter in its model.
    pub name: String,
    /// Role under width.
    pub role: Role,
    /// What it is within its layer.
    pub kind: TensorKind,
    /// Shape at the target width.
    pub shape: Vec<usize>,
    /// Standard deviation of the initialization, `σ_l r^(-b_l)`.
    pub init_std: f64,
    /// Multiplier of the learning rate, `r^(-c_l)`.
    pub lr_mult: f64,
    /// Multiplier of ρ in the numerator, `r^(-d-d_l)`; 0 when the rule leaves the tensor alone.
    pub rho_mult: f64,
    /// Multiplier of the tensor in the denominator's norm, `r^(-e_l)`; 0 when left alone.
    pub norm_mult: f64,
    /// Multiplier of the weight decay, `1 / lr_mult`: η·wd is the same at every width, for decay
    /// that the optimizer multiplies by the learning rate (PyTorch's SGD and AdamW both do).
    pub wd_mult: f64,
    /// Multiplier of the weight in the forward pass, `r^(-a_l)`; 1 without weight multipliers.
    pub weight_mult: f64,
    /// Multiplier of ASAM's small constant η_asam, which must scale like the tensor's entries.
    pub asam_eta_mult: f64,
    /// Predicted exponent p_l of the effect of the tensor's own perturbation; absent when the
    /// rule leaves it alone.
    pub effect_exponent: Option<f64>,
    /// Predicted exponent of the effect of the tensor's update.
    pub update_exponent: f64,
}

/// What the theory says of a scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Neither the signal, an update nor a perturbation grows with the width.
    pub stable: bool,
    /// Tensors whose own perturbation has an effect of Θ(1): p_l = 0.
    pub effective: Vec<String>,
    /// Tensors whose own perturbation vanishes with the width: p_l < 0.
    pub vanishing: Vec<String>,
    /// Tensors whose perturbation grows with the width: p_l > 0.
    pub unstable: Vec<String>,
    /// Tensors that the rule leaves alone.
    pub unperturbed: Vec<String>,
    /// Tensors whose update grows with the width.
    pub unstable_updates: Vec<String>,
}

impl Verdict {
    /// Whether the scheme is stable and perturbs effectively every tensor that it perturbs.
    pub fn is_effective(&self) -> bool {
        self.stable && self.vanishing.is_empty() && self.unstable.is_empty()
    }
}

/// A scheme worked out for the tensors of one model at one width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScalingTable {
    /// c∇ = min(b_output, c_output).
    pub c_nabla: f64,
    /// Global perturbation exponent d (already contained in every `rho_mult`).
    pub d: f64,
    /// One entry a tensor, in the model's order.
    pub tensors: Vec<TensorScaling>,
    /// What the theory says of it.
    pub verdict: Verdict,
}

/// Works out `scheme` for `tensors`: the one place where width becomes a number.
///
/// # Errors
/// When a tensor's shapes contradict its role, a custom exponent is not finite, or the rule
/// perturbs none of the tensors.
///
/// # Examples
/// ```
/// use mup2_scaling::*;
/// let readout = TensorShape {
///     name: "readout.weight".into(), role: Role::Output, kind: TensorKind::Weight,
///     shape: vec![1024, 10], fan: (1024, 10), base_fan: (256, 10), base_init_std: 0.0625,
/// };
/// let scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
/// let table = scale(&scheme, &[readout]).unwrap();
/// assert_eq!(table.tensors[0].lr_mult, 0.25);
/// assert_eq!(table.tensors[0].effect_exponent, Some(0.0));
/// ```
pub fn scale(scheme: &Scheme, tensors: &[TensorShape]) -> Result<ScalingTable> {
    let exponents = SchemeExponents::derive(scheme, tensors)?;
    let ratios = width_ratios(tensors)?;
    let rows = tensors
        .iter()
        .zip(&exponents.tensors)
        .zip(ratios)
        .map(|((tensor, exponent), ratio)| {
            tensor_scaling(scheme, tensor, exponents.d, exponent, ratio)
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(ScalingTable {
        c_nabla: exponents.c_nabla,
        d: exponents.d,
        verdict: verdict(tensors, &exponents.tensors),
        tensors: rows,
    })
}

/// Target width over base width for each tensor.
///
/// A fixed tensor takes the model's: a global exponent such as d acts on it too. In a model whose
/// dimensions grow by different factors that is not one number; the largest is taken, as the one
/// in which the limit is.
fn width_ratios(tensors: &[TensorShape]) -> Result<Vec<f64>> {
    let own = tensors
        .iter()
        .map(TensorShape::width_ratio)
        .collect::<Result<Vec<_>>>()?;
    let model = own
        .iter()
        .flatten()
        .copied()
        .reduce(f64::max)
        .unwrap_or(1.0);
    Ok(own
        .into_iter()
        .map(|ratio| ratio.unwrap_or(model))
        .collect())
}

fn tensor_scaling(
    scheme: &Scheme,
    tensor: &TensorShape,
    d: f64,
    exponent: &TensorExponents,
    ratio: f64,
) -> Result<TensorScaling> {
    let power = |value: f64| ratio.powf(-value);
    let a = multiplier_exponent(scheme, tensor.role);
    // The a-form: with the weight W = r^a w stored, a gradient is r^(-a) of the plain one, so an
    // exponent that acts on the update loses 2a (Adam, whose update has no gradient size: a).
    let update_shift = match scheme.optimizer {
        BaseOptimizer::Sgd => 2.0 * a,
        BaseOptimizer::Adam => a,
    };
    let lr_mult = power(exponent.c - update_shift);
    let perturbed = if exponent.perturbed { 1.0 } else { 0.0 };
    // T = |W| or ‖W‖ also carries r^a; both of its factors do.
    let preconditioner_shift = if scheme.uses_weight_size(tensor.kind) {
        1.0
    } else {
        0.0
    };
    let direction_shift = if scheme.rule == Rule::Random { 0.0 } else { a };
    let numerator_shift = a + direction_shift - 2.0 * preconditioner_shift * a;
    let denominator_shift = direction_shift - preconditioner_shift * a;
    Ok(TensorScaling {
        name: tensor.name.clone(),
        role: tensor.role,
        kind: tensor.kind,
        shape: tensor.shape.clone(),
        init_std: tensor.base_init_std * power(exponent.b - a),
        lr_mult,
        rho_mult: perturbed * power(d + exponent.d - numerator_shift),
        norm_mult: perturbed * power(exponent.e - denominator_shift),
        wd_mult: 1.0 / lr_mult,
        weight_mult: power(a),
        asam_eta_mult: power(-exponent.entries - a),
        effect_exponent: exponent.effect.map(snap),
        update_exponent: snap(exponent.update),
    })
}

/// a of the a-form: a user's own, or (−½, 0, ½), with which µP²'s other multipliers are all 1.
fn multiplier_exponent(scheme: &Scheme, role: Role) -> f64 {
    if !scheme.weight_multipliers {
        return 0.0;
    }
    scheme
        .exponents
        .a
        .unwrap_or(RoleExponents::new(-0.5, 0.0, 0.5, 0.0))
        .of(role)
}

/// Removes the rounding of sums, so that 0 prints as 0.
fn snap(value: f64) -> f64 {
    let rounded = (value * 1e6).round() / 1e6;
    // Also turns −0 into 0.
    rounded + 0.0
}

fn verdict(tensors: &[TensorShape], exponents: &[TensorExponents]) -> Verdict {
    let mut verdict = Verdict {
        stable: true,
        effective: Vec::new(),
        vanishing: Vec::new(),
        unstable: Vec::new(),
        unperturbed: Vec::new(),
        unstable_updates: Vec::new(),
    };
    for (tensor, exponent) in tensors.iter().zip(exponents) {
        let name = tensor.name.clone();
        if exponent.update > EXPONENT_TOLERANCE {
            verdict.stable = false;
            verdict.unstable_updates.push(name.clone());
        }
        if exponent.forward > EXPONENT_TOLERANCE {
            verdict.stable = false;
        }
        match exponent.effect {
            None => verdict.unperturbed.push(name),
            Some(effect) if effect > EXPONENT_TOLERANCE => {
                verdict.stable = false;
                verdict.unstable.push(name);
            }
            Some(effect) if effect < -EXPONENT_TOLERANCE => verdict.vanishing.push(name),
            Some(_) => verdict.effective.push(name),
        }
    }
    verdict
}
