//! What a sweep cannot show is said, and why.

use super::*;

fn signatures(diagnosis: &Diagnosis) -> Vec<Signature> {
    diagnosis.sweep.iter().map(|one| one.signature).collect()
}

#[test]
fn a_sweep_that_lacks_nothing_has_no_finding_about_the_whole() {
    let diagnosis = diagnosis(&report(grid("mup2", &WIDTHS, healthy)));
    assert_eq!(diagnosis.sweep, []);
}

#[test]
fn with_one_seed_nothing_that_needs_a_standard_error_is_told() {
    let shifting: Landscape =
        |width, lr, rho| landscape(width, lr, rho, if width == 256 { -1 } else { -3 }, 1);
    let mut runs = grid("mup2", &WIDTHS, shifting);
    runs.retain(|run| run.seed == 0);
    let diagnosis = diagnosis(&report(runs));
    assert_eq!(signatures(&diagnosis), [Signature::FewSeeds]);
    assert_eq!(value(&diagnosis.sweep[0], "fewest seeds"), 1.0);
    assert_eq!(
        kinds(&diagnosis.schemes[0].findings),
        [
            (Signature::ShiftingOptimum, Standing::CannotTell),
            (Signature::NoGainOverSgd, Standing::CannotTell),
        ]
    );
    for finding in &diagnosis.schemes[0].findings {
        let reason = "with 1 seed there is no standard error to judge it by";
        assert!(finding.sentence.contains(reason), "{}", finding.sentence);
    }
}

#[test]
fn with_one_seed_training_that_breaks_is_told_all_the_same() {
    let mut runs = grid("mup2", &WIDTHS, |width, lr, rho| {
        landscape(width, lr, rho, -3, if width == 256 { -3 } else { 0 })
    });
    runs.retain(|run| run.seed == 0);
    let scheme = diagnosis(&report(runs)).schemes.remove(0);
    assert_eq!(
        kinds(&scheme.findings)[0],
        (Signature::Instability, Standing::Seen)
    );
}

#[test]
fn with_one_width_no_signature_of_the_width_is_looked_for() {
    let diagnosis = diagnosis(&report(grid("mup2", &[16], healthy)));
    assert_eq!(signatures(&diagnosis), [Signature::OneWidth]);
    let scheme = &diagnosis.schemes[0];
    assert_eq!(scheme.findings, []);
    assert!(!scheme.healthy, "transfer was not shown: {scheme:#?}");
}

#[test]
fn with_one_width_the_theory_speaks_of_wider_networks() {
    let diagnosis = diagnosis(&report(grid("mup-global", &[16], healthy)));
    let finding = &diagnosis.schemes[0].findings[0];
    assert_eq!(finding.standing, Standing::Predicted);
    assert!(
        finding.sentence.contains(
            "in a network 16 times as wide as 16 the effect of their own perturbation falls to 1/256"
        ),
        "{}",
        finding.sentence
    );
    assert!(
        finding.advice.contains("--widths 16,64,256"),
        "{}",
        finding.advice
    );
}

#[test]
fn without_sgd_the_gain_is_not_looked_for() {
    let mut runs = grid("mup2", &WIDTHS, healthy);
    runs.retain(|run| run.rho > 0.0);
    let diagnosis = diagnosis(&report(runs));
    assert_eq!(signatures(&diagnosis), [Signature::NoSgdBaseline]);
    assert_eq!(diagnosis.schemes[0].findings, []);
    assert!(!diagnosis.schemes[0].healthy);
}

#[test]
fn runs_that_failed_or_are_missing_are_counted_with_their_reasons() {
    let mut runs = grid("mup2", &WIDTHS, healthy);
    runs[0].outcome = Outcome::Failed("out of memory".to_owned());
    runs[1].outcome = Outcome::Missing;
    runs[2].outcome = Outcome::Missing;
    let diagnosis = diagnosis(&report(runs));
    assert_eq!(signatures(&diagnosis), [Signature::UnfinishedRuns]);
    let finding = &diagnosis.sweep[0];
    assert_eq!(
        finding.sentence,
        "Of 360 runs, 2 have no result yet and 1 failed; the diagnosis rests on the others."
    );
    assert_eq!(value(finding, "missing runs"), 2.0);
    assert_eq!(finding.evidence[2].text, "out of memory");
}

#[test]
fn a_transferred_cell_without_a_result_leaves_the_shift_open() {
    let mut runs = grid("mup2", &WIDTHS, healthy);
    for run in &mut runs {
        if run.width == 256 && run.lr == 0.125 && run.rho == 0.125 {
            run.outcome = Outcome::Missing;
        }
    }
    let scheme = diagnosis(&report(runs)).schemes.remove(0);
    assert_eq!(
        kinds(&scheme.findings),
        [(Signature::ShiftingOptimum, Standing::CannotTell)]
    );
    assert!(
        scheme.findings[0]
            .sentence
            .contains("has no result at width 256 yet"),
        "{}",
        scheme.findings[0].sentence
    );
}

#[test]
fn a_width_whose_grid_lacks_the_transferred_cell_leaves_the_shift_open() {
    let mut runs = grid("mup2", &WIDTHS, healthy);
    runs.retain(|run| run.width == 16 || run.lr != 0.125);
    let scheme = diagnosis(&report(runs)).schemes.remove(0);
    let shift = scheme
        .findings
        .iter()
        .find(|one| one.signature == Signature::ShiftingOptimum);
    let sentence = &shift.unwrap().sentence;
    assert!(
        sentence.contains("the grid of width 256 does not hold"),
        "{sentence}"
    );
}

#[test]
fn optima_on_the_edge_of_the_grid_are_listed_with_the_edge() {
    let runs = grid("mup2", &WIDTHS, |width, lr, rho| {
        landscape(width, lr, rho, 2, 3)
    });
    let diagnosis = diagnosis(&report(runs));
    assert_eq!(signatures(&diagnosis), [Signature::GridEdge]);
    let evidence: Vec<(&str, &str)> = diagnosis.sweep[0]
        .evidence
        .iter()
        .map(|one| (one.name.as_str(), one.text.as_str()))
        .collect();
    assert_eq!(
        evidence,
        [
            ("mup2, SAM at width 16", "highest ρ"),
            ("mup2, SAM at width 256", "highest ρ"),
        ]
    );
}

#[test]
fn a_hyperparameter_with_one_value_is_not_tuned_rather_than_at_the_edge() {
    let mut runs = grid("mup2", &WIDTHS, healthy);
    runs.retain(|run| run.lr == 0.125);
    let diagnosis = diagnosis(&report(runs));
    assert_eq!(signatures(&diagnosis), [Signature::Untuned]);
    assert!(
        diagnosis.sweep[0]
            .sentence
            .starts_with("η has one value only")
    );
}

#[test]
fn a_sweep_without_sam_says_so() {
    let mut runs = grid("mup2", &WIDTHS, healthy);
    runs.retain(|run| run.rho == 0.0);
    let diagnosis = diagnosis(&report(runs));
    assert_eq!(signatures(&diagnosis), [Signature::Untuned]);
    assert!(
        diagnosis.sweep[0]
            .sentence
            .contains("there is no SAM to judge")
    );
    assert_eq!(diagnosis.schemes[0].findings, []);
    assert!(!diagnosis.schemes[0].healthy);
}

#[test]
fn selection_on_the_test_set_is_named() {
    let mut report = report(grid("mup2", &WIDTHS, healthy));
    report.selection = "best-test".to_owned();
    assert_eq!(signatures(&diagnosis(&report)), [Signature::SelectedOnTest]);
}

#[test]
fn a_scheme_without_a_scaling_table_is_judged_by_its_data_alone() {
    let report = report(grid("mine", &WIDTHS, healthy));
    let diagnosis = diagnose(&Case {
        report: &report,
        theory: Vec::new(),
    });
    assert_eq!(signatures(&diagnosis), [Signature::NoTheory]);
    let scheme = &diagnosis.schemes[0];
    assert_eq!(scheme.findings, []);
    assert!(!scheme.healthy && scheme.in_order.contains("SAM gains +2.00"));
}

#[test]
fn with_one_width_an_optimum_at_the_edge_is_listed_once() {
    let runs = grid("mup2", &[16], |width, lr, rho| {
        landscape(width, lr, rho, 2, 3)
    });
    let diagnosis = diagnosis(&report(runs));
    assert_eq!(
        signatures(&diagnosis),
        [Signature::OneWidth, Signature::GridEdge]
    );
    assert_eq!(diagnosis.sweep[1].evidence.len(), 1);
}
