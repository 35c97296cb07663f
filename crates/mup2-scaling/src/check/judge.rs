//! From measurements to slopes, verdicts and sentences.

use super::fit::{Measurement, slope};
use super::result::{CheckReport, Divergence, Point, Slope, SlopeVerdict, TensorFinding};
use super::sentences::sentences;
use crate::error::{Error, Result};
use crate::{ScalingTable, TensorScaling};
use std::collections::HashSet;

/// Beyond this many standard errors a difference counts as one.
const STANDARD_ERRORS: f64 = 2.0;

/// What was measured.
pub struct CheckSubject {
    /// Name of the scheme.
    pub scheme: String,
    /// The width where multipliers are 1; `None` if only ratios are known.
    pub base_width: Option<usize>,
    /// Names and values for the page.
    pub settings: Vec<(String, String)>,
}

/// How far it was measured.
pub struct Extent<'a> {
    /// The widths.
    pub widths: &'a [usize],
    /// The seeds.
    pub seeds: &'a [u64],
    /// Steps of each training; the fits use the last.
    pub steps: usize,
    /// A slope within this distance of 0 counts as 0.
    pub tolerance: f64,
}

impl Extent<'_> {
    /// Whether slopes and their errors can be fitted to it.
    ///
    /// # Errors
    /// When nothing could be fitted.
    pub fn validate(&self) -> Result<()> {
        let distinct: HashSet<usize> = self.widths.iter().copied().collect();
        let wrong = |place: &str, problem: String, allowed: &str| {
            Err(Error::invalid(place, problem, allowed))
        };
        if distinct.len() != self.widths.len() {
            return wrong(
                "--widths",
                "holds a width twice".to_owned(),
                "each width once",
            );
        }
        if distinct.len() < 2 || distinct.len() * self.seeds.len() < 3 {
            return wrong(
                "--widths",
                format!(
                    "{} widths with {} seeds are too few to fit a slope and its error",
                    distinct.len(),
                    self.seeds.len()
                ),
                "at least two widths, and at least three trainings",
            );
        }
        if self.steps == 0 {
            return wrong("--steps", "is 0".to_owned(), "at least 1");
        }
        if !(self.tolerance > 0.0 && self.tolerance < 0.5) {
            return wrong(
                "--tolerance",
                format!("is {}", self.tolerance),
                "numbers above 0 and below 0.5, the distance of the theory's exponents",
            );
        }
        Ok(())
    }
}

/// Judges the measurements by the last step of each training.
pub fn judge(
    subject: CheckSubject,
    options: &Extent,
    table: &ScalingTable,
    points: Vec<Point>,
    divergences: Vec<Divergence>,
) -> CheckReport {
    let mut widths = options.widths.to_vec();
    widths.sort_unstable();
    let widest = widths.last().copied().unwrap_or_default();
    let tensors: Vec<TensorFinding> = table
        .tensors
        .iter()
        .map(|row| finding(row, &points, options, widest))
        .collect();
    let stable = divergences.is_empty()
        && !tensors.iter().any(|tensor| {
            let output = verdict(tensor.activation, options.tolerance);
            tensor.verdict != SlopeVerdict::Flat
                && [tensor.verdict, tensor.update_verdict, output]
                    .contains(&SlopeVerdict::Exploding)
        });
    let effective = tensors.iter().all(|tensor| {
        let verdict = tensor.verdict;
        matches!(
            verdict,
            SlopeVerdict::Effective | SlopeVerdict::Unperturbed | SlopeVerdict::Flat
        )
    });
    let mut report = CheckReport {
        pass: stable && effective,
        stable,
        scheme: subject.scheme,
        findings: Vec::new(),
        tensors,
        widths,
        seeds: options.seeds.to_vec(),
        steps: options.steps,
        tolerance: options.tolerance,
        divergences,
        points,
        settings: subject.settings,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    report.findings = sentences(&report, subject.base_width);
    report
}

fn finding(
    row: &TensorScaling,
    points: &[Point],
    options: &Extent,
    widest: usize,
) -> TensorFinding {
    let last: Vec<&Point> = points
        .iter()
        .filter(|point| point.tensor == row.name && point.step == options.steps)
        .collect();
    let fit = |value: fn(&Point) -> f64| {
        slope(last.iter().map(|point| Measurement {
            seed: point.seed,
            width: point.width,
            value: value(point),
        }))
    };
    // A tensor that the rule leaves alone has no effect to fit.
    let predicted = row.effect_exponent;
    let effect = predicted.and_then(|_| fit(|point| point.effect));
    let spectral = predicted.and_then(|_| fit(|point| point.spectral));
    let update = fit(|point| point.update_effect);
    let shares: Vec<f64> = last
        .iter()
        .filter(|point| point.width == widest && point.norm_share.is_finite())
        .map(|point| point.norm_share)
        .collect();
    let mean_share = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    TensorFinding {
        name: row.name.clone(),
        role: row.role.to_string(),
        effect_slope: effect.map(|fit| fit.slope),
        effect_stderr: effect.map(|fit| fit.stderr),
        effect_predicted: predicted,
        effect_as_predicted: effect.zip(predicted).map(|(fit, predicted)| {
            (fit.slope - predicted).abs() <= options.tolerance + STANDARD_ERRORS * fit.stderr
        }),
        propagated: fit(|point| point.propagated),
        spectral_slope: spectral.map(|fit| fit.slope),
        spectral_stderr: spectral.map(|fit| fit.stderr),
        update_slope: update.map(|fit| fit.slope),
        update_stderr: update.map(|fit| fit.stderr),
        update_predicted: row.update_exponent,
        update_verdict: verdict(update, options.tolerance),
        update_propagated: fit(|point| point.update_propagated),
        activation: fit(|point| point.activation),
        norm_share: (!shares.is_empty()).then_some(mean_share),
        verdict: match predicted {
            None => SlopeVerdict::Unperturbed,
            Some(_) if is_flat(&last, points, options.steps) => SlopeVerdict::Flat,
            Some(_) => verdict(effect, options.tolerance),
        },
    }
}

/// Whether the gradients of one tensor, whose points of the last step are `own`, are rounding beside
/// the largest of the same training.
fn is_flat(own: &[&Point], points: &[Point], steps: usize) -> bool {
    /// Single precision keeps 1e-7; a real gradient is not that small, also at width 10^5.
    const ROUNDING: f64 = 1e-6;
    let largest = |point: &Point| {
        let same = points.iter().filter(|other| {
            (other.width, other.seed, other.step) == (point.width, point.seed, steps)
        });
        same.map(|other| other.gradient_norm).fold(0.0, f64::max)
    };
    !own.is_empty()
        && own
            .iter()
            .all(|point| point.gradient_norm < ROUNDING * largest(point))
}

/// A slope within the tolerance of 0 is effective if its error is no larger than the tolerance; one
/// outside is a failure if it is outside by more than two standard errors.
pub fn verdict(effect: Option<Slope>, tolerance: f64) -> SlopeVerdict {
    let Some(Slope { slope, stderr }) = effect else {
        return SlopeVerdict::Inconclusive;
    };
    if slope.abs() <= tolerance {
        if stderr <= tolerance {
            SlopeVerdict::Effective
        } else {
            SlopeVerdict::Inconclusive
        }
    } else if slope.abs() <= tolerance + STANDARD_ERRORS * stderr {
        SlopeVerdict::Inconclusive
    } else if slope < 0.0 {
        SlopeVerdict::Vanishing
    } else {
        SlopeVerdict::Exploding
    }
}
