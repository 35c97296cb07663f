//! Sharpness in the report: means over seeds, a figure where there are data, and nothing where not.

use super::{input, two_widths};
use crate::report::{Report, ReportInput, SharpnessObservation, build, write};

/// Every run of `two_widths`: the eigenvalue is 100 ρ, a tenth higher in the second seed.
pub(super) fn measured() -> ReportInput {
    let runs = [two_widths("mup2"), two_widths("sp-naive")].concat();
    let sharpness = runs.iter().map(|run| SharpnessObservation {
        scheme: run.scheme.clone(),
        width: run.width,
        lr: run.lr,
        rho: run.rho,
        seed: run.seed,
        top_eigenvalue: Some(100.0 * run.rho * (1.0 + 0.1 * run.seed as f64)),
        trace: None,
        sam_sharpness: (run.rho > 0.0).then_some(run.rho.powi(2)),
    });
    ReportInput {
        sharpness: sharpness.collect(),
        ..input(runs.clone())
    }
}

/// The page and the figure.
fn written(report: &Report) -> (String, Option<String>) {
    let directory = tempfile::tempdir().unwrap();
    write(report, directory.path()).unwrap();
    let page = std::fs::read_to_string(directory.path().join("report.html")).unwrap();
    let figure = std::fs::read_to_string(directory.path().join("figures/sharpness.svg"));
    (page, figure.ok())
}

fn count(svg: &str, element: &str) -> usize {
    let document = roxmltree::Document::parse(svg).unwrap();
    let elements = document.descendants();
    elements
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", element)))
        .count()
}

#[test]
fn cells_hold_means_and_standard_errors_over_seeds() {
    let mut input = measured();
    let mut broken = input.sharpness[0].clone();
    broken.seed = 7;
    broken.top_eigenvalue = Some(f64::NAN);
    let repeated = SharpnessObservation {
        top_eigenvalue: Some(1e6),
        ..input.sharpness[4].clone()
    };
    input.sharpness.extend([broken, repeated]);
    let report = build(&input);
    assert_eq!(report.sharpness.len(), report.cells.len());
    let cell = report
        .sharpness
        .iter()
        .find(|cell| cell.rho == 0.25)
        .unwrap();
    assert_eq!(
        (cell.scheme.as_str(), cell.width, cell.lr),
        ("mup2", 16, 0.0625)
    );
    // 25 and 27.5: their mean, and half their distance.
    assert_eq!(
        (cell.top_eigenvalue, cell.top_eigenvalue_stderr),
        (Some(26.25), Some(1.25))
    );
    assert_eq!(
        (cell.sam_sharpness, cell.sam_sharpness_stderr),
        (Some(0.0625), Some(0.0))
    );
    assert_eq!(cell.trace, None);
}

#[test]
fn a_report_without_measurements_says_nothing_of_them() {
    let report = build(&input(two_widths("mup2")));
    assert!(
        !serde_json::to_string(&report)
            .unwrap()
            .contains("sharpness")
    );
    let (page, figure) = written(&report);
    assert!(!page.contains("Sharpness after training"));
    assert_eq!(figure, None);
}

#[test]
fn measured_sharpness_is_drawn_along_rho_with_a_line_a_width() {
    let report = build(&measured());
    let (page, figure) = written(&report);
    let figure = figure.unwrap();
    // Two schemes, two measures, two widths.
    assert_eq!(count(&figure, "polyline"), 8);
    assert!(figure.contains("log₂ ρ of the training"));
    assert!(
        figure.contains("width 64, ρ = 2⁻³: 13.12 ± 0.625"),
        "{figure}"
    );
    assert!(page.contains("<h2>Sharpness after training</h2>"));
    assert!(page.contains("26.25 ± 1.25"));
    // The other figures keep their places.
    assert!(page.contains("Accuracy along the perturbation radius"));
}

#[test]
fn a_single_radius_is_drawn_along_the_width() {
    let mut input = measured();
    input.observations.retain(|run| run.rho == 0.25);
    input.sharpness.retain(|run| run.rho == 0.25);
    let (_, figure) = written(&build(&input));
    let figure = figure.unwrap();
    assert_eq!(count(&figure, "polyline"), 4);
    assert!(figure.contains("log₂ width"));
}

#[test]
fn negative_eigenvalues_are_drawn_on_a_linear_axis() {
    let mut input = measured();
    let ticks = |input: &ReportInput| written(&build(input)).1.unwrap();
    assert!(!ticks(&input).contains(">−20<"));
    for run in &mut input.sharpness {
        run.top_eigenvalue = run.top_eigenvalue.map(|value| value - 40.0);
    }
    assert!(ticks(&input).contains(">−20<"));
}
