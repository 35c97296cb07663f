//! The planes as one SVG figure: a panel a layer side by side, and the legend.

use super::panel::{GAP, LEFT, OPACITY, PANEL_HEIGHT, PANEL_WIDTH, Panel, TOP, colour};
use super::{REGIMES, meaning, subject};
use crate::figure::svg::{Anchor, Canvas, HEADING, LABEL, TITLE};
use mup2_scaling::{PhaseDiagram, Regime};

const RIGHT: f64 = 20.0;

/// Draws the planes of all layers side by side. The figure stands alone.
pub fn svg(diagram: &PhaseDiagram) -> String {
    let panels = diagram.layers.len() as f64;
    let width = LEFT + panels * (PANEL_WIDTH + GAP) - GAP + RIGHT;
    let mut canvas = Canvas::default();
    let title = format!("Regimes of the perturbation: {}", subject(diagram));
    canvas.text(LEFT, 28.0, Anchor::Start, TITLE, &title);
    let subtitle = "Width exponents: d for all layers, y for the one shown. The other layers are \
                    perturbed as strongly as stability allows.";
    canvas.text(LEFT, 47.0, Anchor::Start, LABEL, subtitle);
    for (place, plane) in diagram.layers.iter().enumerate() {
        Panel::new(diagram, plane, place).draw(&mut canvas);
    }
    let height = legend(&mut canvas, TOP + PANEL_HEIGHT + 64.0);
    canvas.finish(
        width,
        height,
        "Regimes of the perturbation in each layer's plane",
    )
}

/// Explains the colours and markers below the panels; returns the figure's height.
fn legend(canvas: &mut Canvas, top: f64) -> f64 {
    let mut y = top;
    for regime in REGIMES {
        let fill = colour(regime);
        if regime == Regime::Effective {
            canvas.push(&format!(
                r#"<line x1="{:.1}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke="{fill}" stroke-width="5"/>"#,
                LEFT,
                LEFT + 26.0
            ));
        } else {
            canvas.push(&format!(
                r#"<rect x="{LEFT:.1}" y="{:.1}" width="26" height="13" fill="{fill}" fill-opacity="{OPACITY}"/>"#,
                y - 6.5
            ));
        }
        canvas.text(
            LEFT + 36.0,
            y + 4.0,
            Anchor::Start,
            HEADING,
            &regime.to_string(),
        );
        canvas.text(LEFT + 130.0, y + 4.0, Anchor::Start, LABEL, meaning(regime));
        y += 21.0;
    }
    y
}
