//! What a report of scattered points says, and what it leaves out.

use super::input;
use crate::report::{
    GridEdge, Halving, HalvingBracket, HalvingRung, Observation, Outcome, PrunedPoint, Report,
    ReportInput, Sampling, TableOptions, build, terminal_table, write,
};

/// log₂ of η and ρ of five points; the range is −6 to −2 in η and −6 to 1 in ρ.
const POINTS: [(f64, f64); 5] = [
    (-4.0, -3.0),
    (-3.5, -2.0),
    (-5.0, -1.0),
    (-2.1, 0.0),
    (-5.9, -5.9),
];

fn run(width: usize, log2_lr: f64, rho: f64, accuracy: Option<f64>) -> Observation {
    Observation {
        scheme: "mup2".to_owned(),
        width,
        lr: log2_lr.exp2(),
        rho,
        seed: 0,
        outcome: accuracy.map_or(Outcome::Diverged, |accuracy| Outcome::Completed {
            selection_accuracy: accuracy,
            test_accuracy: accuracy - 0.01,
        }),
    }
}

/// The points with accuracies of SAM and SGD at one width.
fn at_width(width: usize, sam: [Option<f64>; 5], sgd: [f64; 5]) -> Vec<Observation> {
    let mut runs = Vec::new();
    for (((lr, rho), sam), sgd) in POINTS.into_iter().zip(sam).zip(sgd) {
        runs.push(run(width, lr, 0.0, Some(sgd)));
        runs.push(run(width, lr, rho.exp2(), sam));
    }
    runs
}

fn scattered(observations: Vec<Observation>) -> ReportInput {
    ReportInput {
        sampling: Sampling::Scattered {
            method: "sobol".to_owned(),
            log2_lr: (-6.0, -2.0),
            log2_rho: (-6.0, 1.0),
        },
        ..input(observations)
    }
}

/// Two widths; the best point of width 16 is second to another one at width 64.
pub(super) fn two_widths() -> ReportInput {
    let narrow = [Some(0.80), Some(0.795), Some(0.70), None, Some(0.60)];
    let wide = [Some(0.82), Some(0.85), Some(0.83), Some(0.20), Some(0.70)];
    let mut runs = at_width(16, narrow, [0.60, 0.65, 0.55, 0.30, 0.50]);
    runs.extend(at_width(64, wide, [0.70, 0.71, 0.60, 0.72, 0.50]));
    scattered(runs)
}

fn close(value: Option<f64>, expected: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() < 1e-9)
}

#[test]
fn optima_transfer_and_baselines_of_scattered_points_are_as_computed_by_hand() {
    let report = build(&two_widths());
    let narrow = &report.optima[0];
    assert!(close(narrow.lr, 2_f64.powi(-4)));
    // (−4, −3) and (−3.5, −2) are within one point.
    assert_eq!(narrow.near_optimum, 2);
    assert!(close(narrow.centroid_log2_lr, -3.75));
    assert!(close(narrow.centroid_log2_rho, -2.5));
    let transfer = &report.transfer[0];
    assert!(close(transfer.log2_lr_drift, 0.5));
    assert!(close(transfer.log2_rho_drift, 1.0));
    assert!(close(transfer.centroid_lr_drift, 0.25));
    assert!(close(transfer.accuracy_transferred, 0.82));
    assert!(close(transfer.regret, 0.03));
    let sgd = &report.baselines[0];
    assert!(close(sgd.sgd_lr, (-3.5_f64).exp2()));
    assert!(close(sgd.gain, 0.15));
}

#[test]
fn numbers_that_need_slices_or_steps_are_absent() {
    let report = build(&two_widths());
    assert!(report.slices.is_empty());
    let transfer = &report.transfer[0];
    assert_eq!(transfer.edge_rho_drift, None);
    assert_eq!(transfer.edge_rho_grid_drift, None);
    assert_eq!(transfer.instability_rho_drift, None);
    assert_eq!(transfer.instability_rho_drift_bound, None);
    assert_eq!(report.confidence.lr_step, None);
    assert_eq!(report.confidence.rho_step, None);
    assert!(!report.headlines[0].contains("edge"));
    assert!(!terminal_table(&report, &TableOptions::default()).contains("edge"));
}

#[test]
fn the_density_is_the_side_of_the_square_that_each_point_has_to_itself() {
    let density = build(&two_widths()).confidence.density.unwrap();
    assert_eq!(density.points, 5);
    // 4 by 7 octaves over 5 points.
    assert!(close(Some(density.spacing), 5.6_f64.sqrt()));
    assert_eq!(build(&input(Vec::new())).confidence.density, None);
}

#[test]
fn an_optimum_within_5_per_cent_of_its_ranges_end_is_at_the_edge() {
    let best_at = |lr: f64, rho: f64| {
        // Points on all sides, so that only the distance to the range's ends counts.
        let corners = [(-6.0, -6.0_f64), (-6.0, 1.0), (-2.0, -6.0), (-2.0, 1.0)];
        let mut runs: Vec<Observation> = corners
            .map(|(lr, rho)| run(16, lr, rho.exp2(), Some(0.5)))
            .into();
        runs.push(run(16, lr, rho.exp2(), Some(0.8)));
        build(&scattered(runs)).optima.remove(0)
    };
    // 5 % are 0.2 octaves of η and 0.35 of ρ.
    assert!(!best_at(-2.21, 0.64).at_edge);
    assert_eq!(best_at(-2.19, 0.64).edges, [GridEdge::LrHigh]);
    assert_eq!(best_at(-5.81, 0.64).edges, [GridEdge::LrLow]);
    assert_eq!(best_at(-3.0, 0.66).edges, [GridEdge::RhoHigh]);
    assert_eq!(best_at(-3.0, -5.66).edges, [GridEdge::RhoLow]);
}

#[test]
fn an_optimum_without_a_result_beyond_it_is_at_the_edge() {
    let edges = |beyond: Outcome| {
        let mut runs = at_width(
            16,
            [Some(0.5), Some(0.6), Some(0.8), None, Some(0.4)],
            [0.5; 5],
        );
        for run in &mut runs {
            if run.rho == 1.0 {
                run.outcome = beyond.clone();
            }
        }
        build(&scattered(runs)).optima.remove(0).edges
    };
    assert_eq!(edges(Outcome::Diverged), []);
    assert_eq!(edges(Outcome::Missing), [GridEdge::RhoHigh]);
}

#[test]
fn sgds_learning_rate_near_the_ranges_end_is_at_the_edge() {
    let report = build(&two_widths());
    assert!(!report.baselines[0].sgd_at_edge);
    // 2^-2.1 lies within 0.2 octaves of the end.
    assert!(report.baselines[1].sgd_at_edge);
}

#[test]
fn the_json_says_that_points_are_scattered_and_nothing_of_a_grid() {
    let report = build(&two_widths());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["sampling"]["kind"], "scattered");
    assert_eq!(json["sampling"]["method"], "sobol");
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
    let grid = serde_json::to_value(build(&input(Vec::new()))).unwrap();
    assert!(grid.get("sampling").is_none());
    let read: Report = serde_json::from_value(grid).unwrap();
    assert_eq!(read.sampling, Sampling::Grid);
}

#[test]
fn the_figure_marks_near_points_the_optimum_and_the_point_carried_over() {
    let directory = tempfile::tempdir().unwrap();
    write(&build(&two_widths()), directory.path()).unwrap();
    let figures = directory.path().join("figures");
    let mut names: Vec<String> = std::fs::read_dir(&figures)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["scatter-mup2.svg", "scatter.svg"]);
    let text = std::fs::read_to_string(figures.join("scatter.svg")).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let titles: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("title"))
        .filter_map(|node| node.text())
        .collect();
    assert_eq!(titles.len(), 20);
    assert!(
        titles
            .iter()
            .any(|title| title.contains("width 16, η = 2⁻⁴, ρ = 2⁻³\nok: 80.00 %"))
    );
    // Each mark has a wide dark or white line below it; one of each is in the legend.
    let marks = |line: &str| text.matches(line).count();
    assert_eq!(marks("stroke-width=\"4.6\""), 2 + 1, "crosses");
    assert_eq!(
        marks("stroke=\"#101418\" stroke-width=\"3\""),
        1 + 1,
        "rings"
    );
    assert_eq!(marks("stroke-dasharray"), 1 + 1, "carried over");
}

#[test]
fn the_page_says_why_there_are_no_slices() {
    let directory = tempfile::tempdir().unwrap();
    write(&build(&two_widths()), directory.path()).unwrap();
    let page = std::fs::read_to_string(directory.path().join("report.html")).unwrap();
    for part in [
        "each point of a search has its own η",
        "Search (sobol): 5 points with ρ &gt; 0",
        "about 2.37 octaves apart",
        "points within<br>1 point",
        "No optimum lies at the edge of its range",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["heat map", "right edge,", "grid point", "bounds: the grid"] {
        assert!(!page.contains(part), "{part}");
    }
    // A row has as many cells as its table has headings.
    for table in page.split("<table>").skip(1) {
        let table = table.split("</table>").next().unwrap();
        let headings = table.matches("<th").count() - table.matches("<thead").count();
        for row in table
            .split("<tr")
            .skip(if headings > 0 { 2 } else { usize::MAX })
        {
            assert_eq!(row.matches("<td").count(), headings, "{row}");
        }
    }
}

#[test]
fn a_search_without_any_result_is_still_a_report() {
    let mut input = two_widths();
    for run in &mut input.observations {
        run.outcome = Outcome::Missing;
    }
    let report = build(&input);
    assert_eq!(report.transfer[0].regret, None);
    let directory = tempfile::tempdir().unwrap();
    write(&report, directory.path()).unwrap();
    let figure = directory.path().join("figures/scatter.svg");
    let text = std::fs::read_to_string(figure).unwrap();
    assert!(roxmltree::Document::parse(&text).is_ok());
}

/// Width 16 alone: two of the five points were trained in full, three given up.
pub(super) fn halved() -> ReportInput {
    let mut runs = at_width(16, [Some(0.80), Some(0.795), None, None, None], [0.5; 5]);
    runs.retain(|run| run.rho > 0.0 && [-4.0, -3.5].contains(&run.lr.log2()));
    let pruned = |(lr, rho): (f64, f64), epochs, accuracy| PrunedPoint {
        scheme: "mup2".to_owned(),
        width: 16,
        lr: lr.exp2(),
        rho: rho.exp2(),
        epochs,
        accuracy,
    };
    let rung = |epochs, points, promoted| HalvingRung {
        epochs,
        points,
        promoted,
    };
    ReportInput {
        halving: Some(Halving {
            brackets: vec![HalvingBracket {
                scheme: "mup2".to_owned(),
                width: 16,
                sgd: false,
                points: 5,
                rungs: vec![rung(1, 5, Some(2)), rung(9, 2, None)],
                pruned: 3,
                carried: false,
                epochs_trained: 5 + 2 * 8,
                epochs_full: 5 * 9,
            }],
            pruned: vec![
                pruned(POINTS[2], 1, Some(0.4)),
                pruned(POINTS[3], 1, None),
                pruned(POINTS[4], 1, Some(0.3)),
            ],
        }),
        ..scattered(runs)
    }
}

#[test]
fn points_that_were_given_up_were_looked_at_all_the_same() {
    let mut input = halved();
    let report = build(&input);
    // With nothing beyond the two that are left, either would lie at an edge.
    assert!(!report.optima[0].at_edge, "{:?}", report.optima[0].edges);
    assert_eq!(report.confidence.density.unwrap().points, 5);
    input.halving = None;
    assert!(build(&input).optima[0].at_edge);
}

#[test]
fn figure_table_page_and_json_say_what_was_pruned() {
    let report = build(&halved());
    let sentence = "Successive halving pruned 3 of 5 points and trained 21 epochs in place of the \
                    full search's 45 (53 % saved)";
    let table = terminal_table(&report, &TableOptions::default());
    for part in ["1: 5 → 2, 9: 2", "3 of 5", "53 %", sentence] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let directory = tempfile::tempdir().unwrap();
    write(&report, directory.path()).unwrap();
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    let page = read("report.html");
    for part in ["What was pruned", "1: 5 → 2, 9: 2", sentence] {
        assert!(page.contains(part), "{part}");
    }
    let json: serde_json::Value = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(json["halving"]["brackets"][0]["rungs"][0]["promoted"], 2);
    assert_eq!(json["halving"]["pruned"].as_array().unwrap().len(), 3);
    let figure = read("figures/scatter.svg");
    assert!(roxmltree::Document::parse(&figure).is_ok());
    // One hollow mark a pruned point and one in the legend.
    assert_eq!(figure.matches("fill-opacity=\"0\"").count(), 3 + 1);
    assert!(figure.contains("pruned after 1 epoch with 40.00 %"));
    assert!(figure.contains("pruned after 1 epoch since a run diverged or failed"));
}
