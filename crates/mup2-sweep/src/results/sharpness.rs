//! The sharpness of the loss after an epoch, as `result.json` has it. Every number is finite: a measure
//! that left the finite numbers is absent.

use serde::{Deserialize, Serialize};

/// What was measured on the run's sharpness samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharpnessMetrics {
    /// Mean cross-entropy on the samples, as in a training pass.
    pub loss: f64,
    /// All parameters together.
    #[serde(flatten)]
    pub whole: SharpnessMeasures,
    /// Gradients on all samples that it took.
    pub gradient_evaluations: usize,
    /// Each parameter tensor by itself, in the model's order; absent unless asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerSharpness>,
}

/// The measures of one parameter tensor: of its block of the Hessian, and with it alone moving in the
/// ball.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerSharpness {
    /// Path of the parameter.
    pub name: String,
    /// Its measures.
    #[serde(flatten)]
    pub measures: SharpnessMeasures,
}

/// The measures of a part of the model; those that were not asked for are absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SharpnessMeasures {
    /// Top eigenvalue of the Hessian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eigenvalue: Option<EigenvalueMetrics>,
    /// Trace of the Hessian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceMetrics>,
    /// Rise of the loss in the ball.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sam: Option<SamSharpnessMetrics>,
}

/// A top eigenvalue by power iteration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EigenvalueMetrics {
    /// Largest in magnitude, with its sign.
    pub value: f64,
    /// Most positive: the same, unless `value` is negative.
    pub most_positive: f64,
    /// ‖Hv − λv‖ of the unit vector found for `value`.
    pub residual: f64,
    /// Hessian-vector products, those for `most_positive` included.
    pub iterations: usize,
    /// Whether the values stopped changing within the iterations allowed.
    pub converged: bool,
}

/// A trace by Hutchinson's estimator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TraceMetrics {
    /// The estimate.
    pub value: f64,
    /// Its standard error over random vectors; absent for one vector.
    pub stderr: Option<f64>,
}

/// `max L(w + ε) − L(w)` over a ball, as far as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SamSharpnessMetrics {
    /// Radius of the ball at the base width.
    pub radius: f64,
    /// The rise at the ε of one SAM step.
    pub one_step: f64,
    /// The largest rise found, of that step and of the ascent after it.
    pub value: f64,
}
