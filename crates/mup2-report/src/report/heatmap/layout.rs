//! Sizes and scales of the heat maps, shared by all panels.

use crate::report::Report;
use crate::report::cells::CellIndex;
use crate::report::colour_scale::ColourScale;

pub(super) const LEFT: f64 = 58.0;
pub(super) const RIGHT: f64 = 18.0;
pub(super) const TOP: f64 = 84.0;
const GAP: f64 = 18.0;
/// Below each panel: tick labels and the next row's heading.
pub(super) const ROW_GAP: f64 = 50.0;
const FULL_WIDTH: f64 = 1120.0;
const NARROWEST_FIGURE: f64 = 640.0;
/// Width of the strip of cells with ρ = 0, and its distance from the others.
pub(super) const SGD_STRIP: f64 = 16.0;
const SGD_GAP: f64 = 5.0;

/// Sizes and scales that all panels share.
pub(super) struct Layout {
    pub width: f64,
    pub panel_width: f64,
    pub panel_height: f64,
    /// Where the cells with ρ > 0 begin, from the panel's left.
    pub inset: f64,
    pub rho: (f64, f64),
    pub lr: (f64, f64),
    pub colours: ColourScale,
}

impl Layout {
    pub fn new(report: &Report, index: &CellIndex, schemes: &[String]) -> Self {
        let axes = &report.axes;
        let mut rho: Option<(f64, f64)> = None;
        let mut lr: Option<(f64, f64)> = None;
        for scheme in schemes {
            for width in &report.widths {
                let of_panel = index.of(scheme, *width).iter();
                let tuned = of_panel.clone().filter(|cell| !axes.is_baseline(cell.rho));
                widen(
                    &mut rho,
                    &boundaries(tuned.map(|cell| axes.y_place(cell.rho))),
                );
                widen(
                    &mut lr,
                    &boundaries(of_panel.map(|cell| axes.x.place(cell.lr))),
                );
            }
        }
        let (rho, lr) = (rho.unwrap_or((-0.5, 0.5)), lr.unwrap_or((-0.5, 0.5)));
        let columns = report.widths.len().max(1) as f64;
        let room = FULL_WIDTH - LEFT - RIGHT - GAP * (columns - 1.0);
        let panel_width = (room / columns).clamp(130.0, 300.0);
        let has_sgd = report.cells.iter().any(|cell| axes.is_baseline(cell.rho));
        let inset = if has_sgd { SGD_STRIP + SGD_GAP } else { 0.0 };
        let octave = (panel_width - inset) / (rho.1 - rho.0);
        let all = columns * (panel_width + GAP) - GAP + LEFT + RIGHT;
        Self {
            width: all.max(NARROWEST_FIGURE),
            panel_width,
            panel_height: (octave * (lr.1 - lr.0)).clamp(84.0, 190.0),
            inset,
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
}

fn widen(range: &mut Option<(f64, f64)>, boundaries: &[f64]) {
    if let (Some(&low), Some(&high)) = (boundaries.first(), boundaries.last()) {
        let known = range.get_or_insert((low, high));
        *known = (known.0.min(low), known.1.max(high));
    }
}

/// The borders of the cells around grid values: midpoints, and as far out at the ends.
pub(super) fn boundaries(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values = distinct(values);
    let mut borders: Vec<f64> = values
        .windows(2)
        .map(|pair| (pair[0] + pair[1]) / 2.0)
        .collect();
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
        return borders;
    };
    let low = borders.first().map_or(0.5, |border| border - first);
    let high = borders.last().map_or(0.5, |border| last - border);
    borders.insert(0, first - low);
    borders.push(last + high);
    borders
}

pub(super) fn distinct(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// The borders below and above a value.
pub(super) fn around(borders: &[f64], value: f64) -> (f64, f64) {
    let above = borders.partition_point(|border| *border < value);
    let low = borders.get(above.saturating_sub(1)).copied();
    let high = borders.get(above).copied();
    (low.unwrap_or(value - 0.5), high.unwrap_or(value + 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_reach_to_the_middle_between_grid_values() {
        assert_eq!(
            boundaries([2.0, 0.0, 1.0, 1.0].into_iter()),
            vec![-0.5, 0.5, 1.5, 2.5]
        );
        assert_eq!(boundaries([3.0].into_iter()), vec![2.5, 3.5]);
        assert!(boundaries([].into_iter()).is_empty());
        assert_eq!(around(&[-0.5, 0.5, 1.5], 1.0), (0.5, 1.5));
    }
}
