//! What the coordinate check found: one value that the table, the JSON and the page show.

use serde::Serialize;
use strum::Display;

/// The whole result of a check; `--format json` prints this value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// Whether the scheme is stable and perturbs every tensor effectively, as measured.
    pub pass: bool,
    /// Whether nothing that was measured grows with the width.
    pub stable: bool,
    /// Name of the scheme, such as `mup2` or `sp-naive`.
    pub scheme: String,
    /// The findings in sentences, the most important first.
    pub findings: Vec<String>,
    /// One entry a tensor, in the model's order.
    pub tensors: Vec<TensorFinding>,
    /// The widths that were measured, ascending.
    pub widths: Vec<usize>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Steps that were trained; the fits use the last.
    pub steps: usize,
    /// A slope within this distance of 0 counts as 0.
    pub tolerance: f64,
    /// Trainings that stopped being finite.
    pub divergences: Vec<Divergence>,
    /// Every measurement: by tensor, width, seed and step.
    pub points: Vec<Point>,
    /// What was run: names and values.
    pub settings: Vec<(String, String)>,
    /// Version of the program.
    pub version: String,
}

/// The slope of a logarithm over the logarithm of the width, with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Slope {
    /// Least-squares slope over all widths and seeds.
    pub slope: f64,
    /// Its standard error.
    pub stderr: f64,
}

/// What was found of one tensor, from the measurements of the last step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorFinding {
    /// Path of the parameter, such as `hidden.0.weight`.
    pub name: String,
    /// Role under width.
    pub role: String,
    /// Slope of RMS(ε^l x^(l-1)), the effect of the tensor's own perturbation; absent when it is
    /// not perturbed or too few widths gave a number.
    pub effect_slope: Option<f64>,
    /// Standard error of `effect_slope`.
    pub effect_stderr: Option<f64>,
    /// What the theory predicts for it; absent when the rule leaves the tensor alone.
    pub effect_predicted: Option<f64>,
    /// Whether measured and predicted slope agree within the tolerance and two standard errors.
    pub effect_as_predicted: Option<bool>,
    /// Slope of RMS(W^l (x̃^(l-1) − x^(l-1))), the perturbation propagated from earlier layers.
    pub propagated: Option<Slope>,
    /// Slope of ‖ε^l‖_* / √(fan_out / fan_in); 0 is the spectral condition.
    pub spectral_slope: Option<f64>,
    /// Standard error of `spectral_slope`.
    pub spectral_stderr: Option<f64>,
    /// Slope of RMS(ΔW^l x^(l-1)), the effect of the tensor's own updates.
    pub update_slope: Option<f64>,
    /// Standard error of `update_slope`.
    pub update_stderr: Option<f64>,
    /// What the theory predicts for it.
    pub update_predicted: f64,
    /// What follows for the tensor's updates; a vanishing one is no failure of the perturbation, but
    /// the tensor learns less and less.
    pub update_verdict: SlopeVerdict,
    /// Slope of RMS(W_0^l Δx^(l-1)), the updates propagated from earlier layers.
    pub update_propagated: Option<Slope>,
    /// Slope of the RMS of the layer's output.
    pub activation: Option<Slope>,
    /// The tensor's share of the squared norm in the denominator, 0 to 1, at the widest width.
    pub norm_share: Option<f64>,
    /// What follows for the tensor's perturbation.
    pub verdict: SlopeVerdict,
}

/// What a measured slope says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SlopeVerdict {
    /// The effect does not change with the width.
    Effective,
    /// The effect shrinks as the width grows.
    Vanishing,
    /// The effect grows with the width.
    Exploding,
    /// The rule leaves the tensor alone.
    Unperturbed,
    /// The loss does not depend on the tensor, as on the bias of an attention's keys, which adds one
    /// number to all scores of a query: its gradient is rounding.
    Flat,
    /// The standard error is too large, or too few trainings gave a number, to say.
    Inconclusive,
}

/// A training that stopped being finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// Width.
    pub width: usize,
    /// Seed.
    pub seed: u64,
    /// Step, from 1.
    pub step: usize,
}

/// The measurements of one tensor at one step of one training.
///
/// RMS is over all entries, those of the batch included. W, x and h = W x belong to the weights
/// before the step's update, x̃ and h̃ to the perturbed weights; Δ is since the initialization.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Point {
    /// Path of the parameter.
    pub tensor: String,
    /// Width of the network.
    pub width: usize,
    /// Seed.
    pub seed: u64,
    /// Step, from 1.
    pub step: usize,
    /// RMS(ε x): the effect of the tensor's own perturbation.
    pub effect: f64,
    /// RMS(W (x̃ − x)): what earlier layers' perturbations cause here.
    pub propagated: f64,
    /// RMS(ε (x̃ − x)): the cross term.
    pub cross: f64,
    /// RMS(h̃ − h): all three together.
    pub total: f64,
    /// ‖ε‖_* / √(fan_out / fan_in).
    pub spectral: f64,
    /// ‖ε‖_F.
    pub frobenius: f64,
    /// RMS(ΔW x), after the step's update.
    pub update_effect: f64,
    /// RMS(W_0 Δx), after the step's update.
    pub update_propagated: f64,
    /// ‖ΔW‖_* / √(fan_out / fan_in).
    pub update_spectral: f64,
    /// ‖ΔW‖_F.
    pub update_frobenius: f64,
    /// Share of the squared norm in the denominator, 0 to 1.
    pub norm_share: f64,
    /// ‖∇‖_F of the tensor.
    pub gradient_norm: f64,
    /// RMS of the layer's output h.
    pub activation: f64,
}
