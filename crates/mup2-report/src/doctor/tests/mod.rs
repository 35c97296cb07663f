//! Tests of the doctor on made-up sweeps in which one thing at a time is wrong.

mod edges;
mod noise;
mod pages;
mod properties;
mod search;
mod signatures;
mod whole_sweep;

use super::{Case, Diagnosis, Finding, SchemeDiagnosis, Signature, Standing, Theory, diagnose};
use crate::report::{Observation, Outcome, Report, ReportInput, Sampling, build};
use mup2_scaling::{Role, Scheme, TensorKind, TensorShape, scale};

/// The widths of most sweeps here; 16 is the base width.
const WIDTHS: [usize; 3] = [16, 64, 256];

/// Accuracy at (width, log₂ η, log₂ ρ); no ρ is SGD.
type Landscape = fn(usize, i32, Option<i32>) -> f64;

/// The grid η = 2⁻⁵ … 2⁻¹, ρ = 0 and 2⁻⁵ … 2¹ under one scheme, three seeds.
fn grid(scheme: &str, widths: &[usize], accuracy: Landscape) -> Vec<Observation> {
    let mut runs = Vec::new();
    for &width in widths {
        for lr in -5..=-1 {
            for rho in std::iter::once(None).chain((-5..=1).map(Some)) {
                for seed in 0..3 {
                    // Seeds differ by 0.4 points, alike in all cells.
                    let accuracy = accuracy(width, lr, rho) + 0.004 * (seed as f64 - 1.0);
                    runs.push(Observation {
                        scheme: scheme.to_owned(),
                        width,
                        lr: 2_f64.powi(lr),
                        rho: rho.map_or(0.0, |rho| 2_f64.powi(rho)),
                        seed,
                        outcome: completed(accuracy),
                    });
                }
            }
        }
    }
    runs
}

fn completed(accuracy: f64) -> Outcome {
    let accuracy = accuracy.clamp(0.0, 1.0);
    Outcome::Completed {
        selection_accuracy: accuracy,
        test_accuracy: accuracy,
    }
}

/// The best at η = 2⁻³, ρ = 2⁻³ at every width, 2 points above SGD; unstable from ρ = 2⁰ on.
fn healthy(width: usize, lr: i32, rho: Option<i32>) -> f64 {
    landscape(width, lr, rho, -3, 0)
}

/// A landscape with its optimum at ρ = 2^`best` that is unstable from ρ = 2^`unstable` on.
fn landscape(width: usize, lr: i32, rho: Option<i32>, best: i32, unstable: i32) -> f64 {
    let top = 0.80 + 0.01 * (width as f64 / 16.0).log2();
    let lr_loss = 0.015 * f64::from((lr + 3).pow(2));
    match rho {
        None => top - lr_loss - 0.02,
        Some(rho) if rho >= unstable => 0.12,
        Some(rho) => top - lr_loss - 0.006 * f64::from((rho - best).pow(2)),
    }
}

fn report(observations: Vec<Observation>) -> Report {
    build(&input(observations))
}

fn input(observations: Vec<Observation>) -> ReportInput {
    ReportInput {
        title: "made up".to_owned(),
        dataset: "nothing".to_owned(),
        selection: "validation".to_owned(),
        axes: crate::report::Axes::default(),
        fits: false,
        sampling: Sampling::Grid,
        halving: None,
        base_width: 16,
        settings: Vec::new(),
        schemes: Vec::new(),
        unstable_below: 0.3,
        observations,
        sharpness: Vec::new(),
        command: "mup2 report runs".to_owned(),
        version: "0.1.0".to_owned(),
        warnings: Vec::new(),
    }
}

/// The theory of a three-layer MLP from width 16 to `width`.
fn theory(name: &str, width: usize) -> Theory {
    let (parameterization, perturbation) = match name {
        "mup2" => ("mup", "mup2"),
        other => other.split_once('-').unwrap(),
    };
    let scheme = Scheme::new(
        parameterization.parse().unwrap(),
        perturbation.parse().unwrap(),
    );
    let tensor = |name: &str, role, fan: (usize, usize), base_fan| TensorShape {
        name: name.to_owned(),
        role,
        kind: TensorKind::Weight,
        shape: vec![fan.0, fan.1],
        fan,
        base_fan,
        base_init_std: 1.0,
    };
    let shapes = [
        tensor("input.weight", Role::Input, (196, width), (196, 16)),
        tensor("hidden.0.weight", Role::Hidden, (width, width), (16, 16)),
        tensor("readout.weight", Role::Output, (width, 10), (16, 10)),
    ];
    Theory {
        scheme: name.to_owned(),
        base_width: 16,
        width,
        table: scale(&scheme, &shapes).unwrap(),
    }
}

/// The diagnosis of a report with the theory of each of its schemes.
fn diagnosis(report: &Report) -> Diagnosis {
    let widest = report.widths.last().copied().unwrap();
    let theory = report.schemes.iter().map(|name| theory(name, widest));
    diagnose(&Case {
        report,
        theory: theory.collect(),
    })
}

/// The diagnosis of a sweep with one scheme.
fn one(scheme: &str, accuracy: Landscape) -> SchemeDiagnosis {
    let diagnosis = diagnosis(&report(grid(scheme, &WIDTHS, accuracy)));
    assert_eq!(diagnosis.schemes.len(), 1);
    diagnosis.schemes.into_iter().next().unwrap()
}

/// Which findings there are and what they rest on.
fn kinds(findings: &[Finding]) -> Vec<(Signature, Standing)> {
    let kinds = findings.iter().map(|one| (one.signature, one.standing));
    kinds.collect()
}

/// The number of a finding's evidence with this name.
fn value(finding: &Finding, name: &str) -> f64 {
    let found = finding.evidence.iter().find(|one| one.name == name);
    found
        .and_then(|one| one.value)
        .unwrap_or_else(|| panic!("no `{name}` in {:#?}", finding.evidence))
}
