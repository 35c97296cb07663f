//! The figures of a check: one log-log panel a tensor, effect against width, one line a step.

use super::display::{slope, slope_with_error};
use super::lines::{Cause, Lines, LogPoint};
use crate::figure::colour::width_colour;
use crate::figure::svg::{Anchor, Canvas, HEADING, LABEL, escape, fit, text_width, whole_ticks};
use mup2_scaling::check::{CheckReport, SlopeVerdict, TensorFinding};
use mup2_scaling::number::{plain, trimmed};

const WIDTH: f64 = 1120.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 48.0;
const GAP: f64 = 50.0;
const ROW_GAP: f64 = 96.0;
const PANEL_HEIGHT: f64 = 210.0;
const MOST_COLUMNS: usize = 3;
/// One tensor alone does not get a panel as wide as the page.
const WIDEST_PANEL: f64 = 497.0;

/// Every panel shows at least this many octaves, so that noise does not look like a slope.
const FEWEST_OCTAVES: f64 = 4.0;
/// A panel that needs more octaves than this does not stretch the others.
const MOST_SHARED_OCTAVES: f64 = 24.0;

const TICK: &str = r#"font-size="10""#;
const GREY: &str = "#8a939c";
/// Opacity of the first step's line; the last step's is 1.
const FAINTEST: f64 = 0.32;

/// Draws the panels of all tensors for the perturbations or for the updates.
pub(super) fn panels(report: &CheckReport, cause: Cause) -> String {
    let lines: Vec<Lines> = report
        .tensors
        .iter()
        .map(|tensor| Lines::new(report, tensor, cause))
        .collect();
    let grid = PanelGrid::new(report, &lines);
    let mut canvas = Canvas::default();
    let frame = match cause {
        Cause::Perturbation => "perturbation-frame",
        Cause::Update => "update-frame",
    };
    canvas.push(&format!(
        r#"<defs><clipPath id="{frame}"><rect x="-4" y="-4" width="{:.1}" height="{:.1}"/></clipPath></defs>"#,
        grid.panel_width + 8.0,
        PANEL_HEIGHT + 8.0
    ));
    for (place, (tensor, lines)) in report.tensors.iter().zip(&lines).enumerate() {
        let (row, column) = (place / grid.columns, place % grid.columns);
        let left = LEFT + column as f64 * (grid.panel_width + GAP);
        let top = TOP + row as f64 * (PANEL_HEIGHT + ROW_GAP);
        canvas.push(&format!(
            r#"<g class="panel" transform="translate({left:.1} {top:.1})">"#
        ));
        heading(&mut canvas, &grid, tensor, cause);
        let panel = TensorPanel {
            grid: &grid,
            heights: grid.heights_of(lines),
            report,
            cause,
        };
        panel.axes(&mut canvas, column == 0);
        canvas.push(&format!(r#"<g clip-path="url(#{frame})">"#));
        panel.draw(&mut canvas, lines);
        canvas.push("</g>\n</g>");
    }
    let rows = report.tensors.len().div_ceil(grid.columns) as f64;
    let bottom = TOP + rows * (PANEL_HEIGHT + ROW_GAP) - ROW_GAP + 62.0;
    let height = legend(&mut canvas, report, cause, grid.width, bottom);
    let label = match cause {
        Cause::Perturbation => "Effects of the perturbations against the width",
        Cause::Update => "Effects of the updates against the width",
    };
    canvas.finish(grid.width, height, label)
}

/// What all panels of a figure share.
struct PanelGrid {
    columns: usize,
    width: f64,
    panel_width: f64,
    /// Ends of the axis of log₂ of the width.
    widths: (f64, f64),
    /// Octaves of RMS that a panel shows, so that equal slopes look equal in all of them.
    octaves: f64,
}

impl PanelGrid {
    fn new(report: &CheckReport, lines: &[Lines]) -> Self {
        let columns = report.tensors.len().clamp(1, MOST_COLUMNS);
        let gaps = (columns - 1) as f64 * GAP;
        let panel_width = ((WIDTH - LEFT - RIGHT - gaps) / columns as f64).min(WIDEST_PANEL);
        let points = report.points.iter().map(|point| point.width);
        let widths = points
            .chain(report.widths.iter().copied())
            .filter(|width| *width > 0)
            .map(|width| (width as f64).log2())
            .map(|width| (width, width))
            .reduce(|(low, high), (_, width)| (low.min(width), high.max(width)))
            .unwrap_or((0.0, 0.0));
        let margin = 0.05 * (widths.1 - widths.0) + 0.1;
        let octaves = lines
            .iter()
            .filter_map(Lines::heights)
            .map(|(low, high)| high - low)
            .filter(|octaves| *octaves <= MOST_SHARED_OCTAVES)
            .fold(FEWEST_OCTAVES, f64::max);
        Self {
            columns,
            width: LEFT + RIGHT + gaps + columns as f64 * panel_width,
            panel_width,
            widths: (widths.0 - margin, widths.1 + margin),
            octaves,
        }
    }

    /// The ends of a panel's own axis of log₂ RMS, around what is drawn there.
    fn heights_of(&self, lines: &Lines) -> Option<(f64, f64)> {
        let (low, high) = lines.heights()?;
        let middle = (low + high) / 2.0;
        let half = (high - low).max(self.octaves) * 0.53;
        Some((middle - half, middle + half))
    }
}

/// The tensor's name, what was found, and the slopes in numbers.
fn heading(canvas: &mut Canvas, grid: &PanelGrid, tensor: &TensorFinding, cause: Cause) {
    let verdict = cause.verdict(tensor);
    let right = grid.panel_width;
    let left = right - text_width(&verdict.to_string(), 11.0) - 6.0;
    canvas.text(
        left + 10.0,
        -28.0,
        Anchor::Start,
        LABEL,
        &verdict.to_string(),
    );
    canvas.push(&format!(
        r#"<circle cx="{:.1}" cy="-32" r="4" fill="{}"/>"#,
        left + 2.0,
        verdict_colour(verdict)
    ));
    let (measured, stderr) = cause.slope(tensor);
    let found = if matches!(verdict, SlopeVerdict::Unperturbed | SlopeVerdict::Flat) {
        "not perturbed by the rule".to_owned()
    } else {
        format!(
            "slope {}, predicted {}",
            slope_with_error(measured, stderr),
            slope(cause.predicted(tensor))
        )
    };
    canvas.push(&format!("<g><title>{}</title>", escape(&tensor.name)));
    let name = fit(&tensor.name, 12.5, left - 8.0);
    canvas.text(0.0, -28.0, Anchor::Start, HEADING, &name);
    canvas.push("</g>");
    let found = fit(&format!("{}: {found}", tensor.role), 11.0, grid.panel_width);
    canvas.text(0.0, -11.0, Anchor::Start, LABEL, &found);
}

fn verdict_colour(verdict: SlopeVerdict) -> String {
    match verdict {
        SlopeVerdict::Effective => width_colour(1, 5),
        SlopeVerdict::Vanishing | SlopeVerdict::Inconclusive => width_colour(2, 5),
        SlopeVerdict::Exploding => width_colour(3, 5),
        SlopeVerdict::Unperturbed | SlopeVerdict::Flat => GREY.to_owned(),
    }
}

fn line_colour(cause: Cause) -> String {
    match cause {
        Cause::Perturbation => width_colour(0, 5),
        Cause::Update => width_colour(4, 5),
    }
}

/// One tensor's panel.
struct TensorPanel<'report> {
    grid: &'report PanelGrid,
    /// Ends of the axis of log₂ RMS; none where nothing is drawn.
    heights: Option<(f64, f64)>,
    report: &'report CheckReport,
    cause: Cause,
}

impl TensorPanel<'_> {
    fn x(&self, log2_width: f64) -> f64 {
        let (low, high) = self.grid.widths;
        (log2_width - low) / (high - low) * self.grid.panel_width
    }

    fn y(&self, log2_rms: f64) -> f64 {
        let (low, high) = self.heights.unwrap_or((0.0, 1.0));
        (high - log2_rms) / (high - low) * PANEL_HEIGHT
    }

    fn axes(&self, canvas: &mut Canvas, is_first: bool) {
        let right = self.grid.panel_width;
        let heights = self.heights.map(|(low, high)| whole_ticks(low, high, 7));
        for tick in heights.unwrap_or_default() {
            let y = self.y(tick);
            canvas.push(&format!(
                r##"<line class="grid" x1="0" y1="{y:.1}" x2="{right:.1}" y2="{y:.1}" stroke="#e3e7ea" stroke-width="1"/>"##
            ));
            canvas.text(-7.0, y + 3.5, Anchor::End, TICK, &trimmed(tick));
        }
        let mut free_from = f64::NEG_INFINITY;
        for width in self.report.widths.iter().filter(|width| **width > 0) {
            let (x, label) = (self.x((*width as f64).log2()), width.to_string());
            canvas.axis_line((x, PANEL_HEIGHT), (x, PANEL_HEIGHT + 4.0));
            let half = text_width(&label, 10.0) / 2.0;
            if x - half >= free_from {
                canvas.text(x, PANEL_HEIGHT + 16.0, Anchor::Middle, TICK, &label);
                free_from = x + half + 4.0;
            }
        }
        canvas.axis_line((0.0, PANEL_HEIGHT), (right, PANEL_HEIGHT));
        canvas.axis_line((0.0, 0.0), (0.0, PANEL_HEIGHT));
        canvas.text(
            right,
            PANEL_HEIGHT + 31.0,
            Anchor::End,
            LABEL,
            "width, log scale →",
        );
        if is_first {
            let (x, y) = (-40.0, PANEL_HEIGHT / 2.0);
            let turn = format!(r#"{LABEL} transform="rotate(-90 {x:.1} {y:.1})""#);
            let name = match self.cause {
                Cause::Perturbation => "log₂ RMS(ε x)",
                Cause::Update => "log₂ RMS(ΔW x)",
            };
            canvas.text(x, y, Anchor::Middle, &turn, name);
        }
    }

    fn draw(&self, canvas: &mut Canvas, lines: &Lines) {
        if self.heights.is_none() {
            let (x, y) = (self.grid.panel_width / 2.0, PANEL_HEIGHT / 2.0);
            canvas.text(x, y, Anchor::Middle, LABEL, "no measurement above zero");
            return;
        }
        let propagated = Stroke {
            colour: GREY,
            opacity: 1.0,
            width: 1.2,
        };
        self.line(canvas, &lines.propagated, &propagated, "propagated");
        let colour = line_colour(self.cause);
        for (step, line) in &lines.steps {
            let is_last = *step == self.report.steps;
            let stroke = Stroke {
                colour: &colour,
                opacity: opacity(*step, self.report.steps),
                width: if is_last { 2.2 } else { 1.5 },
            };
            self.line(canvas, line, &stroke, &format!("step {step}"));
        }
        if let Some((from, to)) = lines.predicted {
            canvas.push(&format!(
                r##"<line class="predicted" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="#1d2329" {PREDICTED}/>"##,
                self.x(from.0),
                self.y(from.1),
                self.x(to.0),
                self.y(to.1)
            ));
        }
        for (place, point) in &lines.seeds {
            let text = format!(
                "width {}, seed {}, step {}: RMS {}",
                point.width,
                point.seed,
                point.step,
                plain(self.cause.own(point))
            );
            canvas.push(&format!(
                r#"<circle cx="{:.1}" cy="{:.1}" r="2.6" fill="{colour}" fill-opacity="0.55"><title>{text}</title></circle>"#,
                self.x(place.0),
                self.y(place.1)
            ));
        }
    }

    /// A line with its tooltip, or a point where there is only one.
    fn line(&self, canvas: &mut Canvas, line: &[LogPoint], stroke: &Stroke, title: &str) {
        let Stroke {
            colour,
            opacity,
            width,
        } = stroke;
        if let [(x, y)] = line {
            canvas.push(&format!(
                r#"<circle cx="{:.1}" cy="{:.1}" r="{:.1}" fill="{colour}" fill-opacity="{opacity:.2}"><title>{title}</title></circle>"#,
                self.x(*x),
                self.y(*y),
                width + 1.0
            ));
        } else if !line.is_empty() {
            let places = line
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", self.x(*x), self.y(*y)));
            canvas.push(&format!(
                r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-opacity="{opacity:.2}" stroke-width="{width}" stroke-linejoin="round"><title>{title}</title></polyline>"#,
                places.collect::<Vec<_>>().join(" ")
            ));
        }
    }
}

struct Stroke<'colour> {
    colour: &'colour str,
    opacity: f64,
    width: f64,
}

const PREDICTED: &str = r#"stroke-width="1.4" stroke-dasharray="5 4""#;

/// From faint for the first step to full for the last.
fn opacity(step: usize, steps: usize) -> f64 {
    if steps <= 1 {
        return 1.0;
    }
    let share = step.saturating_sub(1) as f64 / (steps - 1) as f64;
    FAINTEST + (1.0 - FAINTEST) * share.min(1.0)
}

/// Draws the legend from `top` on and returns the figure's height.
fn legend(canvas: &mut Canvas, report: &CheckReport, cause: Cause, width: f64, top: f64) -> f64 {
    let colour = line_colour(cause);
    let stroke = |y: f64, opacity: f64| {
        format!(
            r#"<path d="M-9 {y}H9" stroke="{colour}" stroke-width="2" stroke-opacity="{opacity}"/>"#
        )
    };
    let (faded, steps) = if report.steps > 1 {
        let faded = stroke(-4.5, FAINTEST) + &stroke(0.0, 0.66) + &stroke(4.5, 1.0);
        (
            faded,
            format!("steps 1 to {}, from faint to full", report.steps),
        )
    } else {
        (stroke(0.0, 1.0), "the one step".to_owned())
    };
    let what = match cause {
        Cause::Perturbation => "propagated: RMS(W (x̃ − x))",
        Cause::Update => "propagated: RMS(W₀ Δx)",
    };
    let items = [
        (faded, format!("{steps} (mean over seeds)")),
        (
            format!(r#"<circle r="2.6" fill="{colour}" fill-opacity="0.55"/>"#),
            "one seed at the last step".to_owned(),
        ),
        (
            format!(r##"<path class="predicted" d="M-9 0H9" stroke="#1d2329" {PREDICTED}/>"##),
            "predicted slope".to_owned(),
        ),
        (
            format!(r#"<path d="M-9 0H9" stroke="{GREY}" stroke-width="1.2"/>"#),
            what.to_owned(),
        ),
    ];
    let (mut x, mut y) = (LEFT, top);
    for (symbol, label) in items {
        let room = 28.0 + text_width(&label, 11.0) + 10.0;
        if x + room > width - RIGHT && x > LEFT {
            (x, y) = (LEFT, y + 20.0);
        }
        canvas.push(&format!(
            r#"<g transform="translate({:.1} {y:.1})">{symbol}</g>"#,
            x + 9.0
        ));
        canvas.text(x + 26.0, y + 4.0, Anchor::Start, LABEL, &label);
        x += room;
    }
    y + 24.0
}
