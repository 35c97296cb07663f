//! The figure of the paper's Fig. 1: accuracy over η × ρ, one row per scheme, one column per width.

mod layout;
mod legend;
mod panel;

use super::cells::CellIndex;
use super::colour_scale::DEFINITIONS;
use super::{Axis, Report};
use crate::figure::svg::{Anchor, Canvas, HEADING, LABEL, TITLE, fit};
use layout::Layout;
use panel::Panel;

pub(super) use legend::{
    cross, near_label, transferred_label, transferred_outline, unstable_label,
};
pub(super) use panel::describe;

/// Draws the heat maps of the given schemes.
pub(super) fn heatmaps(report: &Report, schemes: &[String]) -> String {
    let index = CellIndex::new(&report.cells);
    let layout = Layout::new(report, &index, schemes);
    let axes = &report.axes;
    let mut canvas = Canvas::default();
    canvas.push(DEFINITIONS);
    let room = layout.width - layout::LEFT - layout::RIGHT;
    canvas.text(
        layout::LEFT,
        26.0,
        Anchor::Start,
        TITLE,
        &fit(&report.title, 15.0, room),
    );
    let subtitle = format!(
        "{}: {} over {} and {}",
        report.dataset,
        report.measured(),
        axes.y.as_ref().map_or(String::new(), Axis::words),
        axes.x.words()
    );
    canvas.text(
        layout::LEFT,
        45.0,
        Anchor::Start,
        LABEL,
        &fit(&subtitle, 11.0, room),
    );
    for (column, width) in report.widths.iter().enumerate() {
        let centre = layout.panel_left(column) + layout.panel_width / 2.0;
        let note = if *width == report.base_width {
            " (base)"
        } else {
            ""
        };
        canvas.text(
            centre,
            layout::TOP - 12.0,
            Anchor::Middle,
            HEADING,
            &format!("{} {width}{note}", axes.size),
        );
    }
    for (row, scheme) in schemes.iter().enumerate() {
        for (column, width) in report.widths.iter().enumerate() {
            let place = (layout.panel_left(column), layout.panel_top(row));
            let panel = Panel::new(&layout, axes, place, index.of(scheme, *width));
            panel.draw(&mut canvas, report, scheme, *width, column == 0);
        }
        let heading_y = layout.panel_top(row) - 8.0;
        let name = fit(scheme, 12.5, room);
        canvas.text(layout::LEFT, heading_y, Anchor::Start, HEADING, &name);
    }
    let bottom = layout.panel_top(schemes.len()) - layout::ROW_GAP + 44.0;
    let height = legend::legend(&mut canvas, report, &layout, bottom);
    canvas.finish(
        layout.width,
        height,
        &format!("Heat maps of {}", axes.metric.name),
    )
}
