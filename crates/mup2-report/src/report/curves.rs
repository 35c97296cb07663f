//! The metric over one hyperparameter: one panel per series, one line per size. The picture of
//! hyperparameter transfer: optima below each other transfer.

use super::Report;
use super::cells::{Cell, CellIndex};
use super::display::capital;
use super::slices::{TICK, colour_of, marker, padded, place_of, value_range};
use crate::figure::svg::{Anchor, Canvas, HEADING, LABEL, TITLE, escape, fit, legend_rows, ticks};

const LEFT: f64 = 62.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 92.0;
const GAP: f64 = 60.0;
const ROW_GAP: f64 = 74.0;
const PANEL_WIDTH: f64 = 490.0;
const PANEL_HEIGHT: f64 = 260.0;

/// Draws the curves of the given series.
pub(super) fn curves(report: &Report, schemes: &[String]) -> String {
    let axes = &report.axes;
    let columns = schemes.len().clamp(1, 2);
    let width = LEFT + RIGHT + columns as f64 * (PANEL_WIDTH + GAP) - GAP;
    let mut canvas = Canvas::default();
    let room = width - LEFT - RIGHT;
    let title = fit(&report.title, 15.0, room);
    canvas.text(LEFT, 26.0, Anchor::Start, TITLE, &title);
    let subtitle = format!(
        "{}: {} over {}, one line per {}",
        report.dataset,
        axes.metric.name,
        axes.x.words(),
        axes.size
    );
    let subtitle = fit(&subtitle, 11.0, room);
    canvas.text(LEFT, 45.0, Anchor::Start, LABEL, &subtitle);
    let index = CellIndex::new(&report.cells);
    let scales = Scales::new(report, &index, schemes);
    canvas.push(&format!(
        r#"<defs><clipPath id="curve-frame"><rect x="-4" y="-4" width="{:.1}" height="{:.1}"/></clipPath></defs>"#,
        PANEL_WIDTH + 8.0,
        PANEL_HEIGHT + 8.0
    ));
    for (place, scheme) in schemes.iter().enumerate() {
        let (row, column) = (place / columns, place % columns);
        let left = LEFT + column as f64 * (PANEL_WIDTH + GAP);
        let top = TOP + row as f64 * (PANEL_HEIGHT + ROW_GAP);
        canvas.push(&format!(r#"<g transform="translate({left} {top})">"#));
        panel(&mut canvas, report, &index, &scales, scheme);
        canvas.push("</g>");
    }
    let rows = schemes.len().max(1).div_ceil(columns) as f64;
    let bottom = TOP + rows * (PANEL_HEIGHT + ROW_GAP) - ROW_GAP + 62.0;
    let height = legend(&mut canvas, report, width, bottom);
    let findings: Vec<&str> = report
        .fits
        .iter()
        .filter(|fit| schemes.contains(&fit.scheme))
        .map(|fit| fit.sentence.as_str())
        .take(4)
        .collect();
    let label = format!(
        "{} over {}, one line per {}. {}",
        capital(&axes.metric.name),
        axes.x.words(),
        axes.size,
        findings.join(" ")
    );
    canvas.finish(width, height, label.trim())
}

/// The axes that all panels share.
struct Scales {
    x: (f64, f64),
    y: (f64, f64),
}

impl Scales {
    fn new(report: &Report, index: &CellIndex, schemes: &[String]) -> Self {
        let mut range: Option<(f64, f64)> = None;
        let mut values = Vec::new();
        for scheme in schemes {
            for width in &report.widths {
                for cell in index.of(scheme, *width) {
                    let place = report.axes.x.place(cell.lr);
                    let known = range.get_or_insert((place, place));
                    *known = (known.0.min(place), known.1.max(place));
                    values.extend(cell.accuracy);
                }
            }
        }
        Self {
            x: padded(range.unwrap_or((0.0, 0.0))),
            y: value_range(report, values),
        }
    }

    fn x(&self, place: f64) -> f64 {
        (place - self.x.0) / (self.x.1 - self.x.0) * PANEL_WIDTH
    }

    fn y(&self, value: f64) -> f64 {
        (self.y.1 - value) / (self.y.1 - self.y.0) * PANEL_HEIGHT
    }
}

fn panel(canvas: &mut Canvas, report: &Report, index: &CellIndex, scales: &Scales, scheme: &str) {
    draw_axes(canvas, report, scales);
    let heading = fit(scheme, 12.5, PANEL_WIDTH);
    canvas.text(0.0, -10.0, Anchor::Start, HEADING, &heading);
    canvas.push(r#"<g clip-path="url(#curve-frame)">"#);
    for width in &report.widths {
        line(canvas, report, scales, index.of(scheme, *width), *width);
    }
    for optimum in report.optima.iter().filter(|row| row.scheme == scheme) {
        if let Some((lr, value)) = optimum.lr.zip(optimum.accuracy) {
            let (x, y) = (scales.x(report.axes.x.place(lr)), scales.y(value));
            canvas.push(&format!(
                r##"<circle cx="{x:.1}" cy="{y:.1}" r="7" fill="none" stroke="{}" stroke-width="2"/>"##,
                colour_of(report, optimum.width)
            ));
        }
    }
    canvas.push("</g>");
    for fit in report.fits.iter().filter(|fit| fit.scheme == scheme) {
        for optimum in &fit.optima {
            let x = scales.x(optimum.log2);
            let colour = colour_of(report, optimum.width);
            let error = optimum
                .stderr
                .map_or(String::new(), |stderr| format!(" ± {stderr:.2}"));
            let text = format!(
                "{} {}: fitted optimum, {} = {:.2}{error}",
                report.axes.size,
                optimum.width,
                report.axes.x.label(),
                optimum.log2
            );
            canvas.push(&format!(
                r#"<line x1="{x:.1}" y1="0" x2="{x:.1}" y2="{PANEL_HEIGHT}" stroke="{colour}" stroke-width="1.2" stroke-dasharray="3 4"><title>{}</title></line>"#,
                escape(&text)
            ));
        }
    }
}

fn draw_axes(canvas: &mut Canvas, report: &Report, scales: &Scales) {
    let axes = &report.axes;
    let unit = axes.metric.shown(1.0);
    for tick in ticks(scales.y.0 * unit, scales.y.1 * unit, 9) {
        let y = scales.y(tick / unit);
        canvas.push(&format!(
            r##"<line class="grid" x1="0" y1="{y:.1}" x2="{PANEL_WIDTH}" y2="{y:.1}" stroke="#e3e7ea" stroke-width="1"/>"##
        ));
        canvas.text(-8.0, y + 3.5, Anchor::End, TICK, &axes.metric.tick(tick));
    }
    for (tick, label) in axes.x.ticks(scales.x, 14) {
        let x = scales.x(tick);
        canvas.axis_line((x, PANEL_HEIGHT), (x, PANEL_HEIGHT + 4.0));
        canvas.text(x, PANEL_HEIGHT + 16.0, Anchor::Middle, TICK, &label);
    }
    canvas.axis_line((0.0, PANEL_HEIGHT), (PANEL_WIDTH, PANEL_HEIGHT));
    canvas.axis_line((0.0, 0.0), (0.0, PANEL_HEIGHT));
    let label = format!("{} →", fit(&axes.x.label(), 11.0, PANEL_WIDTH * 0.8));
    let y = PANEL_HEIGHT + 31.0;
    canvas.text(PANEL_WIDTH, y, Anchor::End, LABEL, &label);
    let y = PANEL_HEIGHT / 2.0;
    let turn = format!(r#"{LABEL} transform="rotate(-90 -46 {y:.1})""#);
    let label = fit(&axes.metric.label(), 11.0, PANEL_HEIGHT);
    canvas.text(-46.0, y, Anchor::Middle, &turn, &label);
}

/// One size's line, error bars and points.
fn line(canvas: &mut Canvas, report: &Report, scales: &Scales, cells: &[Cell], width: usize) {
    let axes = &report.axes;
    let known: Vec<(f64, f64, &Cell)> = cells
        .iter()
        .filter_map(|cell| {
            let value = cell.accuracy_or_zero(axes)?;
            Some((scales.x(axes.x.place(cell.lr)), scales.y(value), cell))
        })
        .collect();
    let colour = colour_of(report, width);
    let points: Vec<String> = known
        .iter()
        .map(|(x, y, _)| format!("{x:.1},{y:.1}"))
        .collect();
    canvas.push(&format!(
        r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round"/>"#,
        points.join(" ")
    ));
    for (x, y, cell) in known {
        if let Some((value, stderr)) = cell.accuracy.zip(cell.stderr) {
            let (top, bottom) = (scales.y(value + stderr), scales.y(value - stderr));
            canvas.push(&format!(
                r#"<path d="M{x:.1} {top:.1}V{bottom:.1}" stroke="{colour}" stroke-width="1.2" fill="none"/>"#
            ));
        }
        let text = format!(
            "{} {width}, {}, {}: {}{}",
            axes.size,
            axes.point(cell.lr, cell.rho),
            cell.status.name(),
            axes.metric
                .with_error(cell.accuracy_or_zero(axes), cell.stderr),
            axes.metric.unit()
        );
        canvas.push(&format!(
            r#"<g transform="translate({x:.1} {y:.1})">{}<title>{}</title></g>"#,
            marker(place_of(report, width), &colour),
            escape(&text)
        ));
    }
}

/// Draws the legend from `top` on and returns the figure's height.
fn legend(canvas: &mut Canvas, report: &Report, width: f64, top: f64) -> f64 {
    let ink = "#6b747d";
    let sizes = report.widths.iter().enumerate().map(|(place, width)| {
        let colour = colour_of(report, *width);
        let symbol = format!(
            r#"<path d="M-9 0H9" stroke="{colour}" stroke-width="1.8"/>{}"#,
            marker(place, &colour)
        );
        (symbol, format!("{} {width}", report.axes.size))
    });
    let optimum = format!(r#"<circle r="6" fill="none" stroke="{ink}" stroke-width="2"/>"#);
    let fitted =
        format!(r#"<path d="M0 -8V8" stroke="{ink}" stroke-width="1.2" stroke-dasharray="3 4"/>"#);
    let mut items: Vec<(String, String)> = sizes.collect();
    items.push((optimum, "best point".to_owned()));
    if !report.fits.is_empty() {
        items.push((fitted, "optimum of the parabola around it".to_owned()));
    }
    legend_rows(canvas, items, [LEFT, width - RIGHT], top)
}
