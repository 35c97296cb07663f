//! Each width's optimum over the grid, the centroid of what is near it, and the edges it lies on.

use serde::{Deserialize, Serialize};

use super::cells::{Cell, Cells, Group, Status};
use super::{Axes, MetricKind};

/// Cells within this accuracy of the optimum are drawn inside its contour and make its centroid.
pub const NEAR_OPTIMUM: f64 = 0.01;

/// Keeps a comparison such as 0.82 ≥ 0.83 − 0.01 from failing by rounding.
pub(super) const TOLERANCE: f64 = 1e-9;

/// An end of the grid, or of the range of scattered points, on which an optimum lies: the true
/// optimum may lie beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GridEdge {
    /// The smallest learning rate.
    LrLow,
    /// The largest learning rate.
    LrHigh,
    /// The smallest positive radius.
    RhoLow,
    /// The largest radius.
    RhoHigh,
}

impl GridEdge {
    /// The edge in words: `η low`.
    pub fn words(self, axes: &Axes) -> String {
        let y = axes.y.as_ref().map_or("", |axis| &axis.symbol);
        let x = &axes.x.symbol;
        match self {
            Self::LrLow => format!("{x} low"),
            Self::LrHigh => format!("{x} high"),
            Self::RhoLow => format!("{y} low"),
            Self::RhoHigh => format!("{y} high"),
        }
    }
}

/// The best cell with ρ > 0 of one scheme at one width; every value is absent when all runs
/// diverged, failed or are missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Optimum {
    /// Scaling scheme.
    pub scheme: String,
    /// Width of the network.
    pub width: usize,
    /// Learning rate η of the optimum.
    pub lr: Option<f64>,
    /// Perturbation radius ρ of the optimum.
    pub rho: Option<f64>,
    /// Mean selection accuracy there, 0 to 1.
    pub accuracy: Option<f64>,
    /// Its standard error over seeds.
    pub stderr: Option<f64>,
    /// Whether η or ρ is the smallest or largest of this width's points that has a result, or, among
    /// scattered points, within [`EDGE_MARGIN`](super::EDGE_MARGIN) of its range's end.
    pub at_edge: bool,
    /// Which ends of the grid it lies on.
    pub edges: Vec<GridEdge>,
    /// Mean test accuracy there, 0 to 1.
    pub test_accuracy: Option<f64>,
    /// Its standard error over seeds.
    pub test_stderr: Option<f64>,
    /// Mean of log₂ η over the cells within [`NEAR_OPTIMUM`] of the optimum.
    pub centroid_log2_lr: Option<f64>,
    /// Mean of log₂ ρ over the same cells.
    pub centroid_log2_rho: Option<f64>,
    /// How many cells those are.
    pub near_optimum: usize,
}

/// The best cell with ρ > 0: highest accuracy, then the smaller ρ, then the smaller η.
pub(super) fn best_sam<'cells>(
    cells: &'cells Cells,
    scheme: &'cells str,
    width: usize,
) -> Option<&'cells Group> {
    let is_tuned = |group: &&Group| !cells.axes.is_baseline(group.cell.rho);
    best(&cells.axes, cells.of(scheme, width).filter(is_tuned))
}

/// The best cell with ρ = 0: highest accuracy, then the smaller η.
pub(super) fn best_sgd<'cells>(
    cells: &'cells Cells,
    scheme: &'cells str,
    width: usize,
) -> Option<&'cells Group> {
    let is_baseline = |group: &&Group| cells.axes.is_baseline(group.cell.rho);
    best(&cells.axes, cells.of(scheme, width).filter(is_baseline))
}

fn best<'cells>(axes: &Axes, groups: impl Iterator<Item = &'cells Group>) -> Option<&'cells Group> {
    let is_share = axes.metric.kind == MetricKind::Share;
    groups
        // A diverged seed lowers the mean of a share to its place; of a number it is left out.
        .filter(|group| is_share || group.cell.diverged == 0)
        .filter_map(|group| Some((group, axes.metric.goodness(group.cell.accuracy?))))
        .min_by(|(left, left_accuracy), (right, right_accuracy)| {
            right_accuracy
                .total_cmp(left_accuracy)
                .then(left.cell.rho.total_cmp(&right.cell.rho))
                .then(left.cell.lr.total_cmp(&right.cell.lr))
        })
        .map(|(group, _)| group)
}

/// Whether a cell is within [`NEAR_OPTIMUM`] of the best accuracy.
pub(super) fn is_near(axes: &Axes, cell: &Cell, best_accuracy: f64) -> bool {
    let metric = &axes.metric;
    let near = metric.near(best_accuracy) + TOLERANCE;
    let loss = |accuracy| metric.goodness(best_accuracy) - metric.goodness(accuracy);
    !axes.is_baseline(cell.rho) && cell.accuracy.is_some_and(|accuracy| loss(accuracy) <= near)
}

/// The optimum of one scheme at one width.
pub(super) fn optimum(cells: &Cells, scheme: &str, width: usize) -> Optimum {
    let mut optimum = Optimum {
        scheme: scheme.to_owned(),
        width,
        lr: None,
        rho: None,
        accuracy: None,
        stderr: None,
        at_edge: false,
        edges: Vec::new(),
        test_accuracy: None,
        test_stderr: None,
        centroid_log2_lr: None,
        centroid_log2_rho: None,
        near_optimum: 0,
    };
    let Some(best) = best_sam(cells, scheme, width).map(|group| &group.cell) else {
        return optimum;
    };
    let best_accuracy = best.accuracy.unwrap_or_default();
    let near: Vec<&Cell> = cells
        .of(scheme, width)
        .map(|group| &group.cell)
        .filter(|cell| is_near(&cells.axes, cell, best_accuracy))
        .collect();
    let centroid = |place: &dyn Fn(&Cell) -> f64| {
        let sum: f64 = near.iter().map(|cell| place(cell)).sum();
        (!near.is_empty()).then(|| super::statistics::round(sum / near.len() as f64))
    };
    optimum.lr = Some(best.lr);
    optimum.rho = Some(best.rho);
    optimum.accuracy = best.accuracy;
    optimum.stderr = best.stderr;
    optimum.test_accuracy = best.test_accuracy;
    optimum.test_stderr = best.test_stderr;
    optimum.edges = edges(cells, best);
    optimum.at_edge = !optimum.edges.is_empty();
    optimum.centroid_log2_lr = centroid(&|cell| cells.axes.x.place(cell.lr));
    optimum.centroid_log2_rho = centroid(&|cell| cells.axes.y_place(cell.rho));
    optimum.near_optimum = near.len();
    optimum
}

/// The ends of the grid or range on which the best cell lies. A value that has no result at all is not part
/// of the grid here: an optimum beside it is just as open to that side.
fn edges(cells: &Cells, best: &Cell) -> Vec<GridEdge> {
    let known = || {
        let has_result =
            |group: &Group| !matches!(group.cell.status, Status::Failed | Status::Missing);
        let points = cells.known_points(&best.scheme, best.width, has_result);
        points.filter(|(_, rho)| !cells.axes.is_baseline(*rho))
    };
    let (lr_low, lr_high) = cells.sampling.lr_ends(cells.axes.x.place(best.lr));
    let (rho_low, rho_high) = cells.sampling.rho_ends(cells.axes.y_place(best.rho));
    let has_y = cells.axes.y.is_some();
    let ends = [
        (
            GridEdge::LrLow,
            lr_low || known().all(|(lr, _)| lr >= best.lr),
        ),
        (
            GridEdge::LrHigh,
            lr_high || known().all(|(lr, _)| lr <= best.lr),
        ),
        (
            GridEdge::RhoLow,
            has_y && (rho_low || known().all(|(_, rho)| rho >= best.rho)),
        ),
        (
            GridEdge::RhoHigh,
            has_y && (rho_high || known().all(|(_, rho)| rho <= best.rho)),
        ),
    ];
    ends.into_iter()
        .filter_map(|(edge, holds)| holds.then_some(edge))
        .collect()
}
