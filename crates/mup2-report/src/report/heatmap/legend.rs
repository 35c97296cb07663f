//! The symbols of optima and of runs that ended badly, and the heat maps' legend.

use super::layout::{LEFT, Layout, RIGHT};
use crate::figure::colour::{DIVERGED, TRANSFERRED, UNSTABLE};
use crate::figure::svg::Canvas;
use crate::report::colour_scale::NO_RESULT;
use crate::report::{MetricKind, NEAR_OPTIMUM, Report};
use mup2_scaling::number::{plain, trimmed};

/// The outline of what is near the optimum.
pub(super) fn contour_stroke(path: &str) -> String {
    format!(
        r##"<path d="{path}" fill="none" stroke="#101418" stroke-width="3.6" stroke-linecap="square" pointer-events="none"/><path d="{path}" fill="none" stroke="#ffffff" stroke-width="1.8" stroke-linecap="square" pointer-events="none"/>"##
    )
}

/// The outline of the optimum carried over.
pub(in crate::report) fn transferred_outline(x: f64, y: f64, width: f64, height: f64) -> String {
    let rectangle = format!(
        r#"x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" fill="none" pointer-events="none""#,
        width.max(1.0),
        height.max(1.0)
    );
    format!(
        r##"<rect {rectangle} stroke="#ffffff" stroke-width="2"/><rect {rectangle} stroke="{TRANSFERRED}" stroke-width="2" stroke-dasharray="4 2.5"/>"##
    )
}

/// The mark of an optimum.
pub(in crate::report) fn cross(x: f64, y: f64, arm: f64) -> String {
    let path = format!(
        "M{:.1} {:.1}L{:.1} {:.1}M{:.1} {:.1}L{:.1} {:.1}",
        x - arm,
        y - arm,
        x + arm,
        y + arm,
        x - arm,
        y + arm,
        x + arm,
        y - arm
    );
    format!(
        r##"<path d="{path}" stroke="#ffffff" stroke-width="4.6" stroke-linecap="round" pointer-events="none"/><path d="{path}" stroke="#101418" stroke-width="2.2" stroke-linecap="round" pointer-events="none"/>"##
    )
}

/// A square in the fill of a cell.
fn square(fill: &str) -> String {
    format!(
        r##"<rect x="1" y="0" width="12" height="12" fill="{fill}" stroke="#8a939c" stroke-width="0.5"/>"##
    )
}

/// The words for cells below the stability threshold.
pub(in crate::report) fn unstable_label(report: &Report) -> String {
    let metric = &report.axes.metric;
    let below = if metric.minimize { "above" } else { "below" };
    format!("unstable ({below} {}{})", threshold(report), metric.unit())
}

/// The words for the optimum of the narrowest width.
pub(in crate::report) fn transferred_label(report: &Report) -> String {
    match report.axes.size.as_str() {
        "width" => "narrowest width's optimum".to_owned(),
        size => format!("smallest {size}'s optimum"),
    }
}

/// The words for cells near the optimum.
pub(in crate::report) fn near_label(report: &Report) -> String {
    let near = report.axes.metric.loss_in_words(NEAR_OPTIMUM);
    format!("within {near} of the optimum")
}

/// The stability threshold in the metric's unit.
fn threshold(report: &Report) -> String {
    let metric = &report.axes.metric;
    match metric.kind {
        MetricKind::Share => trimmed(metric.shown(report.unstable_below)),
        MetricKind::Number => plain(report.unstable_below),
    }
}

/// Draws the legend from `top` on and returns the figure's height.
pub(super) fn legend(canvas: &mut Canvas, report: &Report, layout: &Layout, top: f64) -> f64 {
    let outlined = format!("{}{}", square("#26828e"), contour_stroke("M2 1H12V11H2V1"));
    let mut items = vec![
        (cross(7.0, 6.0, 4.0), "optimum".to_owned()),
        (outlined, near_label(report)),
        (
            transferred_outline(1.0, 0.0, 12.0, 12.0),
            transferred_label(report),
        ),
    ];
    if report.shows_unstable() {
        items.push((square(UNSTABLE), unstable_label(report)));
    }
    items.push((square(DIVERGED), "diverged".to_owned()));
    items.push((square(NO_RESULT), "no result".to_owned()));
    let ends = (LEFT, layout.width - RIGHT);
    layout.colours.legend(canvas, ends, top, items)
}
