//! What the doctor says of scattered points: no edges of ρ, and advice for a search.

use super::{Diagnosis, Observation, Signature, WIDTHS, completed, diagnosis, healthy, landscape};
use crate::doctor::text;
use crate::report::{Report, Sampling, build};

/// Points (log₂ η, log₂ ρ) within −6 to 0 each, no two in one row or column.
const POINTS: [(i32, i32); 5] = [(-5, -4), (-4, -1), (-3, -3), (-2, -5), (-1, -2)];

/// The points under `mup2` at all widths, with SGD or without, three seeds.
fn scattered(sgd: bool, accuracy: super::Landscape) -> Report {
    let mut runs = Vec::new();
    for width in WIDTHS {
        for (lr, rho) in POINTS {
            let sgd = sgd.then_some(None);
            for rho in sgd.into_iter().chain([Some(rho)]) {
                for seed in 0..3 {
                    let accuracy = accuracy(width, lr, rho) + 0.004 * (seed as f64 - 1.0);
                    runs.push(Observation {
                        scheme: "mup2".to_owned(),
                        width,
                        lr: f64::from(lr).exp2(),
                        rho: rho.map_or(0.0, |rho| f64::from(rho).exp2()),
                        seed,
                        outcome: completed(accuracy),
                    });
                }
            }
        }
    }
    let sampling = Sampling::Scattered {
        method: "sobol".to_owned(),
        log2_lr: (-6.0, 0.0),
        log2_rho: (-6.0, 0.0),
    };
    build(&super::ReportInput {
        sampling,
        ..super::input(runs)
    })
}

fn words(diagnosis: &Diagnosis) -> String {
    text(diagnosis, false)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_healthy_search_has_no_findings_and_no_word_of_a_grid() {
    let diagnosis = diagnosis(&scattered(true, healthy));
    assert!(diagnosis.sweep.is_empty(), "{:?}", diagnosis.sweep);
    assert!(diagnosis.schemes[0].findings.is_empty());
    let text = words(&diagnosis);
    assert!(text.contains("no edges of ρ are compared; a grid shows them"));
    assert_eq!(text.matches("grid").count(), 1);
}

#[test]
fn an_optimum_that_moves_among_scattered_points_is_seen() {
    // From (−3, −3) at the narrowest width to (−4, −1) at the widest.
    let diagnosis = diagnosis(&scattered(true, |width, lr, rho| match (width, lr, rho) {
        (256, -4, Some(-1)) => 0.90,
        _ => healthy(width, lr, rho),
    }));
    let found = &diagnosis.schemes[0].findings[0];
    assert_eq!(found.signature, Signature::ShiftingOptimum);
    assert_eq!(
        super::value(found, "drift of the optimal ρ, width 16 → 256"),
        2.0
    );
}

#[test]
fn advice_speaks_of_the_search() {
    let edge = diagnosis(&scattered(false, |width, lr, rho| {
        landscape(width, lr + 2, rho, -4, 0)
    }));
    let signatures: Vec<Signature> = edge.sweep.iter().map(|one| one.signature).collect();
    assert_eq!(signatures, [Signature::NoSgdBaseline, Signature::GridEdge]);
    assert!(edge.sweep[0].advice.contains("search.include_sgd"));
    assert!(edge.sweep[1].advice.contains("search.lr"));
    assert!(words(&edge).contains("low η"));
}
