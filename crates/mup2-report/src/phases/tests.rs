//! The planes as a reader sees them: text, figure and page, and the geometry behind the figure.

use super::labels::Rectangle;
use super::names::{Label, Style};
use super::panel::{Marker, Panel};
use super::strata::{Place, Strata, strata};
use super::window::Window;
use super::{html, svg, text};
use mup2_scaling::{LayerPlane, Parameterization, PhaseDiagram, Regime, Role, Rule, phases};
use proptest::prelude::*;

const PARAMETERIZATIONS: [Parameterization; 4] = [
    Parameterization::Sp,
    Parameterization::SpStable,
    Parameterization::Ntp,
    Parameterization::Mup,
];
const RULES: [Rule; 4] = [Rule::Sam, Rule::Asam, Rule::AsamLayer, Rule::Random];

fn every_diagram() -> Vec<PhaseDiagram> {
    let mut diagrams = Vec::new();
    for parameterization in PARAMETERIZATIONS {
        for rule in RULES {
            diagrams.push(phases(parameterization, rule).unwrap());
        }
    }
    diagrams
}

fn mup_sam() -> PhaseDiagram {
    phases(Parameterization::Mup, Rule::Sam).unwrap()
}

fn shapes(diagram: &PhaseDiagram, plane: &LayerPlane) -> Strata {
    strata(diagram, plane, Window::of(diagram))
}

/// Whether a place lies strictly inside a convex polygon.
fn contains(corners: &[Place], (x, y): Place) -> bool {
    let next = corners.iter().cycle().skip(1);
    let turns: Vec<f64> = corners
        .iter()
        .zip(next)
        .map(|(one, next)| (next.0 - one.0) * (y - one.1) - (next.1 - one.1) * (x - one.0))
        .collect();
    // A corner is doubled, but for rounding, where an area is a triangle.
    let turns: Vec<f64> = turns
        .into_iter()
        .filter(|turn| turn.abs() > 1e-12)
        .collect();
    turns.iter().all(|turn| *turn > 0.0) || turns.iter().all(|turn| *turn < 0.0)
}

proptest! {
    #[test]
    fn the_areas_cover_a_plane_once_and_have_its_regime(
        which in 0..16usize, place in 0..3usize, height in 0.5..3.0f64,
        across in 0.0..1.0f64, up in 0.0..1.0f64,
    ) {
        let diagram = phases(PARAMETERIZATIONS[which / 4], RULES[which % 4]).unwrap();
        let plane = &diagram.layers[place];
        // Any height: the line p = 0 may leave the window above.
        let window = Window { d: (-1.5, 1.5), distance: height };
        let strata = strata(&diagram, plane, window);
        // Odd factors keep off the borders.
        let d = window.d.0 + across * 3.0 * 0.999_717;
        let distance = (0.000_131 + up * 0.999_717) * height;
        let here: Vec<Regime> = strata
            .areas
            .iter()
            .filter(|area| contains(&area.corners, (d, distance)))
            .map(|area| area.regime)
            .collect();
        let expected = diagram.regime(plane.role, d, distance).unwrap();
        prop_assert_eq!(here, [expected]);
    }
}

#[test]
fn every_place_whose_regime_is_not_that_of_its_area_is_drawn_as_a_line_or_a_point() {
    for diagram in every_diagram() {
        for plane in &diagram.layers {
            let strata = shapes(&diagram, plane);
            let is_on = |place: Place, regime: Regime| {
                let on_line = strata.lines.iter().any(|line| {
                    let (along, from) = (
                        (line.to.0 - line.from.0, line.to.1 - line.from.1),
                        (place.0 - line.from.0, place.1 - line.from.1),
                    );
                    let share = (from.0 * along.0 + from.1 * along.1)
                        / (along.0 * along.0 + along.1 * along.1);
                    let off = along.0 * from.1 - along.1 * from.0;
                    line.regime == regime && off.abs() < 1e-9 && (0.0..=1.0).contains(&share)
                });
                on_line || (regime == Regime::Effective && strata.points.contains(&place))
            };
            for across in -8..=8 {
                for up in 0..=16 {
                    let place = (f64::from(across) / 8.0, f64::from(up) / 8.0);
                    let regime = diagram.regime(plane.role, place.0, place.1).unwrap();
                    let near = [(-0.01, 0.003), (0.01, 0.003), (-0.003, 0.01), (0.003, 0.01)]
                        .map(|(x, y)| diagram.regime(plane.role, place.0 + x, place.1 + y));
                    if !near.contains(&Some(regime)) {
                        assert!(is_on(place, regime), "{} {place:?} {strata:?}", plane.role);
                    }
                }
            }
        }
    }
}

#[test]
fn in_mup_the_effective_set_of_sam_is_a_point_for_the_input_and_a_line_for_the_others() {
    let diagram = mup_sam();
    let effective = |role| {
        let strata = shapes(&diagram, diagram.plane(role).unwrap());
        let lines = strata.lines.into_iter();
        let lines: Vec<(Place, Place)> = lines
            .filter(|line| line.regime == Regime::Effective)
            .map(|line| (line.from, line.to))
            .collect();
        (lines, strata.points)
    };
    assert_eq!(effective(Role::Input), (vec![], vec![(-0.5, 0.0)]));
    assert_eq!(
        effective(Role::Hidden),
        (vec![((-0.5, 0.5), (0.0, 0.0))], vec![])
    );
    let (lines, points) = effective(Role::Output);
    // In two pieces, since the hidden layer's own d = 0 divides the plane.
    assert_eq!(lines, [((-0.5, 1.0), (0.0, 0.5)), ((0.0, 0.5), (0.5, 0.0))]);
    assert!(points.is_empty());
}

/// The panels of a diagram with their markers and labels.
fn panels(diagram: &PhaseDiagram) -> Vec<(Vec<Marker>, Vec<Label>, Panel<'_>)> {
    let layers = diagram.layers.iter().enumerate();
    layers
        .map(|(place, plane)| {
            let panel = Panel::new(diagram, plane, place);
            let markers = panel.markers();
            let labels = panel.labels(&panel.strata(), &markers);
            (markers, labels, panel)
        })
        .collect()
}

#[test]
fn every_scaling_is_named_once_in_every_panel_and_no_label_lies_on_another() {
    for diagram in every_diagram() {
        for (markers, labels, panel) in panels(&diagram) {
            let mut named: Vec<&String> = labels
                .iter()
                .filter(|label| label.style == Style::Scaling)
                .flat_map(|label| &label.lines)
                .collect();
            named.sort();
            assert_eq!(
                named,
                ["balanced", "first-layer", "global", "mup2", "naive"]
            );
            for (index, label) in labels.iter().enumerate() {
                let later = &labels[index + 1..];
                assert!(!later.iter().any(|other| other.place.overlaps(&label.place)));
                assert!(label.place.left >= panel.room().left);
                assert!(label.place.right() <= panel.room().right());
                let on_marker = |marker: &Marker| {
                    let marker = Rectangle::around(panel.at(marker.place), 12.0, 12.0);
                    marker.overlaps(&label.place)
                };
                assert!(!markers.iter().any(on_marker), "{:?}", label.lines);
            }
        }
    }
}

#[test]
fn every_regime_that_fills_an_area_is_named_in_it() {
    for diagram in every_diagram() {
        for (place, (_, labels, _)) in panels(&diagram).into_iter().enumerate() {
            for area in shapes(&diagram, &diagram.layers[place]).areas {
                let name = area.regime.to_string();
                let is_named = labels.iter().any(|label| {
                    label.style == Style::Regime { key: None } && label.lines == [name.as_str()]
                });
                assert!(is_named, "{name} in {}", diagram.layers[place].role);
            }
        }
    }
}

#[test]
fn the_figure_is_well_formed_and_tells_each_scalings_regime() {
    let figure = svg(&mup_sam());
    let document = roxmltree::Document::parse(&figure).unwrap();
    let titles: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("title"))
        .filter_map(|node| node.text())
        .collect();
    assert_eq!(titles.len(), 13);
    for title in [
        "first-layer and mup2\nd = −0.5, y = 0: effective",
        "naive\nd = 0, y = 0: unstable",
        "first-layer\nd = −0.5, y = 1.5: propagated",
        "global and balanced\nd = 0.5, y = 0: effective",
    ] {
        assert!(titles.contains(&title), "{title} {titles:?}");
    }
    for diagram in every_diagram() {
        let figure = svg(&diagram);
        assert!(roxmltree::Document::parse(&figure).is_ok());
        assert!(!figure.contains("NaN") && !figure.contains("inf"));
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_holds_figure_table_and_explanation() {
    let page = html(&phases(Parameterization::Sp, Rule::AsamLayer).unwrap());
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http") && !outside.contains("src=") && !outside.contains("<script"));
    for part in [
        "<svg",
        "The named scalings",
        "How to read this",
        "decoupled denominator",
        "SGD&#39;s updates themselves grow with the width: hidden (+1) and output (+1)",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("d_l"));
}

#[test]
fn the_text_keeps_to_80_columns() {
    for diagram in every_diagram() {
        for line in text(&diagram, false).lines() {
            assert!(line.chars().count() <= 80, "{line}");
            assert_eq!(line.trim_end(), line);
        }
    }
}

#[test]
fn colour_changes_nothing_but_escape_sequences() {
    for diagram in every_diagram() {
        let coloured = text(&diagram, true);
        let mut plain = String::new();
        for (index, part) in coloured.split('\u{1b}').enumerate() {
            let after = part.split_once('m').map_or(part, |(_, after)| after);
            plain.push_str(if index == 0 { part } else { after });
        }
        let trimmed = |text: &str| -> Vec<String> {
            text.lines()
                .map(|line| line.trim_end().to_owned())
                .collect()
        };
        assert_eq!(trimmed(&plain), trimmed(&text(&diagram, false)));
        assert!(coloured.contains("\u{1b}[1;32m"));
    }
}

#[test]
fn the_text_of_mup_under_sam_is_as_recorded() {
    insta::assert_snapshot!(text(&mup_sam(), false), @r"
    Regimes of the perturbation: mup, rule sam

       scaling         d  layer     d_l     y      p  regime
    n  naive           0  input     0.5     1   −1.5  vanishing
                          hidden    0.5   0.5   −0.5  vanishing
                          output    0.5     0   +0.5  unstable
    g  global        0.5  input     0.5     1     −2  vanishing
                          hidden    0.5   0.5     −1  vanishing
                          output    0.5     0      0  effective
    b  balanced      0.5  input    −0.5     0     −1  vanishing
                          hidden      0     0   −0.5  vanishing
                          output    0.5     0      0  effective
    f  first-layer  −0.5  input    −0.5     0      0  effective
                          hidden    1.5   1.5     −1  propagated
                          output    2.5     2     −1  propagated
    m  mup2         −0.5  input    −0.5     0      0  effective
                          hidden    0.5   0.5      0  effective
                          output    1.5     1      0  effective

    input                    hidden                   output
    p = −0.5 − d − y         p = −d − y               p = 0.5 − d − y
       2 × × × × · · · · ·      2 × × ~ · · · · · ·      2 × × f ~ ~ · · · ·
         × × × × · · · · ·        × × ~ · · · · · ·        × × ~ ~ ~ · · · ·
     1.5 × × × × · · · · ·    1.5 × × f · · · · · ·    1.5 × × ~ ~ ~ · · · ·
         × × × × · · · · ·        × × ~ · · · · · ·        × × ~ ~ ~ · · · ·
       1 × × × × n · g · ·      1 × × ~ · · · · · ·      1 × × m ~ ~ · · · ·
         × × × × · · · · ·        × × ~ · · · · · ·        × × × ● ~ · · · ·
     0.5 × × × × · · · · ·    0.5 × × m · n · g · ·    0.5 × × × × ● · · · ·
         × × × × · · · · ·        × × × ● · · · · ·        × × × × × ● · · ·
       0 × ×fm · · · b · ·      0 × × × × ● · b · ·      0 × × × × n ×gb · ·
        −1       0       1       −1       0       1       −1       0       1

    Across: d; up: y, in steps of 0.25. y ≥ 0 is how far d_l lies above the value at
    which the layer dominates the norm; some layer has y = 0. Letters: the scalings
    of the table. The other layers are perturbed as strongly as stability allows.
      × unstable   a perturbation grows with the width, whatever the other layers do
      ● effective  p = 0: the layer's own perturbation acts alike at every width
      ~ propagated p < 0, but the effect of an earlier layer's perturbation arrives
      · vanishing  p < 0, and no earlier layer's perturbation can have an effect

    - Every layer is effectively perturbed at one choice only, up to a constant
      added to all d_l: d = −0.5 with d_l = −0.5 (input), 0.5 (hidden) and 1.5
      (output). That is mup2.
    - naive: unstable in output (p = +0.5); vanishing in input and hidden.
    - global: effective in output only; vanishing in input and hidden.
    - balanced: effective in output only; vanishing in input and hidden.
    - first-layer: effective in input only; propagated in hidden and output.
    - mup2: effective in every layer.
    ");
}
