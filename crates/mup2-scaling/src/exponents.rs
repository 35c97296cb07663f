//! Width exponents of a scheme: tabulated b and c, derived d and e.

use super::names::{BaseOptimizer, Denominator, Parameterization, Perturbation, Rule};
use super::role::{Role, TensorKind};
use super::{Scheme, TensorShape};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// One exponent per role.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleExponents {
    /// For input-like tensors.
    pub input: f64,
    /// For hidden tensors.
    pub hidden: f64,
    /// For the readout weight.
    pub output: f64,
    /// For tensors that do not grow; 0 unless given.
    #[serde(default)]
    pub fixed: f64,
}

impl RoleExponents {
    /// Exponents for input, hidden, output and fixed tensors.
    pub const fn new(input: f64, hidden: f64, output: f64, fixed: f64) -> Self {
        Self {
            input,
            hidden,
            output,
            fixed,
        }
    }

    /// The exponent of one role.
    pub fn of(&self, role: Role) -> f64 {
        match role {
            Role::Input => self.input,
            Role::Hidden => self.hidden,
            Role::Output => self.output,
            Role::Fixed => self.fixed,
        }
    }

    fn is_finite(&self) -> bool {
        [self.input, self.hidden, self.output, self.fixed]
            .iter()
            .all(|value| value.is_finite())
    }
}

/// Exponents that a user sets in place of the scheme's own; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CustomExponents {
    /// Initialization: std `σ_l r^(-b_l)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<RoleExponents>,
    /// Learning rate: `η r^(-c_l)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c: Option<RoleExponents>,
    /// Global perturbation exponent: `ρ r^(-d)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d: Option<f64>,
    /// Layerwise perturbation: `r^(-d_l)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_layer: Option<RoleExponents>,
    /// Denominator: `r^(-e_l)`; needs `d_layer` or it would be silently mixed with derived ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<RoleExponents>,
    /// Weight multiplier in the forward pass: `r^(-a_l)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<RoleExponents>,
}

impl CustomExponents {
    fn validate(&self, weight_multipliers: bool) -> Result<()> {
        if self.a.is_some() && !weight_multipliers {
            return Err(Error::invalid(
                "scaling.exponents.a",
                "is given without weight multipliers",
                "`a` together with `scaling.weight_multipliers = true`",
            ));
        }
        if self.e.is_some() && self.d_layer.is_none() {
            return Err(Error::invalid(
                "scaling.exponents.e",
                "is given without `d_layer`",
                "`e` together with `d_layer`: derived and given exponents are not mixed",
            ));
        }
        let roles = [&self.a, &self.b, &self.c, &self.d_layer, &self.e];
        let finite = roles
            .iter()
            .copied()
            .flatten()
            .all(RoleExponents::is_finite)
            && self.d.is_none_or(f64::is_finite);
        if finite {
            Ok(())
        } else {
            Err(Error::invalid(
                "scaling.exponents",
                "an exponent is not finite",
                "finite numbers",
            ))
        }
    }
}

/// A scheme's exponents for the tensors of one model.
///
/// The per-tensor entries stand in the order of the tensors; the global d is one for all.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemeExponents {
    /// c∇ = min(b_output, c_output): the readout's entries are Θ(n^(-c∇)) after one step.
    pub c_nabla: f64,
    /// Global perturbation exponent d.
    pub d: f64,
    /// One entry a tensor.
    pub tensors: Vec<TensorExponents>,
}

/// One tensor's exponents, in the form without weight multipliers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TensorExponents {
    /// Initialization.
    pub b: f64,
    /// Learning rate.
    pub c: f64,
    /// Layerwise perturbation, numerator.
    pub d: f64,
    /// Layerwise perturbation, denominator.
    pub e: f64,
    /// Whether the rule perturbs this tensor at all.
    pub perturbed: bool,
    /// Predicted exponent of the effect of the tensor's own perturbation; absent if unperturbed.
    pub effect: Option<f64>,
    /// Predicted exponent of the effect of the tensor's update on the layer's output.
    pub update: f64,
    /// Exponent of the layer's random forward signal at initialization.
    pub forward: f64,
    /// Exponent of the entries that ASAM's small constant η_asam must follow.
    pub entries: f64,
}

/// Sizes that the derivation needs, as exponents of the width, for one tensor and rule.
struct Sizes {
    /// t: the preconditioner T.
    preconditioner: f64,
    /// g: Frobenius norm of the direction (the gradient, or Gaussian noise).
    direction: f64,
    /// From the perturbation's Frobenius norm to its effect on the layer's output (RMS).
    alignment: f64,
    perturbed: bool,
}

impl Sizes {
    /// The size of T∇: the tensor's part of the norm in the denominator.
    fn preconditioned(&self) -> f64 {
        self.preconditioner + self.direction
    }

    /// The effect of `T²∇` before any multiplier.
    fn raw_effect(&self) -> f64 {
        2.0 * self.preconditioner + self.direction + self.alignment
    }
}

impl SchemeExponents {
    /// Derives the exponents of `scheme` for `tensors`.
    ///
    /// # Errors
    /// When a custom exponent is not finite, or the rule perturbs none of the tensors.
    pub fn derive(scheme: &Scheme, tensors: &[TensorShape]) -> Result<Self> {
        scheme.exponents.validate(scheme.weight_multipliers)?;
        let custom = &scheme.exponents;
        let b = custom.b.unwrap_or(initialization(scheme.parameterization));
        let c = custom
            .c
            .unwrap_or(learning_rate(scheme.parameterization, scheme.optimizer));
        let c_nabla = b.output.min(c.output);
        let sizes: Vec<Sizes> = tensors
            .iter()
            .map(|tensor| sizes(scheme, tensor, &b, c_nabla))
            .collect();
        if !sizes.iter().any(|size| size.perturbed) {
            return Err(Error::invalid(
                format!("perturbation rule `{}`", scheme.rule),
                "the model has no tensor that this rule perturbs",
                "a model with normalization layers for `sam-on`, or another rule",
            ));
        }
        let (d, numerators) = numerator(scheme, tensors, &sizes);
        let denominators: Vec<f64> = match (custom.e, scheme.denominator()) {
            (Some(e), _) => tensors.iter().map(|tensor| e.of(tensor.role)).collect(),
            (None, Denominator::Coupled) => numerators.clone(),
            (None, Denominator::Decoupled) => sizes.iter().map(Sizes::preconditioned).collect(),
        };
        // ‖(r^(-e_l) T∇_l)‖ is as large as its largest part.
        let norm = sizes
            .iter()
            .zip(&denominators)
            .filter(|(size, _)| size.perturbed)
            .map(|(size, e)| size.preconditioned() - e)
            .fold(f64::NEG_INFINITY, f64::max);
        let exponents = tensors.iter().zip(&sizes).enumerate();
        let tensors = exponents
            .map(|(index, (tensor, size))| {
                let role = tensor.role;
                let (fan_in, _) = role.fan_exponents();
                TensorExponents {
                    b: b.of(role),
                    c: c.of(role),
                    d: numerators[index],
                    e: denominators[index],
                    perturbed: size.perturbed,
                    effect: size
                        .perturbed
                        .then(|| size.raw_effect() - d - numerators[index] - norm),
                    update: update_effect(scheme.optimizer, role, c.of(role), c_nabla),
                    forward: 0.5 * fan_in - b.of(role),
                    entries: entries(role, &b, c_nabla),
                }
            })
            .collect();
        Ok(Self {
            c_nabla,
            d,
            tensors,
        })
    }
}

/// b of METHOD section 1.
fn initialization(parameterization: Parameterization) -> RoleExponents {
    match parameterization {
        Parameterization::Sp | Parameterization::SpStable | Parameterization::Ntp => {
            RoleExponents::new(0.0, 0.5, 0.5, 0.0)
        }
        Parameterization::Mup => RoleExponents::new(0.0, 0.5, 1.0, 0.0),
    }
}

/// c of METHOD section 1.
///
/// Adam's entries have size η whatever the gradient's, so where SGD's c is right Adam's is
/// c + (c∇, c∇, 0): the exponent of the gradient's entries moves into c. For µP this gives
/// (0, 1, 1) and for NTP (½, 3/2, 1). The SP variants are by definition one global rate.
fn learning_rate(parameterization: Parameterization, optimizer: BaseOptimizer) -> RoleExponents {
    let sgd = match parameterization {
        Parameterization::Sp => return RoleExponents::new(0.0, 0.0, 0.0, 0.0),
        Parameterization::SpStable => return RoleExponents::new(1.0, 1.0, 1.0, 1.0),
        Parameterization::Ntp => RoleExponents::new(0.0, 1.0, 1.0, 0.0),
        Parameterization::Mup => RoleExponents::new(-1.0, 0.0, 1.0, 0.0),
    };
    match optimizer {
        BaseOptimizer::Sgd => sgd,
        BaseOptimizer::Adam => {
            let c_nabla = initialization(parameterization).output.min(sgd.output);
            RoleExponents::new(
                sgd.input + c_nabla,
                sgd.hidden + c_nabla,
                sgd.output,
                sgd.fixed,
            )
        }
    }
}

/// Gradient sizes in Frobenius norm (METHOD section 2).
fn gradient(role: Role, c_nabla: f64) -> f64 {
    match role {
        Role::Input => 0.5 - c_nabla,
        Role::Hidden => 1.0 - c_nabla,
        Role::Output => 0.5,
        Role::Fixed => 0.0,
    }
}

/// Size of a tensor's entries: at initialization, or after a step where that is larger.
///
/// A vector that starts at zero counts as Θ(1), which in µP it is after one step. In NTP and the
/// stable SP hidden biases stay smaller; their ASAM exponents are then too cautious.
fn entries(role: Role, b: &RoleExponents, c_nabla: f64) -> f64 {
    match role {
        Role::Output => -c_nabla,
        _ => -b.of(role),
    }
}

fn sizes(scheme: &Scheme, tensor: &TensorShape, b: &RoleExponents, c_nabla: f64) -> Sizes {
    let role = tensor.role;
    let (fan_in, fan_out) = role.fan_exponents();
    let entries = entries(role, b, c_nabla);
    let preconditioner = match scheme.rule {
        _ if !scheme.uses_weight_size(tensor.kind) => 0.0,
        // ‖W‖_F of fan_in · fan_out entries.
        Rule::AsamLayer => entries + 0.5 * (fan_in + fan_out),
        _ => entries,
    };
    let (direction, alignment) = match scheme.rule {
        // Gaussian entries are Θ(1), and sum incoherently with the layer's input.
        Rule::Random => (0.5 * (fan_in + fan_out), -0.5 * fan_out),
        // Low-rank and aligned: RMS(ε x) = ‖ε‖_* ‖x‖ / √fan_out, with ‖ε‖_* ≈ ‖ε‖_F.
        _ => (gradient(role, c_nabla), 0.5 * (fan_in - fan_out)),
    };
    Sizes {
        preconditioner,
        direction,
        alignment,
        perturbed: scheme.rule != Rule::SamOn || tensor.kind == TensorKind::Norm,
    }
}

/// d and d_l: a table for the fixed recipes, the spectral condition for µP².
fn numerator(scheme: &Scheme, tensors: &[TensorShape], sizes: &[Sizes]) -> (f64, Vec<f64>) {
    let uniform = || vec![0.0; sizes.len()];
    let (d, layers) = match scheme.perturbation {
        Perturbation::Naive => (0.0, uniform()),
        Perturbation::Global => (0.5, uniform()),
        Perturbation::Balanced => (0.5, sizes.iter().map(Sizes::preconditioned).collect()),
        Perturbation::Mup2 => spectral_condition(sizes),
        Perturbation::FirstLayer => {
            let (d, mut layers) = spectral_condition(sizes);
            for (layer, tensor) in layers.iter_mut().zip(tensors) {
                if tensor.role != Role::Input {
                    *layer += 1.0;
                }
            }
            (d, layers)
        }
    };
    let layers = match scheme.exponents.d_layer {
        Some(custom) => tensors
            .iter()
            .map(|tensor| custom.of(tensor.role))
            .collect(),
        None => layers,
    };
    (scheme.exponents.d.unwrap_or(d), layers)
}

/// Solves "every effect exponent is 0" for (d, d_l) (METHOD section 3, the paper's spectral condition).
///
/// With a denominator of size Θ(1), tensor l has the effect `raw_effect - d - d_l`, so
/// `d + d_l = raw_effect`. The coupled denominator `‖(r^(-d_l) T∇_l)‖` is Θ(1) when the largest
/// `preconditioned - d_l` is 0; that fixes d. The decoupled one is Θ(1) by its own exponents and
/// takes the same d and d_l.
fn spectral_condition(sizes: &[Sizes]) -> (f64, Vec<f64>) {
    let d = sizes
        .iter()
        .filter(|size| size.perturbed)
        .map(|size| size.raw_effect() - size.preconditioned())
        .fold(f64::INFINITY, f64::min);
    (d, sizes.iter().map(|size| size.raw_effect() - d).collect())
}

/// Exponent of RMS(ΔW x) for one update.
fn update_effect(optimizer: BaseOptimizer, role: Role, c: f64, c_nabla: f64) -> f64 {
    let (fan_in, fan_out) = role.fan_exponents();
    match optimizer {
        BaseOptimizer::Sgd => gradient(role, c_nabla) + 0.5 * (fan_in - fan_out) - c,
        BaseOptimizer::Adam => fan_in - c,
    }
}
