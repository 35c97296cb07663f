//! Accuracy along ρ at the transferred learning rate: one panel per scheme, one line per width.

use super::Report;
use super::cells::Cell;
use super::display::percent_with_error;
use super::edges::{RIGHT_EDGE_LOSS, Slice};
use crate::figure::colour::width_colour;
use crate::figure::svg::{
    Anchor, Canvas, HEADING, LABEL, TITLE, escape, fit, text_width, ticks, whole_ticks,
};
use mup2_scaling::number::{power, trimmed};

const LEFT: f64 = 58.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 92.0;
const GAP: f64 = 56.0;
const ROW_GAP: f64 = 74.0;
const PANEL_WIDTH: f64 = 494.0;
const PANEL_HEIGHT: f64 = 220.0;

/// Draws the slices of the given schemes.
pub(super) fn slices(report: &Report, schemes: &[String]) -> String {
    let columns = schemes.len().clamp(1, 2);
    let width = LEFT + RIGHT + columns as f64 * (PANEL_WIDTH + GAP) - GAP;
    let mut canvas = Canvas::default();
    let room = width - LEFT - RIGHT;
    canvas.text(
        LEFT,
        26.0,
        Anchor::Start,
        TITLE,
        &fit(&report.title, 15.0, room),
    );
    let subtitle = format!(
        "{}: accuracy ({}) along ρ at the narrowest width's best η",
        report.dataset, report.selection
    );
    canvas.text(
        LEFT,
        45.0,
        Anchor::Start,
        LABEL,
        &fit(&subtitle, 11.0, room),
    );
    let scales = Scales::new(report, schemes);
    canvas.push(&format!(
        r#"<defs><clipPath id="slice-frame"><rect x="-4" y="-4" width="{:.1}" height="{:.1}"/></clipPath></defs>"#,
        PANEL_WIDTH + 8.0,
        PANEL_HEIGHT + 4.0
    ));
    for (place, scheme) in schemes.iter().enumerate() {
        let (row, column) = (place / columns, place % columns);
        let left = LEFT + column as f64 * (PANEL_WIDTH + GAP);
        let top = TOP + row as f64 * (PANEL_HEIGHT + ROW_GAP);
        canvas.push(&format!(r#"<g transform="translate({left} {top})">"#));
        panel(&mut canvas, report, &scales, scheme);
        canvas.push("</g>");
    }
    let rows = schemes.len().div_ceil(columns) as f64;
    let bottom = TOP + rows * (PANEL_HEIGHT + ROW_GAP) - ROW_GAP + 62.0;
    let height = legend(&mut canvas, report, &scales, width, bottom);
    canvas.finish(width, height, "Accuracy along the perturbation radius")
}

/// The axes that all panels share.
struct Scales {
    rho: (f64, f64),
    accuracy: (f64, f64),
}

impl Scales {
    fn new(report: &Report, schemes: &[String]) -> Self {
        let (mut rho, mut best): (Option<(f64, f64)>, f64) = (None, 0.0);
        for scheme in schemes {
            for slice in report.slices.iter().filter(|row| row.scheme == *scheme) {
                for cell in points(report, slice) {
                    let place = cell.rho.log2();
                    let known = rho.get_or_insert((place, place));
                    *known = (known.0.min(place), known.1.max(place));
                    best = best.max(cell.accuracy.unwrap_or_default());
                }
            }
        }
        let rho = rho.unwrap_or((0.0, 0.0));
        for row in &report.baselines {
            best = best.max(row.sgd_accuracy.unwrap_or_default());
        }
        // Below the stability threshold it does not matter how low accuracy is: the room is better
        // spent on what is above.
        let low = ((report.unstable_below - 0.05) * 20.0).floor() / 20.0;
        let high = ((best + 0.01) * 20.0).ceil() / 20.0;
        Self {
            rho: (rho.0 - 0.4, rho.1 + 0.4),
            accuracy: (low.max(0.0), high.max(low.max(0.0) + 0.1)),
        }
    }

    fn x(&self, log2_rho: f64) -> f64 {
        (log2_rho - self.rho.0) / (self.rho.1 - self.rho.0) * PANEL_WIDTH
    }

    fn y(&self, accuracy: f64) -> f64 {
        let (low, high) = self.accuracy;
        (high - accuracy) / (high - low) * PANEL_HEIGHT
    }
}

/// The cells of a slice that have a result, by ascending ρ.
fn points<'report>(
    report: &'report Report,
    slice: &'report Slice,
) -> impl Iterator<Item = &'report Cell> {
    report
        .cells
        .iter()
        .filter(|cell| cell.scheme == slice.scheme && cell.width == slice.width)
        .filter(|cell| cell.rho > 0.0 && Some(cell.lr) == slice.lr)
        .filter(|cell| cell.accuracy_or_zero().is_some())
}

fn panel(canvas: &mut Canvas, report: &Report, scales: &Scales, scheme: &str) {
    axes(canvas, scales);
    let slices = || report.slices.iter().filter(|row| row.scheme == scheme);
    let lr = slices().find_map(|row| row.lr);
    let heading = match lr {
        Some(lr) => format!("{scheme}, η = {}", power(lr)),
        None => format!("{scheme}: no optimum at the narrowest width"),
    };
    let heading = fit(&heading, 12.5, PANEL_WIDTH);
    canvas.text(0.0, -10.0, Anchor::Start, HEADING, &heading);
    canvas.push(r#"<g clip-path="url(#slice-frame)">"#);
    let unstable = scales.y(report.unstable_below);
    canvas.push(&format!(
        r##"<rect class="unstable" x="0" y="{unstable:.1}" width="{PANEL_WIDTH}" height="{:.1}" fill="#8a939c" fill-opacity="0.14"/>"##,
        (PANEL_HEIGHT - unstable).max(0.0)
    ));
    for row in report.baselines.iter().filter(|row| row.scheme == scheme) {
        if let Some(accuracy) = row.sgd_accuracy {
            let colour = colour_of(report, row.width);
            let y = scales.y(accuracy);
            canvas.push(&format!(
                r#"<line x1="0" y1="{y:.1}" x2="{PANEL_WIDTH}" y2="{y:.1}" stroke="{colour}" stroke-width="1.2" stroke-dasharray="6 4" stroke-opacity="0.8"><title>{}</title></line>"#,
                escape(&format!(
                    "SGD, width {}: {} %",
                    row.width,
                    percent_with_error(row.sgd_accuracy, row.sgd_stderr)
                ))
            ));
        }
    }
    for slice in slices() {
        series(canvas, report, scales, slice);
    }
    canvas.push("</g>");
    for slice in slices() {
        if let Some(edge) = slice
            .right_edge_log2_rho
            .filter(|_| !slice.right_edge_beyond_grid)
        {
            let colour = colour_of(report, slice.width);
            let text = format!(
                "right edge of width {}: log₂ ρ = {}",
                slice.width,
                trimmed(edge)
            );
            canvas.push(&format!(
                r#"<g transform="translate({:.1} {PANEL_HEIGHT})">{}</g>"#,
                scales.x(edge),
                edge_mark(&colour, &text)
            ));
        }
    }
}

fn axes(canvas: &mut Canvas, scales: &Scales) {
    let (low, high) = scales.accuracy;
    for tick in ticks(low * 100.0, high * 100.0, 9) {
        let y = scales.y(tick / 100.0);
        canvas.push(&format!(
            r##"<line class="grid" x1="0" y1="{y:.1}" x2="{PANEL_WIDTH}" y2="{y:.1}" stroke="#e3e7ea" stroke-width="1"/>"##
        ));
        canvas.text(-8.0, y + 3.5, Anchor::End, TICK, &trimmed(tick));
    }
    for tick in whole_ticks(scales.rho.0, scales.rho.1, 14) {
        let x = scales.x(tick);
        canvas.axis_line((x, PANEL_HEIGHT), (x, PANEL_HEIGHT + 4.0));
        canvas.text(x, PANEL_HEIGHT + 16.0, Anchor::Middle, TICK, &trimmed(tick));
    }
    canvas.axis_line((0.0, PANEL_HEIGHT), (PANEL_WIDTH, PANEL_HEIGHT));
    canvas.axis_line((0.0, 0.0), (0.0, PANEL_HEIGHT));
    canvas.text(
        PANEL_WIDTH,
        PANEL_HEIGHT + 31.0,
        Anchor::End,
        LABEL,
        "log₂ ρ →",
    );
    let y = PANEL_HEIGHT / 2.0;
    let turn = format!(r#"{LABEL} transform="rotate(-90 -38 {y:.1})""#);
    canvas.text(-38.0, y, Anchor::Middle, &turn, "accuracy, %");
}

/// One width's line, error bars and points.
fn series(canvas: &mut Canvas, report: &Report, scales: &Scales, slice: &Slice) {
    let colour = colour_of(report, slice.width);
    let place = place_of(report, slice.width);
    let coordinates = |cell: &Cell| {
        let accuracy = cell.accuracy_or_zero().unwrap_or_default();
        (scales.x(cell.rho.log2()), scales.y(accuracy))
    };
    let line: Vec<String> = points(report, slice)
        .map(|cell| {
            let (x, y) = coordinates(cell);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    canvas.push(&format!(
        r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round"/>"#,
        line.join(" ")
    ));
    for cell in points(report, slice) {
        let (x, y) = coordinates(cell);
        if let Some((accuracy, stderr)) = cell.accuracy.zip(cell.stderr) {
            let (top, bottom) = (scales.y(accuracy + stderr), scales.y(accuracy - stderr));
            canvas.push(&format!(
                r#"<path d="M{x:.1} {top:.1}V{bottom:.1}M{:.1} {top:.1}h6M{:.1} {bottom:.1}h6" stroke="{colour}" stroke-width="1.2" fill="none"/>"#,
                x - 3.0,
                x - 3.0
            ));
        }
        let text = format!(
            "width {}, ρ = {}, {}: {} %",
            cell.width,
            power(cell.rho),
            cell.status.name(),
            percent_with_error(cell.accuracy_or_zero(), cell.stderr)
        );
        canvas.push(&format!(
            r#"<g transform="translate({x:.1} {y:.1})">{}<title>{}</title></g>"#,
            marker(place, &colour),
            escape(&text)
        ));
    }
}

pub(super) fn place_of(report: &Report, width: usize) -> usize {
    let place = report.widths.iter().position(|other| *other == width);
    place.unwrap_or_default()
}

pub(super) fn colour_of(report: &Report, width: usize) -> String {
    width_colour(place_of(report, width), report.widths.len())
}

/// Shapes tell the widths apart where colours do not.
pub(super) fn marker(place: usize, colour: &str) -> String {
    match place % 4 {
        0 => format!(r#"<circle r="3.4" fill="{colour}"/>"#),
        1 => format!(r#"<rect x="-3.1" y="-3.1" width="6.2" height="6.2" fill="{colour}"/>"#),
        2 => format!(r#"<path d="M0 -4.2L4 3.2H-4Z" fill="{colour}"/>"#),
        _ => format!(r#"<path d="M0 -4.6L4.6 0L0 4.6L-4.6 0Z" fill="{colour}"/>"#),
    }
}

/// A small arrow standing on the axis.
fn edge_mark(colour: &str, text: &str) -> String {
    format!(
        r#"<path d="M0 0L-4.5 -9H4.5Z" fill="{colour}"><title>{}</title></path>"#,
        escape(text)
    )
}

pub(super) const TICK: &str = r#"font-size="10""#;

/// Draws the legend from `top` on and returns the figure's height.
fn legend(canvas: &mut Canvas, report: &Report, scales: &Scales, width: f64, top: f64) -> f64 {
    let mut items: Vec<(String, String)> = report
        .widths
        .iter()
        .enumerate()
        .map(|(place, width)| {
            let colour = colour_of(report, *width);
            let symbol = format!(
                r#"<path d="M-9 0H9" stroke="{colour}" stroke-width="1.8"/>{}"#,
                marker(place, &colour)
            );
            (symbol, format!("width {width}"))
        })
        .collect();
    let ink = "#6b747d";
    items.push((
        format!(r#"<path d="M-9 0H9" stroke="{ink}" stroke-width="1.4" stroke-dasharray="6 4"/>"#),
        "SGD (ρ = 0) at its best η".to_owned(),
    ));
    items.push((
        format!(
            r#"<g transform="translate(0 4)">{}</g>"#,
            edge_mark(ink, "")
        ),
        format!(
            "right edge: {} points below the line's best",
            trimmed(RIGHT_EDGE_LOSS * 100.0)
        ),
    ));
    items.push((
        r##"<rect x="-9" y="-5" width="18" height="10" fill="#8a939c" fill-opacity="0.3"/>"##
            .to_owned(),
        format!(
            "unstable (below {} %; lines leave the frame under {} %)",
            trimmed(report.unstable_below * 100.0),
            trimmed(scales.accuracy.0 * 100.0)
        ),
    ));
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
