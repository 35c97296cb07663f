//! Sizes and scales of the scatter plots, shared by all panels.

use crate::report::cells::Cell;
use crate::report::colour_scale::ColourScale;
use crate::report::{Report, Sampling};

pub(super) const LEFT: f64 = 58.0;
pub(super) const RIGHT: f64 = 18.0;
pub(super) const TOP: f64 = 84.0;
const GAP: f64 = 22.0;
/// Below each panel: tick labels and the next row's heading.
pub(super) const ROW_GAP: f64 = 54.0;
const FULL_WIDTH: f64 = 1120.0;
const NARROWEST_FIGURE: f64 = 640.0;
/// Width of the strip of points with ρ = 0, and its distance from the others.
pub(super) const SGD_STRIP: f64 = 16.0;
const SGD_GAP: f64 = 7.0;
/// Room between the frame and the ends of the ranges, so that no mark is cut.
const PADDING: f64 = 10.0;

/// Sizes and scales that all panels share.
pub(super) struct Layout {
    pub width: f64,
    pub panel_width: f64,
    pub panel_height: f64,
    /// Where the frame of the points with ρ > 0 begins, from the panel's left.
    pub inset: f64,
    /// Radius of a point.
    pub radius: f64,
    pub rho: (f64, f64),
    pub lr: (f64, f64),
    pub colours: ColourScale,
}

impl Layout {
    pub fn new(report: &Report, schemes: &[String]) -> Self {
        let axes = &report.axes;
        let shown = || {
            let is_shown = |cell: &&Cell| schemes.contains(&cell.scheme);
            report.cells.iter().filter(is_shown)
        };
        let pruned = || {
            let of_all = report.halving.iter().flat_map(|halving| &halving.pruned);
            of_all.filter(|point| schemes.contains(&point.scheme))
        };
        // All points as (η, ρ), those that were given up among them.
        let points = || {
            let full = shown().map(|cell| (cell.lr, cell.rho));
            full.chain(pruned().map(|point| (point.lr, point.rho)))
        };
        let sam = || points().filter(|(_, rho)| !axes.is_baseline(*rho));
        let (lr, rho) = match &report.sampling {
            Sampling::Grid => (None, None),
            Sampling::Scattered {
                log2_lr, log2_rho, ..
            } => (Some(*log2_lr), Some(*log2_rho)),
        };
        let lr = around(lr, points().map(|(lr, _)| axes.x.place(lr)));
        let rho = around(rho, sam().map(|(_, rho)| axes.y_place(rho)));
        let columns = report.widths.len().max(1) as f64;
        let room = FULL_WIDTH - LEFT - RIGHT - GAP * (columns - 1.0);
        let panel_width = (room / columns).clamp(130.0, 300.0);
        let has_sgd = points().any(|(_, rho)| axes.is_baseline(rho));
        let inset = if has_sgd { SGD_STRIP + SGD_GAP } else { 0.0 };
        let octave = (panel_width - inset - 2.0 * PADDING) / (rho.1 - rho.0);
        let panel_height = (octave * (lr.1 - lr.0) + 2.0 * PADDING).clamp(130.0, 220.0);
        let all = columns * (panel_width + GAP) - GAP + LEFT + RIGHT;
        let panels = (columns * schemes.len().max(1) as f64).max(1.0);
        let area = (panel_width - inset) * panel_height;
        let share = area / (sam().count() as f64 / panels).max(1.0);
        Self {
            width: all.max(NARROWEST_FIGURE),
            panel_width,
            panel_height,
            inset,
            radius: (share.sqrt() * 0.22).clamp(1.8, 4.6),
            rho,
            lr,
            colours: ColourScale::of(report),
        }
    }

    pub fn panel_left(&self, column: usize) -> f64 {
        LEFT + column as f64 * (self.panel_width + GAP)
    }

    pub fn panel_top(&self, row: usize) -> f64 {
        TOP + 22.0 + row as f64 * (self.panel_height + ROW_GAP)
    }

    /// The place of a radius, from the panel's left.
    pub fn x(&self, log2_rho: f64) -> f64 {
        let room = self.panel_width - self.inset - 2.0 * PADDING;
        let (low, high) = self.rho;
        self.inset + PADDING + (log2_rho - low) / (high - low) * room
    }

    /// The place of a learning rate, from the panel's top.
    pub fn y(&self, log2_lr: f64) -> f64 {
        let room = self.panel_height - 2.0 * PADDING;
        let (low, high) = self.lr;
        PADDING + (high - log2_lr) / (high - low) * room
    }
}

/// The range that was drawn from, widened where a point lies outside it.
fn around(range: Option<(f64, f64)>, values: impl Iterator<Item = f64>) -> (f64, f64) {
    let range = range.filter(|(low, high)| low.is_finite() && high.is_finite() && low < high);
    let widened = values.fold(range, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    });
    match widened {
        Some((low, high)) if low < high => (low, high),
        Some((only, _)) => (only - 0.5, only + 0.5),
        None => (-0.5, 0.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axes_span_the_range_that_was_drawn_from_and_every_point() {
        let points = || [-3.0, 2.0].into_iter();
        assert_eq!(around(Some((-4.0, 1.0)), points()), (-4.0, 2.0));
        assert_eq!(around(Some((f64::NAN, 1.0)), points()), (-3.0, 2.0));
        assert_eq!(around(None, [1.0].into_iter()), (0.5, 1.5));
    }
}
