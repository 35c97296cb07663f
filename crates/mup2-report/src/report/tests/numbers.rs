//! Cells, optima, edges, transfer and baselines against hand-computed values.

use super::{ended, input, run, two_widths};
use crate::report::{
    Bound, Cell, GridEdge, Observation, Outcome, Report, Status, TableOptions, build,
    terminal_table,
};

fn cell(report: &Report, width: usize, lr: i32, rho: i32) -> &Cell {
    let found = report.cells.iter().find(|cell| {
        cell.width == width && cell.lr == 2_f64.powi(lr) && cell.rho == 2_f64.powi(rho)
    });
    found.unwrap()
}

fn close(value: Option<f64>, expected: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() < 1e-9)
}

/// One seed, one width: accuracies along ρ = 2⁻³, 2⁻², … at η = 2⁻⁴.
fn slice(width: usize, accuracies: &[f64]) -> Vec<Observation> {
    let rhos = -3..;
    accuracies
        .iter()
        .zip(rhos)
        .map(|(accuracy, rho)| run("mup2", width, -4, Some(rho), 0, *accuracy))
        .collect()
}

#[test]
fn a_cell_is_the_mean_over_seeds_with_its_standard_error() {
    let report = build(&input(two_widths("mup2")));
    let cell = cell(&report, 16, -4, -2);
    assert_eq!((cell.seeds, cell.status), (2, Status::Ok));
    assert!(close(cell.accuracy, 0.80));
    // sd = 0.01/√2, over √2 seeds.
    assert!(close(cell.stderr, 0.005));
    assert!(close(cell.test_accuracy, 0.79));
    assert!(close(cell.test_stderr, 0.005));
    assert_eq!(report.cells.len(), 20);
}

#[test]
fn every_way_a_run_can_end_has_its_status() {
    let at = |rho| run("mup2", 16, -4, Some(rho), 0, 0.8);
    let second = |rho| run("mup2", 16, -4, Some(rho), 1, 0.8);
    let failed = || Outcome::Failed("out of memory".to_owned());
    let report = build(&input(vec![
        at(-6),
        second(-6),
        run("mup2", 16, -4, Some(-5), 0, 0.29),
        ended(at(-4), Outcome::Diverged),
        second(-4),
        ended(at(-3), Outcome::Diverged),
        ended(second(-3), Outcome::Diverged),
        ended(at(-2), failed()),
        ended(second(-2), Outcome::Missing),
        ended(at(-1), Outcome::Missing),
        at(0),
        ended(second(0), failed()),
    ]));
    let status: Vec<Status> = report.cells.iter().map(|cell| cell.status).collect();
    assert_eq!(
        status,
        [
            Status::Ok,
            Status::Unstable,
            Status::Unstable,
            Status::Diverged,
            Status::Failed,
            Status::Missing,
            Status::Ok
        ]
    );
    let accuracy: Vec<Option<f64>> = report.cells.iter().map(|cell| cell.accuracy).collect();
    // The half-diverged cell counts its diverged run as 0; the failed run does not count.
    let expected = [
        Some(0.8),
        Some(0.29),
        Some(0.4),
        None,
        None,
        None,
        Some(0.8),
    ];
    assert_eq!(accuracy, expected);
    let confidence = &report.confidence;
    assert_eq!((confidence.completed, confidence.diverged), (5, 3));
    assert_eq!((confidence.failed, confidence.missing), (2, 2));
    assert_eq!(confidence.failures[0].runs, 2);
}

#[test]
fn the_optimum_its_centroid_and_its_regret_are_as_computed_by_hand() {
    let report = build(&input(two_widths("mup2")));
    let (narrow, wide) = (&report.optima[0], &report.optima[1]);
    assert_eq!((narrow.lr, narrow.rho), (Some(0.0625), Some(0.25)));
    assert_eq!((wide.lr, wide.rho), (Some(0.0625), Some(0.125)));
    assert_eq!(narrow.near_optimum, 1);
    // At width 64 the cells (−4, −3) with 0.84 and (−3, −3) with 0.83 are within one point.
    assert_eq!(wide.near_optimum, 2);
    assert!(close(wide.centroid_log2_lr, -3.5));
    assert!(close(wide.centroid_log2_rho, -3.0));

    let transfer = &report.transfer[0];
    assert_eq!((transfer.from, transfer.to), (16, 64));
    assert!(close(transfer.log2_lr_drift, 0.0));
    assert!(close(transfer.log2_rho_drift, -1.0));
    assert!(close(transfer.centroid_lr_drift, 0.5));
    assert!(close(transfer.centroid_rho_drift, -1.0));
    assert!(close(transfer.accuracy_transferred, 0.80));
    assert!(close(transfer.accuracy_best, 0.84));
    assert!(close(transfer.regret, 0.04));
    // Both seeds differ by exactly 0.04.
    assert!(close(transfer.regret_stderr, 0.0));
    assert!(close(transfer.test_regret, 0.04));
}

#[test]
fn the_right_and_the_instability_edge_are_interpolated_at_the_transferred_learning_rate() {
    let report = build(&input(two_widths("mup2")));
    let (narrow, wide) = (&report.slices[0], &report.slices[1]);
    // Width 16: 0.80 at −2, 0.76 at −1; 0.78 is crossed half-way.
    assert!(close(narrow.right_edge_grid_log2_rho, -2.0));
    assert!(close(narrow.right_edge_log2_rho, -1.5));
    // Width 64: 0.84 at −3, 0.80 at −2; 0.82 is crossed half-way.
    assert!(close(wide.right_edge_log2_rho, -2.5));
    assert!(!narrow.right_edge_beyond_grid && !wide.right_edge_beyond_grid);
    // 0.3 lies 46/56 of the way from 0.76 to 0.20, and 1/3 of the way from 0.40 to 0.10.
    assert!(close(narrow.instability_log2_rho, -1.0 + 46.0 / 56.0));
    assert!(close(wide.instability_log2_rho, -1.0 + 1.0 / 3.0));
    let transfer = &report.transfer[0];
    assert!(close(transfer.edge_rho_drift, -1.0));
    assert_eq!(transfer.edge_rho_drift_bound, Some(Bound::Exact));
    assert!(close(transfer.edge_rho_grid_drift, -1.0));
    assert!(close(
        transfer.instability_rho_drift,
        1.0 / 3.0 - 46.0 / 56.0
    ));
}

#[test]
fn an_edge_beyond_the_grid_makes_the_drift_a_lower_bound() {
    let mut runs = slice(16, &[0.80, 0.70, 0.10]);
    runs.extend(slice(64, &[0.80, 0.82, 0.81]));
    let report = build(&input(runs));
    assert!(report.slices[1].right_edge_beyond_grid);
    assert_eq!(report.slices[1].instability_log2_rho, None);
    let transfer = &report.transfer[0];
    // From −3 + 0.02/0.10 to the grid's end at −1.
    assert!(close(transfer.edge_rho_drift, 1.8));
    assert_eq!(transfer.edge_rho_drift_bound, Some(Bound::AtLeast));
    assert_eq!(transfer.instability_rho_drift_bound, Some(Bound::AtLeast));
    assert!(terminal_table(&report, &TableOptions::default()).contains("≥ +1.80"));
}

#[test]
fn ties_go_to_the_smaller_radius_and_then_to_the_smaller_learning_rate() {
    let report = build(&input(vec![
        run("mup2", 16, -4, Some(-2), 0, 0.8),
        run("mup2", 16, -3, Some(-3), 0, 0.8),
        run("mup2", 16, -5, Some(-3), 0, 0.8),
        run("mup2", 16, -6, Some(-1), 0, 0.8),
    ]));
    let optimum = &report.optima[0];
    assert_eq!((optimum.lr, optimum.rho), (Some(0.03125), Some(0.125)));
}

#[test]
fn an_optimum_on_the_edge_says_which_edge() {
    let best_at = |lr: i32, rho: i32| {
        let mut runs = Vec::new();
        for other_lr in -4..=-2 {
            for other_rho in -3..=-1 {
                let distance = (lr - other_lr).abs() + (rho - other_rho).abs();
                let accuracy = 0.8 - 0.05 * f64::from(distance);
                runs.push(run("mup2", 16, other_lr, Some(other_rho), 0, accuracy));
            }
        }
        build(&input(runs)).optima.remove(0)
    };
    let inside = best_at(-3, -2);
    assert!(!inside.at_edge && inside.edges.is_empty());
    assert_eq!(best_at(-4, -2).edges, [GridEdge::LrLow]);
    let corner = best_at(-2, -1);
    assert!(corner.at_edge);
    assert_eq!(corner.edges, [GridEdge::LrHigh, GridEdge::RhoHigh]);
    assert_eq!(best_at(-3, -3).edges, [GridEdge::RhoLow]);
}

#[test]
fn a_diverged_neighbour_is_a_result_and_a_missing_one_is_not() {
    let neighbour = |outcome| {
        let mut runs = slice(16, &[0.70, 0.80]);
        runs.push(ended(run("mup2", 16, -4, Some(-1), 0, 0.0), outcome));
        build(&input(runs)).optima.remove(0).edges
    };
    assert!(!neighbour(Outcome::Diverged).contains(&GridEdge::RhoHigh));
    assert!(neighbour(Outcome::Missing).contains(&GridEdge::RhoHigh));
}

#[test]
fn the_base_line_is_sgd_at_its_own_best_learning_rate() {
    let report = build(&input(two_widths("mup2")));
    let baseline = &report.baselines[0];
    assert_eq!(baseline.sgd_lr, Some(0.125));
    assert!(close(baseline.sgd_accuracy, 0.71));
    assert!(close(baseline.sam_accuracy, 0.80));
    assert!(close(baseline.gain, 0.09));
    assert!(close(baseline.gain_stderr, 0.0));
    assert!(close(baseline.sam_test_accuracy, 0.79));
    assert!(close(baseline.test_gain, 0.09));
}

#[test]
fn the_gain_is_paired_over_seeds() {
    let report = build(&input(vec![
        run("mup2", 16, -4, None, 0, 0.70),
        run("mup2", 16, -4, None, 1, 0.80),
        run("mup2", 16, -4, Some(-2), 0, 0.72),
        run("mup2", 16, -4, Some(-2), 1, 0.84),
    ]));
    // Differences 0.02 and 0.04: mean 0.03, sd 0.01·√2, over √2.
    assert!(close(report.baselines[0].gain, 0.03));
    assert!(close(report.baselines[0].gain_stderr, 0.01));
}

#[test]
fn a_scheme_that_diverged_everywhere_has_rows_without_numbers() {
    let mut runs = two_widths("sp-naive");
    for observation in &mut runs {
        observation.outcome = Outcome::Diverged;
    }
    let report = build(&input(runs));
    assert!(report.cells.iter().all(|cell| cell.accuracy.is_none()));
    assert_eq!(report.optima[0].lr, None);
    assert!(!report.optima[0].at_edge);
    assert_eq!(report.transfer[0].regret, None);
    assert_eq!(report.baselines[0].sgd_accuracy, None);
    assert!(report.headlines[0].contains("nothing can be transferred"));
}

#[test]
fn a_transferred_cell_that_diverged_costs_the_whole_accuracy() {
    let mut runs = slice(16, &[0.70, 0.80, 0.70]);
    runs.extend(slice(64, &[0.85, 0.80, 0.70]));
    runs[4].outcome = Outcome::Diverged;
    let report = build(&input(runs));
    let transfer = &report.transfer[0];
    assert_eq!(transfer.status_transferred, Some(Status::Diverged));
    assert!(close(transfer.accuracy_transferred, 0.0));
    assert!(close(transfer.regret, 0.85));
    assert!(report.headlines[0].contains("diverges at width 64"));
}

#[test]
fn one_seed_has_no_standard_error_anywhere() {
    let mut runs = two_widths("mup2");
    runs.retain(|run| run.seed == 0);
    let report = build(&input(runs));
    assert!(report.cells.iter().all(|cell| cell.stderr.is_none()));
    assert_eq!(report.transfer[0].regret_stderr, None);
    assert_eq!(report.baselines[0].gain_stderr, None);
    assert_eq!(report.confidence.median_stderr, None);
}

#[test]
fn without_cells_at_rho_zero_there_is_no_baseline() {
    let mut runs = two_widths("mup2");
    runs.retain(|run| run.rho > 0.0);
    let baseline = &build(&input(runs)).baselines[0];
    assert_eq!((baseline.sgd_accuracy, baseline.gain), (None, None));
    assert!(close(baseline.sam_accuracy, 0.80));
}

#[test]
fn one_width_alone_has_an_optimum_and_no_transfer() {
    let report = build(&input(slice(16, &[0.70, 0.80, 0.70])));
    assert!(report.transfer.is_empty());
    assert_eq!(report.optima.len(), 1);
    // A single η is both ends of its grid.
    let edges = [GridEdge::LrLow, GridEdge::LrHigh];
    assert_eq!(report.optima[0].edges, edges);
    assert_eq!(report.confidence.lr_step, None);
    assert!(report.headlines[0].contains("the only width"));
}

#[test]
fn unusable_observations_are_left_out_and_named() {
    let mut runs = slice(16, &[0.70, 0.80, 0.70]);
    let mut broken = runs[0].clone();
    broken.lr = f64::NAN;
    runs.push(broken);
    runs.push(runs[1].clone());
    runs[2].outcome = Outcome::Completed {
        selection_accuracy: f64::NAN,
        test_accuracy: 0.5,
    };
    let mut input = input(runs);
    input.schemes = vec!["mup2".to_owned(), "absent".to_owned()];
    let report = build(&input);
    assert_eq!(report.schemes, ["mup2"]);
    assert_eq!(report.warnings.len(), 3);
    assert_eq!(report.cells[2].status, Status::Failed);
}

#[test]
fn schemes_come_in_the_order_asked_for_and_unlisted_ones_after_them() {
    let mut runs = two_widths("first-seen");
    runs.extend(two_widths("mup2"));
    let mut input = input(runs);
    input.schemes = vec!["mup2".to_owned()];
    assert_eq!(build(&input).schemes, ["mup2", "first-seen"]);
}
