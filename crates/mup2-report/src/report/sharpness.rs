//! How sharp the loss is after training, summarized over seeds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::input::ReportInput;
use super::statistics::{Estimate, estimate};

/// The sharpness of one run at the end of its training; what was not measured is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct SharpnessObservation {
    /// Name of the scaling scheme.
    pub scheme: String,
    /// Width of the network.
    pub width: usize,
    /// Learning rate η at the base width.
    pub lr: f64,
    /// Perturbation radius ρ of the training, at the base width.
    pub rho: f64,
    /// Seed of the run.
    pub seed: u64,
    /// Eigenvalue of the Hessian that is largest in magnitude, with its sign.
    pub top_eigenvalue: Option<f64>,
    /// Trace of the Hessian.
    pub trace: Option<f64>,
    /// Rise of the loss within the ball.
    pub sam_sharpness: Option<f64>,
}

/// One measured point of the grid, summarized over seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharpnessCell {
    /// Scaling scheme.
    pub scheme: String,
    /// Width of the network.
    pub width: usize,
    /// Learning rate η.
    pub lr: f64,
    /// Perturbation radius ρ of the training.
    pub rho: f64,
    /// Mean top eigenvalue of the Hessian.
    pub top_eigenvalue: Option<f64>,
    /// Its standard error over seeds; absent for fewer than two.
    pub top_eigenvalue_stderr: Option<f64>,
    /// Mean trace of the Hessian.
    pub trace: Option<f64>,
    /// Its standard error over seeds.
    pub trace_stderr: Option<f64>,
    /// Mean rise of the loss within the ball.
    pub sam_sharpness: Option<f64>,
    /// Its standard error over seeds.
    pub sam_sharpness_stderr: Option<f64>,
}

/// By place of the scheme, width, and the bits of η and ρ, which sort like non-negative numbers.
type Key = (usize, usize, u64, u64);

/// The measured cells of the given schemes, by scheme, width, η and ρ. Numbers that are not finite
/// and repeated seeds are left out.
pub(super) fn collect(input: &ReportInput, schemes: &[String]) -> Vec<SharpnessCell> {
    let mut cells: BTreeMap<Key, BTreeMap<u64, &SharpnessObservation>> = BTreeMap::new();
    for run in &input.sharpness {
        let Some(scheme) = schemes.iter().position(|name| *name == run.scheme) else {
            continue;
        };
        let is_usable = run.lr.is_finite() && run.rho.is_finite() && run.lr > 0.0 && run.rho >= 0.0;
        if is_usable {
            // Adding zero turns −0 into 0, whose bits differ.
            let key = (
                scheme,
                run.width,
                run.lr.to_bits(),
                (run.rho + 0.0).to_bits(),
            );
            cells.entry(key).or_default().entry(run.seed).or_insert(run);
        }
    }
    let cells = cells.into_iter().map(|((scheme, width, lr, rho), runs)| {
        let mean = |measure: fn(&SharpnessObservation) -> Option<f64>| {
            let values = runs.values().filter_map(|run| measure(run));
            let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
            let found = estimate(&values).filter(|found| found.mean.is_finite());
            let stderr = |found: Estimate| found.stderr.filter(|stderr| stderr.is_finite());
            (found.map(|found| found.mean), found.and_then(stderr))
        };
        let (top_eigenvalue, top_eigenvalue_stderr) = mean(|run| run.top_eigenvalue);
        let (trace, trace_stderr) = mean(|run| run.trace);
        let (sam_sharpness, sam_sharpness_stderr) = mean(|run| run.sam_sharpness);
        SharpnessCell {
            scheme: schemes[scheme].clone(),
            width,
            lr: f64::from_bits(lr),
            rho: f64::from_bits(rho),
            top_eigenvalue,
            top_eigenvalue_stderr,
            trace,
            trace_stderr,
            sam_sharpness,
            sam_sharpness_stderr,
        }
    });
    let has_number = |cell: &SharpnessCell| {
        cell.top_eigenvalue.is_some() || cell.trace.is_some() || cell.sam_sharpness.is_some()
    };
    cells.filter(has_number).collect()
}
