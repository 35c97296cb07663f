//! Each failure signature alone, and a scheme that has none.

use super::*;

fn close(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 1e-9
}

#[test]
fn a_scheme_with_nothing_wrong_is_healthy_and_says_by_what_numbers() {
    let scheme = one("mup2", healthy);
    assert!(scheme.healthy, "{scheme:#?}");
    assert_eq!(scheme.findings, []);
    assert_eq!(scheme.remedy, "");
    assert_eq!(
        scheme.in_order,
        "SAM gains +2.00 ± 0.00 points over SGD at width 256; the optimum of width 16 (η = 2⁻³, \
         ρ = 2⁻³) loses 0.00 ± 0.00 points at width 256 against that width's own optimum; training \
         stays stable up to width 256 (its edge in ρ moves by +0.02 octaves); by the theory SAM perturbs \
         every layer as strongly at width 256 as at 16."
    );
}

#[test]
fn perturbations_that_only_the_theory_sees_vanish_are_predicted_with_their_factors() {
    let scheme = one("mup-global", healthy);
    let vanishing = (Signature::VanishingPerturbation, Standing::Predicted);
    assert_eq!(kinds(&scheme.findings), [vanishing]);
    assert!(!scheme.healthy);
    let finding = &scheme.findings[0];
    // Exponents −2 and −1 (METHOD section 3) at 16 times the width.
    let input = "effect of the perturbation of input.weight";
    let hidden = "effect of the perturbation of hidden.0.weight";
    assert!(close(value(finding, input), 1.0 / 256.0));
    assert!(close(value(finding, hidden), 1.0 / 16.0));
    assert!(finding.sentence.contains("falls to 1/256 in input.weight"));
    assert!(
        finding
            .sentence
            .contains("Only readout.weight is perturbed")
    );
    assert!(finding.sentence.contains("neither show nor exclude it"));
    assert!(
        finding
            .advice
            .contains("`mup2 check --scheme mup-global --base-width 16 --widths 16,64,256`")
    );
    assert!(finding.advice.contains("use scheme `mup2`"));
}

/// A flat top whose right end moves up by an octave with each factor of 4 in width.
fn widening(width: usize, lr: i32, rho: Option<i32>) -> f64 {
    let octaves = (width as f64 / 16.0).log2() as i32 / 2;
    match rho {
        Some(rho) if rho > -2 && rho <= -2 + octaves => healthy(width, lr, Some(-4)),
        Some(rho) if rho > -2 + octaves => 0.12,
        _ => healthy(width, lr, rho.map(|rho| rho.min(-3))),
    }
}

#[test]
fn a_right_edge_that_moves_far_up_agrees_with_the_theory_of_vanishing_perturbations() {
    let scheme = one("mup-global", widening);
    let vanishing = (Signature::VanishingPerturbation, Standing::Seen);
    assert_eq!(kinds(&scheme.findings), [vanishing]);
    let drift = value(&scheme.findings[0], "right edge of ρ, width 16 → 256");
    assert!((1.9..2.1).contains(&drift), "{drift}");
    assert!(scheme.findings[0].sentence.contains("The sweep agrees"));
    // The same data are no sign of anything where the theory sees nothing vanish.
    assert!(one("mup2", widening).healthy);
}

#[test]
fn an_edge_beyond_that_of_an_effective_scheme_agrees_with_the_theory_too() {
    let edges = |global: Landscape, mup2: Landscape| {
        let mut runs = grid("mup-global", &WIDTHS, global);
        runs.extend(grid("mup2", &WIDTHS, mup2));
        diagnosis(&report(runs)).schemes.remove(0)
    };
    let apart = edges(widening, healthy);
    assert_eq!(apart.findings[0].standing, Standing::Seen);
    let sentence = &apart.findings[0].sentence;
    assert!(
        sentence.contains("above that of mup2, which perturbs every layer"),
        "{sentence}"
    );
    // Where mup2's edge moves as far, the move is the width's and not the scheme's.
    let together = edges(widening, widening);
    assert_eq!(together.findings[0].standing, Standing::Predicted);
}

#[test]
fn an_edge_that_parts_two_schemes_at_the_narrowest_width_already_is_no_sign_of_the_width() {
    let wide: Landscape = |width, lr, rho| landscape(width, lr, rho, -3, 1);
    let narrow: Landscape = |width, lr, rho| landscape(width, lr, rho, -3, -1);
    let mut runs = grid("mup-naive", &WIDTHS, narrow);
    runs.extend(grid("mup2", &WIDTHS, wide));
    let scheme = diagnosis(&report(runs)).schemes.remove(0);
    assert!(!scheme.has(Standing::Seen), "{scheme:#?}");
}

#[test]
fn a_gain_that_shrinks_with_the_width_agrees_with_the_theory_too() {
    let scheme = one("mup-global", |width, lr, rho| match rho {
        None if width > 16 => healthy(width, lr, Some(-3)) - 0.012,
        _ => healthy(width, lr, rho),
    });
    let vanishing = (Signature::VanishingPerturbation, Standing::Seen);
    assert_eq!(kinds(&scheme.findings), [vanishing]);
    let sentence = &scheme.findings[0].sentence;
    assert!(
        sentence.contains("SAM's gain over SGD falls by 0.80 ± 0.00 points"),
        "{sentence}"
    );
}

#[test]
fn a_radius_that_breaks_wide_networks_is_an_instability() {
    let scheme = one("mup2", |width, lr, rho| {
        landscape(width, lr, rho, -3, if width == 256 { -1 } else { 1 })
    });
    assert_eq!(
        kinds(&scheme.findings),
        [(Signature::Instability, Standing::Seen)]
    );
    let finding = &scheme.findings[0];
    assert!(value(finding, "instability edge of ρ, width 16 → 256") < -1.5);
    assert!(
        finding
            .sentence
            .contains("ρ = 2⁻¹ is stable at width 16 and unstable at width 256")
    );
    assert!(
        finding
            .sentence
            .contains("The theory does not predict this")
    );
}

#[test]
fn an_optimum_that_diverges_when_carried_over_is_an_instability() {
    let mut runs = grid("mup2", &WIDTHS, healthy);
    for run in &mut runs {
        if run.width == 256 && run.lr == 0.125 && run.rho == 0.125 && run.seed < 2 {
            run.outcome = Outcome::Diverged;
        }
    }
    let scheme = diagnosis(&report(runs)).schemes.remove(0);
    assert_eq!(scheme.findings[0].signature, Signature::Instability);
    assert_eq!(scheme.findings[0].standing, Standing::Seen);
    let sentence = &scheme.findings[0].sentence;
    assert!(
        sentence.contains("(η = 2⁻³, ρ = 2⁻³) breaks training at width 256: 2 of 3 runs diverge"),
        "{sentence}"
    );
}

#[test]
fn a_learning_rate_that_only_narrow_networks_stand_is_an_instability() {
    let scheme = one("sp-naive", |width, lr, rho| match lr {
        -1 if width == 256 => 0.1,
        _ => healthy(width, lr, rho),
    });
    let finding = &scheme.findings[0];
    assert_eq!(
        kinds(&scheme.findings)[0],
        (Signature::Instability, Standing::Seen)
    );
    assert!(
        finding
            .sentence
            .contains("η = 2⁻¹ trains at width 16 and is unstable at width 256"),
        "{}",
        finding.sentence
    );
    // c = 0 in SP: updates of hidden and readout weights have exponent 1 (METHOD sections 1 and 2).
    assert!(
        finding
            .sentence
            .contains("hidden.0.weight and readout.weight grows 16 times")
    );
    assert!(finding.advice.contains("a smaller η the wider the network"));
}

#[test]
fn an_instability_that_only_the_theory_sees_is_predicted() {
    let scheme = one("mup-naive", healthy);
    assert_eq!(
        kinds(&scheme.findings),
        [
            (Signature::VanishingPerturbation, Standing::Predicted),
            (Signature::Instability, Standing::Predicted),
        ]
    );
    // Exponent ½ (METHOD section 3) at 16 times the width.
    let grown = value(
        &scheme.findings[1],
        "effect of the perturbation of readout.weight",
    );
    assert!(close(grown, 4.0));
    assert!(
        scheme.findings[1]
            .sentence
            .ends_with("In this sweep it has not broken anything yet.")
    );
}

#[test]
fn an_optimum_that_moves_and_costs_is_a_shift() {
    let scheme = one("mup2", |width, lr, rho| {
        landscape(width, lr, rho, if width == 256 { -1 } else { -3 }, 1)
    });
    assert_eq!(
        kinds(&scheme.findings),
        [(Signature::ShiftingOptimum, Standing::Seen)]
    );
    let finding = &scheme.findings[0];
    assert!(close(
        value(finding, "regret at width 256, test set"),
        0.024
    ));
    assert!(close(
        value(finding, "drift of the optimal ρ, width 16 → 256"),
        2.0
    ));
    assert!(close(
        value(finding, "drift of the optimal η, width 16 → 256"),
        0.0
    ));
    assert!(
        finding.sentence.contains("loses 2.40 ± 0.00 points"),
        "{}",
        finding.sentence
    );
    assert!(
        scheme
            .remedy
            .contains("The theory finds nothing wrong with this scheme")
    );
}

#[test]
fn an_optimum_that_moves_on_a_plateau_is_no_shift() {
    let scheme = one("mup2", |width, lr, rho| match rho {
        // The best ρ moves from 2⁻³ to 2⁻¹, and the old one is 0.1 points worse.
        Some(rho @ (-3..=-1)) => {
            let best = if width == 256 { -1 } else { -3 };
            healthy(width, lr, Some(-3)) - if rho == best { 0.0 } else { 0.001 }
        }
        _ => healthy(width, lr, rho),
    });
    assert!(scheme.healthy, "{scheme:#?}");
    assert!(
        scheme.in_order.contains("loses 0.10 ± 0.00 points"),
        "{}",
        scheme.in_order
    );
}

#[test]
fn a_shift_that_the_edge_of_the_grid_may_hide_is_left_open() {
    let scheme = one("mup2", |width, lr, rho| landscape(width, lr, rho, -6, 0));
    assert_eq!(
        kinds(&scheme.findings),
        [(Signature::ShiftingOptimum, Standing::CannotTell)]
    );
    let sentence = &scheme.findings[0].sentence;
    assert!(sentence.contains("width 16's optimum lies on the edge of the grid (lowest ρ)"));
    assert!(scheme.findings[0].advice.contains("Extend the grid"));
}

#[test]
fn sam_that_is_no_better_than_sgd_gains_nothing() {
    let scheme = one("mup2", |width, lr, rho| match rho {
        None => healthy(width, lr, Some(-3)) - 0.002,
        _ => healthy(width, lr, rho),
    });
    assert_eq!(
        kinds(&scheme.findings),
        [(Signature::NoGainOverSgd, Standing::Seen)]
    );
    let finding = &scheme.findings[0];
    assert!(close(
        value(finding, "gain of SAM over SGD at width 256"),
        0.002
    ));
    assert!(
        finding.sentence.contains("+0.20 ± 0.00 points"),
        "{}",
        finding.sentence
    );
    assert!(
        finding.advice.contains("the task is the reason"),
        "{}",
        finding.advice
    );
    // Not the scheme's fault as far as anyone can tell.
    assert_eq!(scheme.remedy, "");
}

#[test]
fn a_gain_that_is_lost_with_the_width_is_said_to_be_lost() {
    let scheme = one("mup2", |width, lr, rho| match rho {
        None if width > 16 => healthy(width, lr, Some(-3)) - 0.001,
        _ => healthy(width, lr, rho),
    });
    assert_eq!(
        kinds(&scheme.findings),
        [(Signature::NoGainOverSgd, Standing::Seen)]
    );
    assert!(
        scheme.findings[0].sentence.contains(
            "lost as the network widens: +0.10 ± 0.00 points at width 256, 1.90 ± 0.00 less than at \
             width 16"
        ),
        "{}",
        scheme.findings[0].sentence
    );
}

#[test]
fn a_gain_over_an_sgd_that_was_not_tuned_is_left_open() {
    let scheme = one("mup2", |width, lr, rho| match rho {
        None => healthy(width, lr.min(-5) + 2, rho) + 0.001 * f64::from(-lr),
        _ => healthy(width, lr, rho),
    });
    assert_eq!(
        kinds(&scheme.findings),
        [(Signature::NoGainOverSgd, Standing::CannotTell)]
    );
    assert!(
        scheme.findings[0]
            .sentence
            .contains("SGD's best η lies on the edge of its grid")
    );
}

#[test]
fn a_loss_at_the_wide_width_is_no_shift_where_the_narrow_one_cannot_tell_the_optima_apart() {
    let scheme = one("mup2", |width, lr, rho| match (width, rho) {
        // Width 16 is flat from 2⁻³ to 2⁻¹; width 256 prefers 2⁻¹.
        (16, Some(rho @ (-3..=-1))) => {
            healthy(width, lr, Some(-3)) - if rho == -3 { 0.0 } else { 0.001 }
        }
        _ => landscape(width, lr, rho, if width == 256 { -1 } else { -3 }, 1),
    });
    assert_eq!(
        kinds(&scheme.findings),
        [(Signature::ShiftingOptimum, Standing::CannotTell)]
    );
    let sentence = &scheme.findings[0].sentence;
    assert!(
        sentence.contains("width 16 does not tell the two apart"),
        "{sentence}"
    );
}

#[test]
fn gain_and_regret_are_read_on_the_test_set_on_which_nothing_was_selected() {
    // On the selection set width 256 prefers ρ = 2⁻¹ and SGD is 2 points behind.
    let mut runs = grid("mup2", &WIDTHS, |width, lr, rho| {
        landscape(width, lr, rho, if width == 256 { -1 } else { -3 }, 1)
    });
    for run in runs.iter_mut().filter(|run| run.width == 256) {
        if let Outcome::Completed { test_accuracy, .. } = &mut run.outcome {
            *test_accuracy = 0.8;
        }
    }
    let scheme = diagnosis(&report(runs)).schemes.remove(0);
    assert_eq!(
        kinds(&scheme.findings),
        [(Signature::NoGainOverSgd, Standing::Seen)]
    );
    assert!(
        scheme.in_order.contains("loses 0.00 ± 0.00 points"),
        "{}",
        scheme.in_order
    );
}
