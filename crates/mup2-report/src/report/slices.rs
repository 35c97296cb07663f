//! Accuracy along ρ at the transferred learning rate: one panel per scheme, one line per width.

use super::cells::{Cell, CellIndex};
use super::display::capital;
use super::edges::{RIGHT_EDGE_LOSS, Slice};
use super::heatmap::unstable_label;
use super::{Axis, MetricKind, Report};
use crate::figure::colour::width_colour;
use crate::figure::svg::{Anchor, Canvas, HEADING, LABEL, TITLE, escape, fit, legend_rows, ticks};
use mup2_scaling::number::{plain, trimmed};

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
    let axes = &report.axes;
    let index = CellIndex::new(&report.cells);
    let subtitle = format!(
        "{}: {} along {} at the {} {}'s best {}",
        report.dataset,
        report.measured(),
        y_symbol(report),
        smallest(report),
        axes.size,
        axes.x.symbol
    );
    canvas.text(
        LEFT,
        45.0,
        Anchor::Start,
        LABEL,
        &fit(&subtitle, 11.0, room),
    );
    let scales = Scales::new(report, &index, schemes);
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
        panel(&mut canvas, report, &index, &scales, scheme);
        canvas.push("</g>");
    }
    let rows = schemes.len().div_ceil(columns) as f64;
    let bottom = TOP + rows * (PANEL_HEIGHT + ROW_GAP) - ROW_GAP + 62.0;
    let height = legend(&mut canvas, report, &scales, width, bottom);
    let along = axes.y.as_ref().map_or("", |axis| &axis.name);
    let label = match along {
        "perturbation radius" => "the perturbation radius",
        other => other,
    };
    let label = format!("{} along {label}", capital(&axes.metric.name));
    canvas.finish(width, height, &label)
}

/// The symbol of the second hyperparameter.
fn y_symbol(report: &Report) -> &str {
    report.axes.y.as_ref().map_or("", |axis| &axis.symbol)
}

/// The word for the first of all sizes.
pub(super) fn smallest(report: &Report) -> &'static str {
    if report.axes.size == "width" {
        "narrowest"
    } else {
        "smallest"
    }
}

/// A range of places with some room at its ends.
pub(super) fn padded((low, high): (f64, f64)) -> (f64, f64) {
    let span = high - low;
    // A linear axis may span much less than a unit.
    let room = if span > 0.0 {
        0.4_f64.min(span * 0.1)
    } else {
        0.4
    };
    let room = if span >= 1.0 { 0.4 } else { room };
    (low - room, high + room)
}

/// The range of a number's axis.
pub(super) fn value_range(report: &Report, values: Vec<f64>) -> (f64, f64) {
    let range = report.axes.metric.shown_range(values.into_iter());
    let (best, worst) = range.unwrap_or((0.0, 1.0));
    let (low, high) = (best.min(worst), best.max(worst));
    let room = ((high - low) * 0.06).max(f64::EPSILON.max(high.abs() * 1e-3));
    (low - room, high + room)
}

/// The axes that all panels share.
struct Scales {
    rho: (f64, f64),
    accuracy: (f64, f64),
}

impl Scales {
    fn new(report: &Report, index: &CellIndex, schemes: &[String]) -> Self {
        let (mut rho, mut best): (Option<(f64, f64)>, f64) = (None, 0.0);
        let mut values = Vec::new();
        for scheme in schemes {
            for slice in report.slices.iter().filter(|row| row.scheme == *scheme) {
                for cell in points(report, index, slice) {
                    let place = report.axes.y_place(cell.rho);
                    let known = rho.get_or_insert((place, place));
                    *known = (known.0.min(place), known.1.max(place));
                    best = best.max(cell.accuracy.unwrap_or_default());
                    values.extend(cell.accuracy);
                }
            }
        }
        let rho = rho.unwrap_or((0.0, 0.0));
        for row in &report.baselines {
            best = best.max(row.sgd_accuracy.unwrap_or_default());
        }
        if report.axes.metric.kind == MetricKind::Number {
            return Self {
                rho: padded(rho),
                accuracy: value_range(report, values),
            };
        }
        // Below the stability threshold it does not matter how low accuracy is: the room is better
        // spent on what is above.
        let low = ((report.unstable_below - 0.05) * 20.0).floor() / 20.0;
        let high = ((best + 0.01) * 20.0).ceil() / 20.0;
        Self {
            rho: padded(rho),
            accuracy: (low.max(0.0), high.max(low.max(0.0) + 0.1)),
        }
    }

    fn x(&self, place: f64) -> f64 {
        (place - self.rho.0) / (self.rho.1 - self.rho.0) * PANEL_WIDTH
    }

    fn y(&self, accuracy: f64) -> f64 {
        let (low, high) = self.accuracy;
        (high - accuracy) / (high - low) * PANEL_HEIGHT
    }
}

/// The cells of a slice that have a result, by ascending ρ.
fn points<'report>(
    report: &'report Report,
    index: &CellIndex<'report>,
    slice: &'report Slice,
) -> impl Iterator<Item = &'report Cell> {
    let axes = &report.axes;
    let cells = index.of(&slice.scheme, slice.width).iter();
    cells
        .filter(|cell| !axes.is_baseline(cell.rho) && Some(cell.lr) == slice.lr)
        .filter(|cell| cell.accuracy_or_zero(axes).is_some())
}

fn panel(canvas: &mut Canvas, report: &Report, index: &CellIndex, scales: &Scales, scheme: &str) {
    let axes = &report.axes;
    let metric = &axes.metric;
    draw_axes(canvas, report, scales);
    let slices = || report.slices.iter().filter(|row| row.scheme == scheme);
    let lr = slices().find_map(|row| row.lr);
    let heading = match lr {
        Some(lr) => format!("{scheme}, {} = {}", axes.x.symbol, axes.x.value(lr)),
        None => format!(
            "{scheme}: no optimum at the {} {}",
            smallest(report),
            axes.size
        ),
    };
    let heading = fit(&heading, 12.5, PANEL_WIDTH);
    canvas.text(0.0, -10.0, Anchor::Start, HEADING, &heading);
    canvas.push(r#"<g clip-path="url(#slice-frame)">"#);
    let unstable = scales.y(report.unstable_below);
    let (top, height) = if metric.minimize {
        (0.0, unstable.max(0.0))
    } else {
        (unstable, (PANEL_HEIGHT - unstable).max(0.0))
    };
    canvas.push(&format!(
        r##"<rect class="unstable" x="0" y="{top:.1}" width="{PANEL_WIDTH}" height="{height:.1}" fill="#8a939c" fill-opacity="0.14"/>"##
    ));
    for row in report.baselines.iter().filter(|row| row.scheme == scheme) {
        if let Some(accuracy) = row.sgd_accuracy {
            let colour = colour_of(report, row.width);
            let y = scales.y(accuracy);
            canvas.push(&format!(
                r#"<line x1="0" y1="{y:.1}" x2="{PANEL_WIDTH}" y2="{y:.1}" stroke="{colour}" stroke-width="1.2" stroke-dasharray="6 4" stroke-opacity="0.8"><title>{}</title></line>"#,
                escape(&format!(
                    "{}, {} {}: {}{}",
                    axes.baseline_name(),
                    axes.size,
                    row.width,
                    metric.with_error(row.sgd_accuracy, row.sgd_stderr),
                    metric.unit()
                ))
            ));
        }
    }
    for slice in slices() {
        series(canvas, report, index, scales, slice);
    }
    canvas.push("</g>");
    for slice in slices() {
        if let Some(edge) = slice
            .right_edge_log2_rho
            .filter(|_| !slice.right_edge_beyond_grid)
        {
            let colour = colour_of(report, slice.width);
            let text = format!(
                "right edge of {} {}: {} = {}",
                axes.size,
                slice.width,
                axes.y.as_ref().map_or(String::new(), Axis::label),
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

fn draw_axes(canvas: &mut Canvas, report: &Report, scales: &Scales) {
    let metric = &report.axes.metric;
    let (low, high) = scales.accuracy;
    let unit = metric.shown(1.0);
    for tick in ticks(low * unit, high * unit, 9) {
        let y = scales.y(tick / unit);
        canvas.push(&format!(
            r##"<line class="grid" x1="0" y1="{y:.1}" x2="{PANEL_WIDTH}" y2="{y:.1}" stroke="#e3e7ea" stroke-width="1"/>"##
        ));
        canvas.text(-8.0, y + 3.5, Anchor::End, TICK, &metric.tick(tick));
    }
    let y_axis = report.axes.y.iter();
    for (tick, label) in y_axis.flat_map(|axis| axis.ticks(scales.rho, 14)) {
        let x = scales.x(tick);
        canvas.axis_line((x, PANEL_HEIGHT), (x, PANEL_HEIGHT + 4.0));
        canvas.text(x, PANEL_HEIGHT + 16.0, Anchor::Middle, TICK, &label);
    }
    canvas.axis_line((0.0, PANEL_HEIGHT), (PANEL_WIDTH, PANEL_HEIGHT));
    canvas.axis_line((0.0, 0.0), (0.0, PANEL_HEIGHT));
    canvas.text(
        PANEL_WIDTH,
        PANEL_HEIGHT + 31.0,
        Anchor::End,
        LABEL,
        &format!(
            "{} →",
            report.axes.y.as_ref().map_or(String::new(), Axis::label)
        ),
    );
    let y = PANEL_HEIGHT / 2.0;
    let turn = format!(r#"{LABEL} transform="rotate(-90 -38 {y:.1})""#);
    canvas.text(-38.0, y, Anchor::Middle, &turn, &metric.label());
}

/// One width's line, error bars and points.
fn series(canvas: &mut Canvas, report: &Report, index: &CellIndex, scales: &Scales, slice: &Slice) {
    let axes = &report.axes;
    let colour = colour_of(report, slice.width);
    let place = place_of(report, slice.width);
    let coordinates = |cell: &Cell| {
        let accuracy = cell.accuracy_or_zero(axes).unwrap_or_default();
        (scales.x(axes.y_place(cell.rho)), scales.y(accuracy))
    };
    let line: Vec<String> = points(report, index, slice)
        .map(|cell| {
            let (x, y) = coordinates(cell);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    canvas.push(&format!(
        r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round"/>"#,
        line.join(" ")
    ));
    for cell in points(report, index, slice) {
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
            "{} {}, {} = {}, {}: {}{}",
            axes.size,
            cell.width,
            y_symbol(report),
            axes.y
                .as_ref()
                .map_or(String::new(), |axis| axis.value(cell.rho)),
            cell.status.name(),
            axes.metric
                .with_error(cell.accuracy_or_zero(axes), cell.stderr),
            axes.metric.unit()
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
            (symbol, format!("{} {width}", report.axes.size))
        })
        .collect();
    let ink = "#6b747d";
    items.push((
        format!(r#"<path d="M-9 0H9" stroke="{ink}" stroke-width="1.4" stroke-dasharray="6 4"/>"#),
        format!(
            "{}{} = 0{} at its best {}",
            if report.axes.has_sgd() { "SGD (" } else { "" },
            y_symbol(report),
            if report.axes.has_sgd() { ")" } else { "" },
            report.axes.x.symbol
        ),
    ));
    items.push((
        format!(
            r#"<g transform="translate(0 4)">{}</g>"#,
            edge_mark(ink, "")
        ),
        format!(
            "right edge: {} {} the line's best",
            report.axes.metric.loss_in_words(RIGHT_EDGE_LOSS),
            if report.axes.metric.minimize {
                "above"
            } else {
                "below"
            }
        ),
    ));
    if report.shows_unstable() {
        items.push((
            r##"<rect x="-9" y="-5" width="18" height="10" fill="#8a939c" fill-opacity="0.3"/>"##
                .to_owned(),
            format!(
                "{}; lines leave the frame {})",
                unstable_label(report).trim_end_matches(')'),
                match report.axes.metric.kind {
                    MetricKind::Share => format!("under {} %", trimmed(scales.accuracy.0 * 100.0)),
                    MetricKind::Number if report.axes.metric.minimize => {
                        format!("above {}", plain(scales.accuracy.1))
                    }
                    MetricKind::Number => format!("under {}", plain(scales.accuracy.0)),
                }
            ),
        ));
    }
    legend_rows(canvas, items, [LEFT, width - RIGHT], top)
}
