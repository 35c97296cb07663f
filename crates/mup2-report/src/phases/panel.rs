//! One plane of the figure: areas, lines, axes and the markers of the named scalings.

use super::findings::listed;
use super::labels::Rectangle;
use super::strata::{Place, Strata, strata};
use super::window::Window;
use super::{REGIMES, formula};
use crate::figure::svg::{Anchor, Canvas, HEADING, LABEL, escape, whole_ticks};
use mup2_scaling::number::trimmed;
use mup2_scaling::{LayerPlane, Perturbation, PhaseDiagram, Regime};

pub(super) const LEFT: f64 = 64.0;
pub(super) const TOP: f64 = 100.0;
pub(super) const GAP: f64 = 66.0;
pub(super) const PANEL_WIDTH: f64 = 316.0;
pub(super) const PANEL_HEIGHT: f64 = 300.0;
/// Room around the window, in exponents, so that points on its border are whole.
pub(super) const MARGIN: f64 = 0.125;
/// Areas are see-through, so that they and the ink on them suit light and dark ground.
pub(super) const OPACITY: f64 = 0.3;

/// Hues that colour-blind readers tell apart, after Okabe and Ito.
pub(super) fn colour(regime: Regime) -> &'static str {
    match regime {
        Regime::Unstable => "#d55e00",
        Regime::Effective => "#009e73",
        Regime::Propagated => "#0f86d6",
        Regime::Vanishing => "#8a939c",
    }
}

/// One layer's plane.
pub(super) struct Panel<'diagram> {
    pub diagram: &'diagram PhaseDiagram,
    pub plane: &'diagram LayerPlane,
    window: Window,
    /// The window with its margin: low and high d, highest y.
    shown: (f64, f64, f64),
    pub left: f64,
}

/// Where the named scalings lie; those at one place share a marker.
pub(super) struct Marker {
    pub place: Place,
    pub names: Vec<String>,
    pub is_mup2: bool,
}

impl<'diagram> Panel<'diagram> {
    pub fn new(diagram: &'diagram PhaseDiagram, plane: &'diagram LayerPlane, place: usize) -> Self {
        let window = Window::of(diagram);
        let (low, high) = window.d;
        Self {
            diagram,
            plane,
            window,
            shown: (low - MARGIN, high + MARGIN, window.distance + MARGIN),
            left: LEFT + place as f64 * (PANEL_WIDTH + GAP),
        }
    }

    pub fn at(&self, (d, distance): Place) -> (f64, f64) {
        let (low, high, top) = self.shown;
        (
            self.left + (d - low) / (high - low) * PANEL_WIDTH,
            TOP + (top - distance) / top * PANEL_HEIGHT,
        )
    }

    /// The place in the plane of a point of the figure.
    pub fn place_at(&self, (x, y): (f64, f64)) -> Place {
        let (low, high, top) = self.shown;
        (
            low + (x - self.left) / PANEL_WIDTH * (high - low),
            top - (y - TOP) / PANEL_HEIGHT * top,
        )
    }

    pub fn room(&self) -> Rectangle {
        Rectangle {
            left: self.left,
            top: TOP,
            width: PANEL_WIDTH,
            height: PANEL_HEIGHT,
        }
    }

    /// The shapes of the plane, up to the panel's border.
    pub fn strata(&self) -> Strata {
        let (low, high, top) = self.shown;
        let shown = Window {
            d: (low, high),
            distance: top,
        };
        strata(self.diagram, self.plane, shown)
    }

    pub fn draw(&self, canvas: &mut Canvas) {
        let strata = self.strata();
        self.draw_areas(canvas, &strata);
        self.draw_axes(canvas);
        self.draw_lines(canvas, &strata);
        let markers = self.markers();
        for marker in &markers {
            self.draw_marker(canvas, marker);
        }
        for label in self.labels(&strata, &markers) {
            label.draw(canvas);
        }
    }

    /// One path a regime, so that no seam shows between its areas.
    fn draw_areas(&self, canvas: &mut Canvas, strata: &Strata) {
        for regime in REGIMES {
            let areas = strata.areas.iter().filter(|area| area.regime == regime);
            let mut path = String::new();
            for area in areas {
                for (index, corner) in area.corners.iter().enumerate() {
                    let (x, y) = self.at(*corner);
                    let step = if index == 0 { 'M' } else { 'L' };
                    path.push_str(&format!("{step}{x:.2} {y:.2}"));
                }
                path.push('Z');
            }
            if !path.is_empty() {
                canvas.push(&format!(
                    r#"<path d="{path}" fill="{}" fill-opacity="{OPACITY}"/>"#,
                    colour(regime)
                ));
            }
        }
    }

    fn draw_lines(&self, canvas: &mut Canvas, strata: &Strata) {
        for line in &strata.lines {
            let (from, to) = (self.at(line.from), self.at(line.to));
            canvas.push(&format!(
                r#"<line x1="{:.2}" y1="{:.2}" x2="{:.2}" y2="{:.2}" stroke="{}" stroke-width="5"/>"#,
                from.0, from.1, to.0, to.1, colour(line.regime)
            ));
        }
        for point in &strata.points {
            let (x, y) = self.at(*point);
            canvas.push(&format!(
                r#"<circle cx="{x:.2}" cy="{y:.2}" r="8" fill="{}"/>"#,
                colour(Regime::Effective)
            ));
        }
    }

    fn draw_axes(&self, canvas: &mut Canvas) {
        let (middle, bottom) = (self.left + PANEL_WIDTH / 2.0, TOP + PANEL_HEIGHT);
        let title = format!("{}: {}", self.plane.role, formula(self.plane));
        canvas.text(self.left, TOP - 12.0, Anchor::Start, HEADING, &title);
        canvas.axis_line((self.left, bottom), (self.left + PANEL_WIDTH, bottom));
        canvas.axis_line((self.left, TOP), (self.left, bottom));
        // Every half, as long as that is readable.
        let halves = |low: f64, high: f64| {
            let ticks = whole_ticks(2.0 * low, 2.0 * high, 10);
            ticks.into_iter().map(|tick| tick / 2.0)
        };
        for tick in halves(self.window.d.0, self.window.d.1) {
            let (x, _) = self.at((tick, 0.0));
            canvas.axis_line((x, bottom), (x, bottom + 4.0));
            canvas.text(x, bottom + 17.0, Anchor::Middle, LABEL, &trimmed(tick));
        }
        for tick in halves(0.0, self.window.distance) {
            let (_, y) = self.at((0.0, tick));
            canvas.axis_line((self.left - 4.0, y), (self.left, y));
            canvas.text(self.left - 8.0, y + 4.0, Anchor::End, LABEL, &trimmed(tick));
        }
        canvas.text(middle, bottom + 35.0, Anchor::Middle, LABEL, "d");
        let (x, y) = (self.left - 38.0, TOP + PANEL_HEIGHT / 2.0);
        let turn = format!(r#"{LABEL} transform="rotate(-90 {x:.1} {y:.1})""#);
        canvas.text(x, y, Anchor::Middle, &turn, &self.vertical_title());
    }

    /// `y = d_output − 0.5`: how the distance follows from the normalised exponent.
    fn vertical_title(&self) -> String {
        let (role, size) = (self.plane.role, self.plane.norm_exponent);
        if size == 0.0 {
            format!("y = d_{role}")
        } else if size < 0.0 {
            format!("y = d_{role} + {}", trimmed(-size))
        } else {
            format!("y = d_{role} − {}", trimmed(size))
        }
    }

    pub fn markers(&self) -> Vec<Marker> {
        let mut markers: Vec<Marker> = Vec::new();
        for scheme in &self.diagram.schemes {
            let layers = scheme.layers.iter();
            for layer in layers.filter(|layer| layer.role == self.plane.role) {
                let place = (scheme.d, layer.distance);
                let name = scheme.perturbation.to_string();
                let is_mup2 = scheme.perturbation == Perturbation::Mup2;
                match markers.iter_mut().find(|marker| marker.place == place) {
                    Some(marker) => {
                        marker.names.push(name);
                        marker.is_mup2 |= is_mup2;
                    }
                    None => markers.push(Marker {
                        place,
                        names: vec![name],
                        is_mup2,
                    }),
                }
            }
        }
        markers
    }

    fn draw_marker(&self, canvas: &mut Canvas, marker: &Marker) {
        let (x, y) = self.at(marker.place);
        let regime = self
            .diagram
            .regime(self.plane.role, marker.place.0, marker.place.1);
        let title = format!(
            "{}\nd = {}, y = {}: {}",
            listed(&marker.names),
            trimmed(marker.place.0),
            trimmed(marker.place.1),
            regime.map_or(String::new(), |regime| regime.to_string())
        );
        let title = escape(&title);
        let style = r##"fill="#ffffff" stroke="#1d2329" stroke-width="1.5""##;
        // mup2 is a square on its tip, so that it is found without its name.
        canvas.push(&if marker.is_mup2 {
            format!(
                r#"<path d="M{x:.2} {:.2}l6.5 6.5l-6.5 6.5l-6.5 -6.5Z" {style}><title>{title}</title></path>"#,
                y - 6.5
            )
        } else {
            format!(r#"<circle cx="{x:.2}" cy="{y:.2}" r="4.5" {style}><title>{title}</title></circle>"#)
        });
    }
}
