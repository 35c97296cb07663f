//! Where, along ρ at the transferred learning rate, accuracy starts to fall and where it is lost.

use serde::{Deserialize, Serialize};

use super::MetricKind;
use super::cells::Cells;
use super::optima::{TOLERANCE, best_sam};
use super::statistics::round;

/// Accuracy may fall by this much below the slice's best before the right edge is reached.
pub const RIGHT_EDGE_LOSS: f64 = 0.02;

/// How a number that the grid may have cut off relates to the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Both ends lie inside the grid.
    Exact,
    /// The true value is at least this.
    AtLeast,
    /// The true value is at most this.
    AtMost,
}

/// One width's slice along ρ at the learning rate that is best at the scheme's narrowest width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Scaling scheme.
    pub scheme: String,
    /// Width of the network.
    pub width: usize,
    /// The transferred learning rate η.
    pub lr: Option<f64>,
    /// log₂ of the largest grid value of ρ within [`RIGHT_EDGE_LOSS`] of the slice's best accuracy.
    pub right_edge_grid_log2_rho: Option<f64>,
    /// The same, interpolated linearly to where accuracy crosses that threshold.
    pub right_edge_log2_rho: Option<f64>,
    /// Whether the last grid point is still within: the edge is then a lower bound.
    pub right_edge_beyond_grid: bool,
    /// log₂ ρ beyond which accuracy stays below `unstable_below`, interpolated; absent if never.
    pub instability_log2_rho: Option<f64>,
    /// Whether already the first grid point is below: the edge is then an upper bound.
    pub instability_before_grid: bool,
    /// log₂ of the largest ρ that has a result.
    pub last_log2_rho: Option<f64>,
}

impl Slice {
    /// The right edge and what it is worth.
    pub(super) fn right_edge(&self) -> Option<(f64, Bound)> {
        let bound = if self.right_edge_beyond_grid {
            Bound::AtLeast
        } else {
            Bound::Exact
        };
        Some((self.right_edge_log2_rho?, bound))
    }

    /// The instability edge and what it is worth: never unstable means at least the last ρ.
    pub(super) fn instability_edge(&self) -> Option<(f64, Bound)> {
        match self.instability_log2_rho {
            Some(edge) if self.instability_before_grid => Some((edge, Bound::AtMost)),
            Some(edge) => Some((edge, Bound::Exact)),
            None => Some((self.last_log2_rho?, Bound::AtLeast)),
        }
    }
}

/// The slice of one width at the learning rate that is best at `narrowest`.
pub(super) fn slice(
    cells: &Cells,
    scheme: &str,
    narrowest: usize,
    width: usize,
    unstable_below: f64,
) -> Slice {
    let lr = best_sam(cells, scheme, narrowest).map(|group| group.cell.lr);
    let axes = &cells.axes;
    let metric = &axes.metric;
    let points: Vec<(f64, f64)> = cells
        .of(scheme, width)
        .map(|group| &group.cell)
        .filter(|cell| !axes.is_baseline(cell.rho) && Some(cell.lr) == lr)
        .filter_map(|cell| {
            let height = metric.goodness(cell.accuracy_or_zero(axes)?);
            Some((axes.y_place(cell.rho), height))
        })
        .collect();
    // A slice that diverged everywhere has no best accuracy to stay near to.
    let best = points
        .iter()
        .map(|point| point.1)
        .max_by(f64::total_cmp)
        .filter(|best| metric.kind == MetricKind::Number || *best > 0.0);
    let right = best.and_then(|best| last_crossing(&points, best - metric.edge_loss(best)));
    let instability = last_crossing(&points, metric.goodness(unstable_below));
    let (instability_log2_rho, instability_before_grid) = match (instability, points.first()) {
        (Some(crossing), _) if crossing.beyond_grid => (None, false),
        (Some(crossing), _) => (Some(crossing.interpolated), false),
        (None, Some(first)) => (Some(first.0), true),
        (None, None) => (None, false),
    };
    Slice {
        scheme: scheme.to_owned(),
        width,
        lr,
        right_edge_grid_log2_rho: right.map(|crossing| crossing.grid),
        right_edge_log2_rho: right.map(|crossing| crossing.interpolated),
        right_edge_beyond_grid: right.is_some_and(|crossing| crossing.beyond_grid),
        instability_log2_rho,
        instability_before_grid,
        last_log2_rho: points.last().map(|point| point.0),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Crossing {
    grid: f64,
    interpolated: f64,
    beyond_grid: bool,
}

/// The last point (log₂ ρ, accuracy) at or above the threshold, and where the line to the next
/// one crosses it; nothing when no point is above.
fn last_crossing(points: &[(f64, f64)], threshold: f64) -> Option<Crossing> {
    let last = points
        .iter()
        .rposition(|point| point.1 >= threshold - TOLERANCE)?;
    let (inside, height) = *points.get(last)?;
    let Some(&(outside, fallen)) = points.get(last + 1) else {
        return Some(Crossing {
            grid: round(inside),
            interpolated: round(inside),
            beyond_grid: true,
        });
    };
    let share = ((height - threshold) / (height - fallen)).clamp(0.0, 1.0);
    Some(Crossing {
        grid: round(inside),
        interpolated: round(inside + share * (outside - inside)),
        beyond_grid: false,
    })
}

/// The difference `to − from` of two edges; nothing when the grid leaves its sign and size open.
pub(super) fn drift(from: Option<(f64, Bound)>, to: Option<(f64, Bound)>) -> Option<(f64, Bound)> {
    let ((from, from_bound), (to, to_bound)) = (from?, to?);
    let bound = match (from_bound, to_bound) {
        (Bound::Exact, bound) => bound,
        (Bound::AtLeast, Bound::Exact | Bound::AtMost) => Bound::AtMost,
        (Bound::AtMost, Bound::Exact | Bound::AtLeast) => Bound::AtLeast,
        (Bound::AtLeast, Bound::AtLeast) | (Bound::AtMost, Bound::AtMost) => return None,
    };
    Some((round(to - from), bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crossing_is_interpolated_between_the_last_inside_and_the_next_point() {
        let points = [(-3.0, 0.80), (-2.0, 0.79), (-1.0, 0.75), (0.0, 0.10)];
        let crossing = last_crossing(&points, 0.78).unwrap();
        assert_eq!(crossing.grid, -2.0);
        // From 0.79 to 0.75 the threshold 0.78 lies a quarter of the way.
        assert_eq!(crossing.interpolated, -1.75);
        assert!(!crossing.beyond_grid);
    }

    #[test]
    fn a_dip_does_not_end_the_slice() {
        let points = [(-3.0, 0.80), (-2.0, 0.50), (-1.0, 0.80), (0.0, 0.70)];
        assert_eq!(last_crossing(&points, 0.78).unwrap().grid, -1.0);
    }

    #[test]
    fn an_edge_that_the_grid_cuts_off_makes_the_drift_a_bound() {
        let inside = Some((-2.0, Bound::Exact));
        let cut = Some((1.0, Bound::AtLeast));
        assert_eq!(drift(inside, cut), Some((3.0, Bound::AtLeast)));
        assert_eq!(drift(cut, inside), Some((-3.0, Bound::AtMost)));
        assert_eq!(drift(cut, cut), None);
        assert_eq!(drift(inside, None), None);
    }
}
