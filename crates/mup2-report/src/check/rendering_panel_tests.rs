//! The panels: what is drawn of a report, and that whatever was measured can be drawn.

use proptest::prelude::*;
use roxmltree::{Document, Node};

use super::{
    SEEDS, STEPS, WIDTHS, failing, figures, finding, html, passing, point, report, terminal_table,
};
use mup2_scaling::check::{CheckReport, Point, Slope, SlopeVerdict, TensorFinding};

fn panels<'tree>(document: &'tree Document) -> Vec<Node<'tree, 'tree>> {
    let nodes = document.descendants();
    nodes
        .filter(|node| node.attribute("class") == Some("panel"))
        .collect()
}

fn elements<'tree>(panel: Node<'tree, 'tree>, name: &str) -> Vec<Node<'tree, 'tree>> {
    let nodes = panel.descendants();
    nodes.filter(|node| node.has_tag_name(name)).collect()
}

fn number(node: Node, attribute: &str) -> f64 {
    node.attribute(attribute).unwrap().parse().unwrap()
}

/// Height and width that the dashed line of the predicted slope spans, in pixels.
fn predicted(panel: Node) -> Option<(f64, f64)> {
    let line = panel
        .descendants()
        .find(|node| node.attribute("class") == Some("predicted"))?;
    let rise = number(line, "y1") - number(line, "y2");
    Some((rise, number(line, "x2") - number(line, "x1")))
}

#[test]
fn every_tensor_has_a_panel_for_perturbations_and_one_for_updates() {
    let page = html(&failing());
    let figures = figures(&page);
    assert_eq!(figures.len(), 2);
    for figure in figures {
        let document = Document::parse(figure).unwrap();
        assert_eq!(panels(&document).len(), 4);
    }
}

#[test]
fn a_panel_has_a_line_for_each_step_and_a_point_for_each_seed_of_the_last() {
    let page = html(&passing());
    let document = Document::parse(figures(&page)[0]).unwrap();
    let panel = panels(&document)[0];
    let lines = elements(panel, "polyline");
    let opacities: Vec<f64> = lines
        .iter()
        .map(|line| number(*line, "stroke-opacity"))
        .collect();
    assert_eq!(lines.len(), STEPS);
    assert!(opacities.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(opacities[STEPS - 1], 1.0);
    // One more circle stands beside the verdict.
    let points = elements(panel, "circle").len() - 1;
    assert_eq!(points, WIDTHS.len() * SEEDS.len());
}

#[test]
fn zeros_and_numbers_that_are_not_finite_are_left_out() {
    let mut report = passing();
    // Both seeds of the narrowest width, and one of each other width.
    for (place, value) in [(0, 0.0), (1, -1.0), (2, f64::NAN), (4, f64::INFINITY)] {
        let mut at_last = report.points.iter_mut().filter(|point| point.step == STEPS);
        at_last.nth(place).unwrap().effect = value;
    }
    let page = html(&report);
    let document = Document::parse(figures(&page)[0]).unwrap();
    let points = elements(panels(&document)[0], "circle").len() - 1;
    assert_eq!(points, WIDTHS.len() * SEEDS.len() - 4);
}

#[test]
fn the_dashed_line_has_the_predicted_slope_and_runs_through_what_was_measured() {
    let mut report = failing();
    let measured = report.tensors[0].effect_slope;
    report.tensors[1].effect_predicted = measured.map(|slope| slope / -3.0);
    let page = html(&report);
    let document = Document::parse(figures(&page)[0]).unwrap();
    let panels = panels(&document);
    let (fall, run) = predicted(panels[0]).unwrap();
    let (rise, second_run) = predicted(panels[1]).unwrap();
    assert_eq!(run, second_run);
    assert!(
        fall < -50.0 && (fall + 3.0 * rise).abs() < 0.5,
        "{fall} {rise}"
    );
    // The points of the first tensor lie on the predicted slope: both lines are the same.
    let line = panels[0]
        .descendants()
        .find(|node| node.attribute("class") == Some("predicted"));
    let line = line.unwrap();
    let last_step = elements(panels[0], "polyline")[STEPS - 1]
        .attribute("points")
        .unwrap();
    let ends = format!(
        "{},{}",
        line.attribute("x1").unwrap(),
        line.attribute("y1").unwrap()
    );
    assert!(last_step.starts_with(&ends), "{last_step} {ends}");
}

#[test]
fn what_is_propagated_is_drawn_where_there_is_any() {
    let propagated = |page: &str, figure: usize| {
        let document = Document::parse(figures(page)[figure]).unwrap();
        let titles = elements(panels(&document)[0], "title");
        titles
            .iter()
            .any(|title| title.text() == Some("propagated"))
    };
    let page = html(&passing());
    assert!(!propagated(&page, 0));
    assert!(propagated(&page, 1));
}

#[test]
fn many_tensors_stand_three_in_a_row() {
    let tensor = |place: usize| {
        let name = format!("blocks.{place}.{}", "long".repeat(50));
        finding(&name, "hidden", 0.0, SlopeVerdict::Effective)
    };
    let page = html(&report((0..60).map(tensor).collect()));
    let document = Document::parse(figures(&page)[0]).unwrap();
    let panels = panels(&document);
    let top = |panel: &Node| {
        let place = panel.attribute("transform").unwrap();
        place.split(' ').nth(1).unwrap().to_owned()
    };
    let mut tops: Vec<String> = panels.iter().map(top).collect();
    assert_eq!(tops.len(), 60);
    tops.dedup();
    assert_eq!(tops.len(), 20);
    for heading in elements(panels[0], "text") {
        assert!(heading.text().unwrap().chars().count() < 60);
    }
}

#[test]
fn one_width_is_points_without_a_predicted_line() {
    let mut report = passing();
    report.widths = vec![64];
    report.points.retain(|point| point.width == 64);
    let page = html(&report);
    let document = Document::parse(figures(&page)[0]).unwrap();
    let panel = panels(&document)[0];
    assert!(elements(panel, "polyline").is_empty());
    assert_eq!(elements(panel, "circle").len(), 1 + STEPS + SEEDS.len());
    assert_eq!(predicted(panel), None);
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-12.0..4.0_f64).prop_map(f64::exp2),
        2 => Just(0.0),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NAN),
        2 => any::<f64>(),
    ]
}

fn any_point() -> impl Strategy<Value = Point> {
    let tensor = prop_oneof![Just("a"), Just("b"), Just("unknown")];
    let width = prop_oneof![8 => 0..5000_usize, 1 => any::<usize>()];
    let values = (value(), value(), value(), value(), value());
    (tensor, width, 0..3_u64, 0..6_usize, values).prop_map(
        |(tensor, width, seed, step, (effect, propagated, update, carried, share))| Point {
            propagated,
            update_effect: update,
            update_propagated: carried,
            norm_share: share,
            ..point(tensor, width, seed, step, effect)
        },
    )
}

fn any_finding(name: &'static str) -> impl Strategy<Value = TensorFinding> {
    let maybe = || proptest::option::of(prop_oneof![-3.0..3.0_f64, value()]);
    let verdict = prop_oneof![
        Just(SlopeVerdict::Effective),
        Just(SlopeVerdict::Vanishing),
        Just(SlopeVerdict::Exploding),
        Just(SlopeVerdict::Unperturbed),
        Just(SlopeVerdict::Inconclusive),
    ];
    (maybe(), maybe(), maybe(), value(), value(), verdict).prop_map(
        move |(slope, stderr, predicted, first, second, verdict)| TensorFinding {
            effect_slope: slope,
            effect_stderr: stderr,
            effect_predicted: predicted,
            spectral_slope: predicted,
            spectral_stderr: slope,
            propagated: Some(Slope {
                slope: first,
                stderr: second,
            }),
            update_slope: stderr,
            update_stderr: predicted,
            update_predicted: first,
            activation: Some(Slope {
                slope: second,
                stderr: first,
            }),
            norm_share: Some(second),
            ..finding(name, "hidden", 0.0, verdict)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_measured_is_drawn_inside_its_panel_and_no_text_is_a_number_that_is_none(
        points in prop::collection::vec(any_point(), 0..40),
        tensors in (any_finding("a"), any_finding("b")),
        widths in prop::collection::vec(0..5000_usize, 0..6),
        steps in 0..5_usize,
        tolerance in value(),
    ) {
        let report = CheckReport {
            widths,
            steps,
            tolerance: if tolerance.is_finite() { tolerance } else { 0.1 },
            points,
            ..report(vec![tensors.0, tensors.1])
        };
        let page = html(&report);
        for text in [&page, &terminal_table(&report, false)] {
            let mut words = text.split(|one: char| !one.is_alphanumeric());
            prop_assert!(words.all(|word| word != "NaN" && word != "inf"));
        }
        for figure in figures(&page) {
            let document = Document::parse(figure);
            prop_assert!(document.is_ok());
            let document = document.unwrap();
            for panel in panels(&document) {
                for line in elements(panel, "polyline") {
                    for place in line.attribute("points").unwrap().split(' ') {
                        let (x, y) = place.split_once(',').unwrap();
                        let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                        prop_assert!((0.0..=500.0).contains(&x) && (0.0..=210.0).contains(&y));
                    }
                }
                for circle in elements(panel, "circle") {
                    // The mark beside the verdict stands above the panel.
                    let (x, y) = (number(circle, "cx"), number(circle, "cy"));
                    prop_assert!((0.0..=500.0).contains(&x));
                    prop_assert!(y == -32.0 || (0.0..=210.0).contains(&y));
                }
            }
        }
    }
}
