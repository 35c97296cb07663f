//! The heat maps' symbols and their legend.

use super::layout::{LEFT, Layout, RIGHT};
use super::panel::TICK;
use crate::figure::colour::{DIVERGED, TRANSFERRED, UNSTABLE, viridis};
use crate::figure::number::trimmed;
use crate::figure::svg::{Anchor, Canvas, LABEL, text_width, ticks};
use crate::report::{NEAR_OPTIMUM, Report};

/// The outline of what is near the optimum.
pub(super) fn contour_stroke(path: &str) -> String {
    format!(
        r##"<path d="{path}" fill="none" stroke="#101418" stroke-width="3.6" stroke-linecap="square" pointer-events="none"/><path d="{path}" fill="none" stroke="#ffffff" stroke-width="1.8" stroke-linecap="square" pointer-events="none"/>"##
    )
}

/// The outline of the optimum carried over.
pub(super) fn transferred_outline(x: f64, y: f64, width: f64, height: f64) -> String {
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
pub(super) fn cross(x: f64, y: f64, arm: f64) -> String {
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

/// Draws the legend from `top` on and returns the figure's height.
pub(super) fn legend(canvas: &mut Canvas, report: &Report, layout: &Layout, top: f64) -> f64 {
    const BAR: f64 = 220.0;
    let (low, high) = layout.accuracy;
    canvas.text(LEFT, top + 10.0, Anchor::Start, LABEL, "accuracy, %");
    let left = LEFT + 78.0;
    for step in 0..BAR as usize / 2 {
        let share = (step as f64 + 0.5) / (BAR / 2.0);
        canvas.push(&format!(
            r#"<rect x="{:.1}" y="{top:.1}" width="2.4" height="12" fill="{}"/>"#,
            left + step as f64 * 2.0,
            viridis(share)
        ));
    }
    let mut free_from = left;
    for tick in ticks(low * 100.0, high * 100.0, 7) {
        let x = left + layout.share(tick / 100.0) * BAR;
        // The scale crowds the low values; labels that would touch are left out.
        if x < free_from {
            continue;
        }
        free_from = x + 22.0;
        canvas.axis_line((x, top + 12.0), (x, top + 15.0));
        let label = trimmed(tick);
        canvas.text(x, top + 26.0, Anchor::Middle, TICK, &label);
    }
    let unstable = format!(
        "unstable (below {} %)",
        trimmed(report.unstable_below * 100.0)
    );
    let near = format!("within {} point of the optimum", NEAR_OPTIMUM * 100.0);
    let square = |fill: &str| {
        format!(
            r##"<rect x="1" y="0" width="12" height="12" fill="{fill}" stroke="#8a939c" stroke-width="0.5"/>"##
        )
    };
    let outlined = format!("{}{}", square("#26828e"), contour_stroke("M2 1H12V11H2V1"));
    let items = [
        (cross(7.0, 6.0, 4.0), "optimum".to_owned()),
        (outlined, near),
        (
            transferred_outline(1.0, 0.0, 12.0, 12.0),
            "narrowest width's optimum".to_owned(),
        ),
        (square(UNSTABLE), unstable),
        (square(DIVERGED), "diverged".to_owned()),
        (square("url(#no-result)"), "no result".to_owned()),
    ];
    let (mut x, mut y) = (left + BAR + 36.0, top);
    for (symbol, label) in items {
        let width = 20.0 + text_width(&label, 11.0) + 10.0;
        if x + width > layout.width - RIGHT {
            x = left + BAR + 36.0;
            y += 20.0;
            if x + width > layout.width - RIGHT {
                x = LEFT;
                y = y.max(top + 40.0);
            }
        }
        canvas.push(&format!(
            r#"<g transform="translate({x:.1} {y:.1})">{symbol}</g>"#
        ));
        canvas.text(x + 20.0, y + 10.0, Anchor::Start, LABEL, &label);
        x += width;
    }
    (y + 30.0).max(top + 40.0)
}
