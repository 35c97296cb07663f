//! Tests of the whole report on inputs small enough to compute by hand.

mod fits;
mod numbers;
mod pages;
mod properties;
mod recorded;
mod scattered;
mod sharpness;

use super::{Observation, Outcome, ReportInput, Sampling};

/// A completed run at η = 2^`lr` and ρ = 2^`rho` (0 for none), whose test accuracy is one point
/// below its selection accuracy.
fn run(
    scheme: &str,
    width: usize,
    lr: i32,
    rho: Option<i32>,
    seed: u64,
    accuracy: f64,
) -> Observation {
    Observation {
        scheme: scheme.to_owned(),
        width,
        lr: 2_f64.powi(lr),
        rho: rho.map_or(0.0, |exponent| 2_f64.powi(exponent)),
        seed,
        outcome: Outcome::Completed {
            selection_accuracy: accuracy,
            test_accuracy: accuracy - 0.01,
        },
    }
}

/// The same run with another outcome.
fn ended(mut run: Observation, outcome: Outcome) -> Observation {
    run.outcome = outcome;
    run
}

fn input(observations: Vec<Observation>) -> ReportInput {
    ReportInput {
        title: "Transfer of η and ρ".to_owned(),
        dataset: "fashion-mnist".to_owned(),
        selection: "validation".to_owned(),
        base_width: 16,
        axes: crate::report::Axes::default(),
        fits: false,
        sampling: Sampling::Grid,
        halving: None,
        settings: vec![("epochs".to_owned(), "4".to_owned())],
        schemes: Vec::new(),
        unstable_below: 0.3,
        observations,
        sharpness: Vec::new(),
        command: "mup2 report runs".to_owned(),
        version: "0.1.0".to_owned(),
        warnings: Vec::new(),
    }
}

/// One scheme, widths 16 and 64, η = 2⁻⁴ and 2⁻³, ρ = 0 and 2⁻³ … 2⁰, two seeds 0.01 apart.
/// At width 64 the radius that is best at width 16 is too large.
fn two_widths(scheme: &str) -> Vec<Observation> {
    let table = [
        (16, -4, [0.70, 0.74, 0.80, 0.76, 0.20]),
        (16, -3, [0.71, 0.72, 0.75, 0.60, 0.20]),
        (64, -4, [0.75, 0.84, 0.80, 0.40, 0.10]),
        (64, -3, [0.74, 0.83, 0.70, 0.35, 0.10]),
    ];
    let rhos = [None, Some(-3), Some(-2), Some(-1), Some(0)];
    let mut runs = Vec::new();
    for (width, lr, accuracies) in table {
        for (rho, accuracy) in rhos.into_iter().zip(accuracies) {
            runs.push(run(scheme, width, lr, rho, 0, accuracy - 0.005));
            runs.push(run(scheme, width, lr, rho, 1, accuracy + 0.005));
        }
    }
    runs
}

/// [`two_widths`] as an input.
pub(crate) fn two_widths_of(scheme: &str) -> ReportInput {
    input(two_widths(scheme))
}
