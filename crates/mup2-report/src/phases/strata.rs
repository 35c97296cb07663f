//! The shapes of a plane: areas of one regime, and the lines and points whose regime is their own.

use super::window::Window;
use mup2_scaling::{LayerPlane, PhaseDiagram, Regime};

/// A place in a plane: (d, y).
pub(super) type Place = (f64, f64);

/// A polygon of one regime, its corners in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Area {
    pub regime: Regime,
    pub corners: Vec<Place>,
}

/// A segment whose regime differs from that of both its sides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub regime: Regime,
    pub from: Place,
    pub to: Place,
}

/// All shapes of one plane within a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Strata {
    pub areas: Vec<Area>,
    pub lines: Vec<Line>,
    /// Effective places that lie on no effective line.
    pub points: Vec<Place>,
}

/// Cuts a plane where its regime can change: at d = q of any layer, at y = 0, and on the
/// line p = 0.
pub(super) fn strata(diagram: &PhaseDiagram, plane: &LayerPlane, window: Window) -> Strata {
    let cutter = Cutter {
        diagram,
        plane,
        window,
    };
    let cuts = cutter.cuts();
    let mut strata = Strata {
        areas: Vec::new(),
        lines: Vec::new(),
        points: Vec::new(),
    };
    for strip in cuts.windows(2) {
        cutter.strip(strip[0], strip[1], &mut strata);
    }
    for around in cuts.windows(3) {
        cutter.vertical(around, &mut strata.lines);
    }
    strata.points = cutter.points(&cuts, &strata.lines);
    strata
}

struct Cutter<'diagram> {
    diagram: &'diagram PhaseDiagram,
    plane: &'diagram LayerPlane,
    window: Window,
}

impl Cutter<'_> {
    fn regime(&self, (d, distance): Place) -> Option<Regime> {
        self.diagram.regime(self.plane.role, d, distance)
    }

    /// The distance at which p = 0.
    fn diagonal(&self, d: f64) -> f64 {
        self.plane.dominant_effect - d
    }

    /// Whether the line p = 0 passes strictly inside the window at this d.
    fn crosses(&self, d: f64) -> bool {
        self.diagonal(d) > 0.0 && self.diagonal(d) < self.window.distance
    }

    /// The values of d between which nothing but the line p = 0 divides the plane, ascending.
    fn cuts(&self) -> Vec<f64> {
        let (low, high) = self.window.d;
        let leaves_above = self.plane.dominant_effect - self.window.distance;
        let effects = self
            .diagram
            .layers
            .iter()
            .map(|layer| layer.dominant_effect);
        let mut cuts: Vec<f64> = effects
            .chain([low, high, leaves_above])
            .filter(|d| (low..=high).contains(d))
            .collect();
        cuts.sort_by(f64::total_cmp);
        cuts.dedup();
        cuts
    }

    /// Heights at which a vertical through d is cut: 0, the line p = 0 and the window's end.
    fn heights(&self, d: f64) -> Vec<f64> {
        let mut heights = vec![0.0];
        if self.crosses(d) {
            heights.push(self.diagonal(d));
        }
        heights.push(self.window.distance);
        heights
    }

    /// The areas between two cuts, and the segments that bound them below and divide them.
    fn strip(&self, left: f64, right: f64, strata: &mut Strata) {
        let middle = (left + right) / 2.0;
        let top = self.window.distance;
        let is_divided = self.crosses(middle);
        let heights = self.heights(middle);
        let mut regimes = Vec::new();
        for (place, pair) in heights.windows(2).enumerate() {
            let Some(regime) = self.regime((middle, (pair[0] + pair[1]) / 2.0)) else {
                continue;
            };
            let edge = |index: usize, d: f64| match index {
                0 => 0.0,
                1 if is_divided => self.diagonal(d),
                _ => top,
            };
            let corners = vec![
                (left, edge(place, left)),
                (right, edge(place, right)),
                (right, edge(place + 1, right)),
                (left, edge(place + 1, left)),
            ];
            regimes.push(regime);
            strata.areas.push(Area { regime, corners });
        }
        let mut line = |from: Place, to: Place, sides: &[Regime]| {
            let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
            if let Some(regime) = self.regime(middle)
                && !sides.contains(&regime)
            {
                strata.lines.push(Line { regime, from, to });
            }
        };
        line((left, 0.0), (right, 0.0), &regimes[..regimes.len().min(1)]);
        if is_divided {
            let ends = (left, self.diagonal(left));
            line(ends, (right, self.diagonal(right)), &regimes);
        }
    }

    /// The segments of the middle one of three cuts that belong to neither side.
    fn vertical(&self, around: &[f64], lines: &mut Vec<Line>) {
        let d = around[1];
        for pair in self.heights(d).windows(2) {
            let height = (pair[0] + pair[1]) / 2.0;
            // A step so short that it crosses nothing else.
            let step = 1e-3;
            let sides = [d - step, d + step].map(|d| self.regime((d, height)));
            let regime = self.regime((d, height));
            if let Some(regime) = regime.filter(|_| !sides.contains(&regime)) {
                let (from, to) = ((d, pair[0]), (d, pair[1]));
                lines.push(Line { regime, from, to });
            }
        }
    }

    fn points(&self, cuts: &[f64], lines: &[Line]) -> Vec<Place> {
        let places = cuts
            .iter()
            .flat_map(|d| self.heights(*d).into_iter().map(|height| (*d, height)));
        places
            .filter(|place| self.regime(*place) == Some(Regime::Effective))
            .filter(|place| {
                let mut effective = lines.iter().filter(|line| line.regime == Regime::Effective);
                !effective.any(|line| line.from == *place || line.to == *place)
            })
            .collect()
    }
}
