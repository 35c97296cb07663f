//! Sharpness after training: a row of two panels a scheme, the top eigenvalue and SAM's sharpness.

use super::Report;
use super::sharpness::SharpnessCell;
use super::slices::{TICK, colour_of, marker, place_of};
use crate::figure::svg::{
    Anchor, Canvas, HEADING, LABEL, TITLE, escape, fit, text_width, ticks, whole_ticks,
};
use mup2_scaling::number::{plain, power};

const LEFT: f64 = 72.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 92.0;
const GAP: f64 = 82.0;
const ROW_GAP: f64 = 74.0;
const PANEL_WIDTH: f64 = 400.0;
const PANEL_HEIGHT: f64 = 170.0;

/// A measure: its name, and its mean and standard error in a cell.
type Measure = (
    &'static str,
    fn(&SharpnessCell) -> (Option<f64>, Option<f64>),
);

const MEASURES: [Measure; 2] = [
    ("top eigenvalue of the Hessian", |cell| {
        (cell.top_eigenvalue, cell.top_eigenvalue_stderr)
    }),
    ("SAM-sharpness", |cell| {
        (cell.sam_sharpness, cell.sam_sharpness_stderr)
    }),
];

/// What a panel's x-axis is, in powers of two.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Along {
    /// ρ of the training at the transferred η, a line a width.
    Rho,
    /// The width, at each one's own optimum.
    Width,
}

impl Along {
    fn place(self, cell: &SharpnessCell) -> f64 {
        match self {
            Self::Rho => cell.rho.log2(),
            Self::Width => (cell.width as f64).log2(),
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Rho => "log₂ ρ of the training →",
            Self::Width => "log₂ width →",
        }
    }
}

/// The cells that are drawn for a scheme.
fn drawn<'report>(
    report: &'report Report,
    scheme: &str,
    along: Along,
) -> Vec<&'report SharpnessCell> {
    let cells = report.sharpness.iter().filter(|cell| cell.scheme == scheme);
    let is_drawn = |cell: &&SharpnessCell| match along {
        Along::Rho => {
            let mut slices = report.slices.iter();
            let lr = slices.find(|slice| slice.scheme == scheme && slice.width == cell.width);
            cell.rho > 0.0 && lr.is_some_and(|slice| slice.lr == Some(cell.lr))
        }
        Along::Width => report.optima.iter().any(|optimum| {
            let place = (optimum.lr, optimum.rho) == (Some(cell.lr), Some(cell.rho));
            optimum.scheme == scheme && optimum.width == cell.width && place
        }),
    };
    cells.filter(is_drawn).collect()
}

/// Along ρ if there are two of them to compare.
fn direction(report: &Report, schemes: &[String]) -> Along {
    let cells = schemes
        .iter()
        .flat_map(|scheme| drawn(report, scheme, Along::Rho));
    let mut rhos = cells.map(|cell| cell.rho);
    match rhos.next() {
        Some(first) if rhos.any(|rho| rho != first) => Along::Rho,
        _ => Along::Width,
    }
}

/// Draws the sharpness of the given schemes.
pub(super) fn sharpness(report: &Report, schemes: &[String]) -> String {
    let along = direction(report, schemes);
    let width = LEFT + RIGHT + 2.0 * PANEL_WIDTH + GAP;
    let mut canvas = Canvas::default();
    let room = width - LEFT - RIGHT;
    let title = fit(&report.title, 15.0, room);
    canvas.text(LEFT, 26.0, Anchor::Start, TITLE, &title);
    let subtitle = match along {
        Along::Rho => "along ρ at the narrowest width's best η",
        Along::Width => "at each width's own optimum",
    };
    let subtitle = format!("{}: sharpness after training {subtitle}", report.dataset);
    let subtitle = fit(&subtitle, 11.0, room);
    canvas.text(LEFT, 45.0, Anchor::Start, LABEL, &subtitle);
    for (column, measure) in MEASURES.iter().enumerate() {
        let scales = Scales::new(report, schemes, along, measure);
        for (row, scheme) in schemes.iter().enumerate() {
            let left = LEFT + column as f64 * (PANEL_WIDTH + GAP);
            let top = TOP + row as f64 * (PANEL_HEIGHT + ROW_GAP);
            canvas.push(&format!(r#"<g transform="translate({left} {top})">"#));
            panel(&mut canvas, report, &scales, scheme, measure);
            canvas.push("</g>");
        }
    }
    let bottom = TOP + schemes.len() as f64 * (PANEL_HEIGHT + ROW_GAP) - ROW_GAP + 62.0;
    let height = match along {
        Along::Rho => legend(&mut canvas, report, width, bottom),
        Along::Width => bottom - 20.0,
    };
    canvas.finish(width, height, "Sharpness after training")
}

/// The axes that the panels of one measure share, so that schemes can be compared.
struct Scales {
    along: Along,
    x: (f64, f64),
    y: (f64, f64),
    /// Whether y is a power of ten: where all values are positive.
    is_logarithmic: bool,
}

impl Scales {
    fn new(report: &Report, schemes: &[String], along: Along, measure: &Measure) -> Self {
        let cells = || {
            schemes
                .iter()
                .flat_map(|scheme| drawn(report, scheme, along))
        };
        let values = || cells().filter_map(|cell| measure.1(cell).0);
        let is_logarithmic = values().all(|value| value > 0.0);
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold(None, |range: Option<(f64, f64)>, value| {
                let (low, high) = range.unwrap_or((value, value));
                Some((low.min(value), high.max(value)))
            })
        };
        let scaled = |value: f64| if is_logarithmic { value.log10() } else { value };
        let x = range(&mut cells().map(|cell| along.place(cell))).unwrap_or((0.0, 0.0));
        let y = range(&mut values().map(scaled)).unwrap_or((0.0, 1.0));
        // Room above and below, also for a single value.
        let least = if is_logarithmic { 0.05 } else { 1e-6 };
        let margin = (0.08 * (y.1 - y.0)).max(least);
        Self {
            along,
            x: (x.0 - 0.4, x.1 + 0.4),
            y: (y.0 - margin, y.1 + margin),
            is_logarithmic,
        }
    }

    fn at_x(&self, value: f64) -> f64 {
        (value - self.x.0) / (self.x.1 - self.x.0) * PANEL_WIDTH
    }

    /// Of a value in units of the axis, within the panel.
    fn at_y(&self, value: f64) -> f64 {
        let share = (self.y.1 - value) / (self.y.1 - self.y.0);
        share.clamp(0.0, 1.0) * PANEL_HEIGHT
    }

    /// Values to mark: 1, 2 and 5 times the powers of ten, or those alone, on a logarithmic axis that
    /// holds at least two of them.
    fn y_ticks(&self) -> Vec<f64> {
        let (low, high) = self.y;
        if !self.is_logarithmic {
            return ticks(low, high, 6);
        }
        let factors: &[f64] = if high - low > 2.5 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let decades = low.floor() as i32..=high.floor() as i32;
        let round = decades.flat_map(|decade| factors.iter().map(move |f| f * 10_f64.powi(decade)));
        let inside = round.filter(|value| (low..=high).contains(&value.log10()));
        let inside: Vec<f64> = inside.collect();
        if inside.len() > 1 {
            return inside;
        }
        ticks(10_f64.powf(low), 10_f64.powf(high), 6)
    }

    /// Of a value; one that a logarithmic axis does not have lies at its foot.
    fn of(&self, value: f64) -> f64 {
        if !self.is_logarithmic {
            self.at_y(value)
        } else if value > 0.0 {
            self.at_y(value.log10())
        } else {
            PANEL_HEIGHT
        }
    }
}

fn panel(canvas: &mut Canvas, report: &Report, scales: &Scales, scheme: &str, measure: &Measure) {
    let heading = fit(&format!("{scheme}: {}", measure.0), 12.5, PANEL_WIDTH);
    canvas.text(0.0, -10.0, Anchor::Start, HEADING, &heading);
    for value in scales.y_ticks() {
        let y = scales.of(value);
        canvas.push(&format!(
            r##"<line class="grid" x1="0" y1="{y:.1}" x2="{PANEL_WIDTH}" y2="{y:.1}" stroke="#e3e7ea" stroke-width="1"/>"##
        ));
        canvas.text(-8.0, y + 3.5, Anchor::End, TICK, &plain(value));
    }
    for tick in whole_ticks(scales.x.0, scales.x.1, 14) {
        let x = scales.at_x(tick);
        canvas.axis_line((x, PANEL_HEIGHT), (x, PANEL_HEIGHT + 4.0));
        canvas.text(x, PANEL_HEIGHT + 16.0, Anchor::Middle, TICK, &plain(tick));
    }
    canvas.axis_line((0.0, PANEL_HEIGHT), (PANEL_WIDTH, PANEL_HEIGHT));
    canvas.axis_line((0.0, 0.0), (0.0, PANEL_HEIGHT));
    let below = PANEL_HEIGHT + 31.0;
    canvas.text(PANEL_WIDTH, below, Anchor::End, LABEL, scales.along.label());
    let cells = drawn(report, scheme, scales.along);
    match scales.along {
        Along::Rho => {
            for width in &report.widths {
                let of_width = cells.iter().filter(|cell| cell.width == *width);
                series(canvas, report, scales, measure, of_width.copied().collect());
            }
        }
        Along::Width => series(canvas, report, scales, measure, cells),
    }
}

/// One line with its error bars and points.
fn series(
    canvas: &mut Canvas,
    report: &Report,
    scales: &Scales,
    measure: &Measure,
    cells: Vec<&SharpnessCell>,
) {
    let measured = cells.into_iter().filter_map(|cell| {
        let (value, stderr) = measure.1(cell);
        let value = value?;
        let place = (scales.at_x(scales.along.place(cell)), scales.of(value));
        Some((cell, place, value, stderr))
    });
    let measured: Vec<_> = measured.collect();
    let Some((first, ..)) = measured.first() else {
        return;
    };
    let colour = colour_of(report, first.width);
    let line = measured
        .iter()
        .map(|(_, (x, y), ..)| format!("{x:.1},{y:.1}"));
    canvas.push(&format!(
        r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round"/>"#,
        line.collect::<Vec<_>>().join(" ")
    ));
    for (cell, (x, y), value, stderr) in measured {
        let colour = colour_of(report, cell.width);
        let mut text = format!(
            "width {}, ρ = {}: {}",
            cell.width,
            power(cell.rho),
            plain(value)
        );
        if let Some(stderr) = stderr {
            let (top, bottom) = (scales.of(value + stderr), scales.of(value - stderr));
            canvas.push(&format!(
                r#"<path d="M{x:.1} {top:.1}V{bottom:.1}M{:.1} {top:.1}h6M{:.1} {bottom:.1}h6" stroke="{colour}" stroke-width="1.2" fill="none"/>"#,
                x - 3.0,
                x - 3.0
            ));
            text += &format!(" ± {}", plain(stderr));
        }
        canvas.push(&format!(
            r#"<g transform="translate({x:.1} {y:.1})">{}<title>{}</title></g>"#,
            marker(place_of(report, cell.width), &colour),
            escape(&text)
        ));
    }
}

/// Draws the legend of widths from `top` on and returns the figure's height.
fn legend(canvas: &mut Canvas, report: &Report, width: f64, top: f64) -> f64 {
    let (mut x, mut y) = (LEFT, top);
    for (place, of_width) in report.widths.iter().enumerate() {
        let label = format!("width {of_width}");
        let room = 28.0 + text_width(&label, 11.0) + 10.0;
        if x + room > width - RIGHT && x > LEFT {
            (x, y) = (LEFT, y + 20.0);
        }
        let colour = colour_of(report, *of_width);
        canvas.push(&format!(
            r#"<g transform="translate({:.1} {y:.1})"><path d="M-9 0H9" stroke="{colour}" stroke-width="1.8"/>{}</g>"#,
            x + 9.0,
            marker(place, &colour)
        ));
        canvas.text(x + 26.0, y + 4.0, Anchor::Start, LABEL, &label);
        x += room;
    }
    y + 24.0
}
