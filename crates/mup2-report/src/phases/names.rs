//! The names in a plane: of the scalings beside their markers, of the regimes within their areas.

use super::REGIMES;
use super::labels::{Board, Rectangle, beside, label_size};
use super::panel::{Marker, PANEL_HEIGHT, PANEL_WIDTH, Panel, TOP, colour};
use super::strata::{Place, Strata};
use crate::figure::svg::{Anchor, Canvas};
use mup2_scaling::Regime;

/// Font size of the scalings' names, which are bold.
const SCALING_SIZE: f64 = 11.0;
/// How much wider than [`text_width`](crate::figure::svg::text_width) thinks bold text may be.
const BOLD_WIDTH: f64 = 1.25;
/// Font size of the regimes' names.
const REGIME_SIZE: f64 = 10.5;
/// Room for the short line before a regime's name.
const KEY_WIDTH: f64 = 17.0;
/// Places that are tried for a regime's name, across and down.
const TRIED: i32 = 80;

impl Panel<'_> {
    /// Names of scalings first, since they have the least choice; then those of the regimes.
    pub fn labels(&self, strata: &Strata, markers: &[Marker]) -> Vec<Label> {
        let mut board = Board::new(self.room());
        for marker in markers {
            board.take(Rectangle::around(self.at(marker.place), 14.0, 14.0));
        }
        for line in &strata.lines {
            board.take_line(self.at(line.from), self.at(line.to), 7.0);
        }
        let mut labels = Vec::new();
        for marker in markers {
            let (width, height) = label_size(&marker.names, SCALING_SIZE);
            let size = (BOLD_WIDTH * width, height);
            let place = board.place(beside(self.at(marker.place), size, 8.0));
            labels.extend(place.map(|place| Label {
                place,
                anchor: toward(self.at(marker.place), &place),
                lines: marker.names.clone(),
                style: Style::Scaling,
            }));
        }
        for regime in REGIMES {
            let lines = vec![regime.to_string()];
            let (width, height) = label_size(&lines, REGIME_SIZE);
            let mut key = None;
            let mut place = board.place(self.within_area(regime, (width, height)));
            if place.is_none() {
                key = Some(regime);
                let size = (width + KEY_WIDTH, height);
                place = board.place(self.along_lines(strata, regime, size));
            }
            labels.extend(place.map(|place| Label {
                place,
                anchor: key.map_or(Anchor::Middle, |_| Anchor::Start),
                lines,
                style: Style::Regime { key },
            }));
        }
        labels
    }

    /// Rectangles that lie in one regime, those near its middle first.
    fn within_area(&self, regime: Regime, (width, height): (f64, f64)) -> Vec<Rectangle> {
        let is_inside = |corner| {
            let (d, distance) = self.place_at(corner);
            self.diagram.regime(self.plane.role, d, distance) == Some(regime)
        };
        let share = |step: i32| f64::from(step) / f64::from(TRIED);
        let mut found = Vec::new();
        for row in 1..TRIED {
            for column in 1..TRIED {
                let x = self.left + share(column) * PANEL_WIDTH;
                let y = TOP + share(row) * PANEL_HEIGHT;
                let candidate = Rectangle::around((x, y), width, height);
                if candidate.corners().into_iter().all(is_inside) {
                    found.push(candidate);
                }
            }
        }
        let middle = mean(found.iter().map(Rectangle::centre));
        let distance = |one: &Rectangle| {
            let (x, y) = one.centre();
            (x - middle.0).hypot(y - middle.1)
        };
        found.sort_by(|one, other| distance(one).total_cmp(&distance(other)));
        found
    }

    /// Rectangles beside the lines and points of a regime.
    fn along_lines(
        &self,
        strata: &Strata,
        regime: Regime,
        size: (f64, f64),
    ) -> impl Iterator<Item = Rectangle> {
        let lines = strata.lines.iter().filter(|line| line.regime == regime);
        let shares = [0.5, 0.65, 0.35, 0.8, 0.2];
        let mut anchors: Vec<Place> = lines
            .flat_map(|line| {
                shares.map(|share| {
                    (
                        line.from.0 + share * (line.to.0 - line.from.0),
                        line.from.1 + share * (line.to.1 - line.from.1),
                    )
                })
            })
            .collect();
        if regime == Regime::Effective {
            anchors.extend(&strata.points);
        }
        let places: Vec<_> = anchors.into_iter().map(|place| self.at(place)).collect();
        places
            .into_iter()
            .flat_map(move |place| beside(place, size, 7.0))
    }
}

/// Lines of text with their place in the figure.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub place: Rectangle,
    /// Where in its rectangle the text stands.
    pub anchor: Anchor,
    pub lines: Vec<String>,
    pub style: Style,
}

/// What a label names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Style {
    /// The scalings of one marker.
    Scaling,
    /// A regime: the area that the label lies in or, with a short line in its colour as a key, the
    /// line or point beside the label.
    Regime { key: Option<Regime> },
}

impl Label {
    pub fn draw(&self, canvas: &mut Canvas) {
        let style = match self.style {
            Style::Scaling => format!(r#"font-size="{SCALING_SIZE}" font-weight="600""#),
            Style::Regime { .. } => format!(r#"font-size="{REGIME_SIZE}" font-style="italic""#),
        };
        let (centre, y) = self.place.centre();
        let mut x = match self.anchor {
            Anchor::Start => self.place.left + 1.0,
            Anchor::Middle => centre,
            Anchor::End => self.place.right() - 1.0,
        };
        if let Style::Regime { key: Some(regime) } = self.style {
            canvas.push(&format!(
                r#"<line x1="{x:.1}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke="{}" stroke-width="4"/>"#,
                x + KEY_WIDTH - 5.0,
                colour(regime)
            ));
            x += KEY_WIDTH;
        }
        let height = self.place.height / self.lines.len() as f64;
        for (index, line) in self.lines.iter().enumerate() {
            let baseline = self.place.top + (index as f64 + 0.78) * height;
            canvas.text(x, baseline, self.anchor, &style, line);
        }
    }
}

/// The side of a label's rectangle that is nearest to what it names.
fn toward((x, _): (f64, f64), place: &Rectangle) -> Anchor {
    if x <= place.left {
        Anchor::Start
    } else if x >= place.right() {
        Anchor::End
    } else {
        Anchor::Middle
    }
}

fn mean(places: impl ExactSizeIterator<Item = (f64, f64)>) -> (f64, f64) {
    let count = places.len().max(1) as f64;
    let (x, y) = places.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    (x / count, y / count)
}
