//! The judgement of measured points, with its table and page.

use crate::roles::{ScaleRequest, table};
use mup2_report::check::{html, terminal_table};
use mup2_scaling::check::{CheckReport, CheckSubject, Divergence, Extent, Point, judge};
use mup2_scaling::error::Result;
use serde::{Deserialize, Serialize};

/// What was measured of one parameter in one step. `null` is a number that is not finite.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    tensor: String,
    width: usize,
    seed: u64,
    step: usize,
    effect: Option<f64>,
    propagated: Option<f64>,
    cross: Option<f64>,
    total: Option<f64>,
    spectral: Option<f64>,
    frobenius: Option<f64>,
    update_effect: Option<f64>,
    update_propagated: Option<f64>,
    update_spectral: Option<f64>,
    update_frobenius: Option<f64>,
    norm_share: Option<f64>,
    gradient_norm: Option<f64>,
    activation: Option<f64>,
}

/// A training that stopped being finite.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stopped {
    width: usize,
    seed: u64,
    step: usize,
}

/// The points of a check.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The widest model, with the scheme.
    scaling: ScaleRequest,
    widths: Vec<usize>,
    seeds: Vec<u64>,
    steps: usize,
    tolerance: f64,
    base_width: Option<usize>,
    settings: Vec<(String, String)>,
    points: Vec<Measured>,
    divergences: Vec<Stopped>,
}

/// The judgement, and how it is shown.
#[derive(Serialize)]
pub struct CheckAnswer {
    report: CheckReport,
    table: String,
    html: String,
}

/// Fits slopes and judges them.
///
/// # Errors
/// When too little was measured to fit a slope, or the scaling is not one.
pub fn check(request: CheckRequest) -> Result<CheckAnswer> {
    let extent = Extent {
        widths: &request.widths,
        seeds: &request.seeds,
        steps: request.steps,
        tolerance: request.tolerance,
    };
    extent.validate()?;
    let table = table(&request.scaling)?;
    let subject = CheckSubject {
        scheme: request.scaling.scheme.scheme.clone(),
        base_width: request.base_width,
        settings: request.settings,
    };
    let points = request.points.into_iter().map(Measured::point).collect();
    let stopped = request.divergences.iter().map(|one| Divergence {
        width: one.width,
        seed: one.seed,
        step: one.step,
    });
    let report = judge(subject, &extent, &table, points, stopped.collect());
    Ok(CheckAnswer {
        table: terminal_table(&report, false),
        html: html(&report),
        report,
    })
}

impl Measured {
    fn point(self) -> Point {
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Point {
            tensor: self.tensor,
            width: self.width,
            seed: self.seed,
            step: self.step,
            effect: number(self.effect),
            propagated: number(self.propagated),
            cross: number(self.cross),
            total: number(self.total),
            spectral: number(self.spectral),
            frobenius: number(self.frobenius),
            update_effect: number(self.update_effect),
            update_propagated: number(self.update_propagated),
            update_spectral: number(self.update_spectral),
            update_frobenius: number(self.update_frobenius),
            norm_share: number(self.norm_share),
            gradient_norm: number(self.gradient_norm),
            activation: number(self.activation),
        }
    }
}
