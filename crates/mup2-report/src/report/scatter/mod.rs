//! Accuracy at scattered points (η, ρ): one row per scheme, one column per width.

mod layout;
mod panel;

use super::cells::{Cell, CellIndex, Status};
use super::colour_scale::{DEFINITIONS, NO_RESULT};
use super::display::capital;
use super::heatmap::{cross, near_label, transferred_label, transferred_outline, unstable_label};
use super::{Axes, PrunedPoint, Report};
use crate::figure::colour::{DIVERGED, UNSTABLE};
use crate::figure::svg::{Anchor, Canvas, HEADING, LABEL, TITLE, escape, fit};
use layout::{LEFT, Layout, RIGHT, ROW_GAP, TOP};
use panel::Panel;

/// Draws the scatter plots of the given schemes.
pub(super) fn scatter(report: &Report, schemes: &[String]) -> String {
    let layout = Layout::new(report, schemes);
    let mut canvas = Canvas::default();
    canvas.push(DEFINITIONS);
    let room = layout.width - LEFT - RIGHT;
    let title = fit(&report.title, 15.0, room);
    canvas.text(LEFT, 26.0, Anchor::Start, TITLE, &title);
    let axes = &report.axes;
    let index = CellIndex::new(&report.cells);
    let subtitle = format!(
        "{}: {} at each point ({}, {}) of the search",
        report.dataset,
        report.measured(),
        axes.y.as_ref().map_or("", |axis| &axis.symbol),
        axes.x.symbol
    );
    let subtitle = fit(&subtitle, 11.0, room);
    canvas.text(LEFT, 45.0, Anchor::Start, LABEL, &subtitle);
    for (column, width) in report.widths.iter().enumerate() {
        let centre = layout.panel_left(column) + layout.panel_width / 2.0;
        let is_base = *width == report.base_width;
        let note = if is_base { " (base)" } else { "" };
        let heading = format!("{} {width}{note}", axes.size);
        canvas.text(centre, TOP - 12.0, Anchor::Middle, HEADING, &heading);
    }
    for (row, scheme) in schemes.iter().enumerate() {
        for (column, width) in report.widths.iter().enumerate() {
            let mut cells: Vec<&Cell> = index.of(scheme, *width).iter().collect();
            cells.sort_by(|left, right| height(axes, left).total_cmp(&height(axes, right)));
            let panel = Panel {
                layout: &layout,
                axes,
                left: layout.panel_left(column),
                top: layout.panel_top(row),
                cells,
                pruned: pruned(report, scheme, *width),
            };
            panel.draw(&mut canvas, report, scheme, *width, column == 0);
        }
        let heading_y = layout.panel_top(row) - 8.0;
        let name = fit(scheme, 12.5, room);
        canvas.text(LEFT, heading_y, Anchor::Start, HEADING, &name);
    }
    let bottom = layout.panel_top(schemes.len()) - ROW_GAP + 44.0;
    let ends = (LEFT, layout.width - RIGHT);
    let height = layout
        .colours
        .legend(&mut canvas, ends, bottom, items(report));
    canvas.finish(
        layout.width,
        height,
        &format!("{} at scattered points", capital(&axes.metric.name)),
    )
}

fn pruned<'report>(
    report: &'report Report,
    scheme: &str,
    width: usize,
) -> Vec<&'report PrunedPoint> {
    let of_all = report.halving.iter().flat_map(|halving| &halving.pruned);
    of_all
        .filter(|point| point.scheme == scheme && point.width == width)
        .collect()
}

/// Where points touch, the better one lies above.
fn height(axes: &Axes, cell: &Cell) -> f64 {
    match cell.status {
        Status::Missing | Status::Failed => f64::NEG_INFINITY,
        Status::Diverged => f64::MIN,
        Status::Unstable => f64::MIN / 2.0,
        Status::Ok => axes.metric.goodness(cell.accuracy.unwrap_or_default()),
    }
}

fn items(report: &Report) -> Vec<(String, String)> {
    let near = format!("{}{}", dot("#26828e"), ring(7.0, 6.0, 6.1));
    let transferred = format!(
        "{}{}",
        dot("#26828e"),
        transferred_outline(0.0, -1.0, 14.0, 14.0)
    );
    let mut items = vec![
        (cross(7.0, 6.0, 4.0), "optimum".to_owned()),
        (near, near_label(report)),
        (transferred, transferred_label(report)),
        (dot(UNSTABLE), unstable_label(report)),
        (dot(DIVERGED), "diverged".to_owned()),
        (dot(NO_RESULT), "no result".to_owned()),
    ];
    if report.halving.is_some() {
        items.push((hollow(7.0, 6.0, 2.8, ""), "pruned".to_owned()));
    }
    items
}

/// A point with ρ > 0 that was given up.
fn hollow_dot(x: f64, y: f64, radius: f64, point: &PrunedPoint) -> String {
    hollow(x, y, radius, &title(point))
}

/// One with ρ = 0, which is shorter than those that were trained in full.
fn hollow_bar(x: f64, y: f64, point: &PrunedPoint) -> String {
    format!(
        r##"<line x1="{:.1}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke="#8a939c">{}</line>"##,
        x - 4.0,
        x + 4.0,
        title(point)
    )
}

fn title(point: &PrunedPoint) -> String {
    format!("<title>{}</title>", escape(&point.describe()))
}

/// The invisible fill lets a pointer find the inside too.
fn hollow(x: f64, y: f64, radius: f64, title: &str) -> String {
    format!(
        r##"<circle cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" fill="#ffffff" fill-opacity="0" stroke="#8a939c">{title}</circle>"##
    )
}

fn dot(fill: &str) -> String {
    format!(
        r##"<circle cx="7" cy="6" r="4.6" fill="{fill}" stroke="#8a939c" stroke-width="0.5"/>"##
    )
}

/// The ring around a point near the optimum.
fn ring(x: f64, y: f64, radius: f64) -> String {
    let circle =
        format!(r#"cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" fill="none" pointer-events="none""#);
    format!(
        r##"<circle {circle} stroke="#101418" stroke-width="3"/><circle {circle} stroke="#ffffff" stroke-width="1.4"/>"##
    )
}
