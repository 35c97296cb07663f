//! What it costs to carry the narrowest width's optimum to a wider network, and how far it moved.

use serde::{Deserialize, Serialize};

use super::cells::{Cells, Status};
use super::edges::{Bound, Slice, drift};
use super::optima::{Optimum, best_sam};
use super::statistics::{paired_difference, round};

/// Transfer from a scheme's narrowest width to a wider one. Drifts are `to − from` in octaves
/// (units of log₂); accuracies are between 0 and 1 and count a diverged cell as 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Scaling scheme.
    pub scheme: String,
    /// The narrowest width.
    pub from: usize,
    /// The wider width.
    pub to: usize,
    /// Drift of the optimal learning rate.
    pub log2_lr_drift: Option<f64>,
    /// Drift of the optimal radius.
    pub log2_rho_drift: Option<f64>,
    /// Drift of the centroid of log₂ η.
    pub centroid_lr_drift: Option<f64>,
    /// Drift of the centroid of log₂ ρ.
    pub centroid_rho_drift: Option<f64>,
    /// Drift of the interpolated right edge along ρ at the transferred learning rate.
    pub edge_rho_drift: Option<f64>,
    /// Whether `edge_rho_drift` is exact or a bound because an edge lies beyond the grid.
    pub edge_rho_drift_bound: Option<Bound>,
    /// Drift of the right edge counted in grid values only.
    pub edge_rho_grid_drift: Option<f64>,
    /// Drift of the radius beyond which training is unstable.
    pub instability_rho_drift: Option<f64>,
    /// Whether `instability_rho_drift` is exact or a bound.
    pub instability_rho_drift_bound: Option<Bound>,
    /// Selection accuracy at `to` with the narrowest width's η and ρ.
    pub accuracy_transferred: Option<f64>,
    /// Its standard error over seeds.
    pub stderr_transferred: Option<f64>,
    /// How the transferred cell ended; absent when the grid of `to` does not hold it.
    pub status_transferred: Option<Status>,
    /// Selection accuracy at `to`'s own optimum.
    pub accuracy_best: Option<f64>,
    /// Its standard error over seeds.
    pub stderr_best: Option<f64>,
    /// `accuracy_best − accuracy_transferred`, never negative.
    pub regret: Option<f64>,
    /// Standard error of the regret, paired over seeds.
    pub regret_stderr: Option<f64>,
    /// Test accuracy at `to` with the narrowest width's η and ρ.
    pub test_accuracy_transferred: Option<f64>,
    /// Test accuracy at `to`'s own optimum (selected on the selection set).
    pub test_accuracy_best: Option<f64>,
    /// Their difference, which may be negative.
    pub test_regret: Option<f64>,
    /// Standard error of `test_regret`, paired over seeds.
    pub test_regret_stderr: Option<f64>,
}

/// Compares the optimum and the slice of the narrowest width with those of a wider one. Scattered
/// points have no slices, and no edges then.
pub(super) fn transfer(
    cells: &Cells,
    from: (&Optimum, Option<&Slice>),
    to: (&Optimum, Option<&Slice>),
) -> Transfer {
    let ((from, from_slice), (to, to_slice)) = (from, to);
    let axes = &cells.axes;
    let metric = &axes.metric;
    let drift_of = |place: &dyn Fn(f64) -> f64, from: Option<f64>, to: Option<f64>| {
        Some(round(place(to?) - place(from?)))
    };
    let edge = drift(
        from_slice.and_then(Slice::right_edge),
        to_slice.and_then(Slice::right_edge),
    );
    let instability = drift(
        from_slice.and_then(Slice::instability_edge),
        to_slice.and_then(Slice::instability_edge),
    );
    let grid_edge = |slice: Option<&Slice>| slice?.right_edge_grid_log2_rho;
    let best = best_sam(cells, &to.scheme, to.width);
    let transferred = from
        .lr
        .zip(from.rho)
        .and_then(|(lr, rho)| cells.at(&to.scheme, to.width, lr, rho));
    let accuracy_transferred = transferred.and_then(|group| group.cell.accuracy_or_zero(axes));
    let test_accuracy_transferred =
        transferred.and_then(|group| group.cell.test_accuracy_or_zero(axes));
    let good = |value: Option<f64>| value.map(|value| metric.goodness(value));
    let pair = best.zip(transferred);
    let paired = pair.and_then(|(best, transferred)| {
        paired_difference(&best.scores, &transferred.scores, |score| {
            Some(metric.goodness(score.selection))
        })
    });
    let test_paired = pair.and_then(|(best, transferred)| {
        paired_difference(&best.scores, &transferred.scores, |score| {
            score.test.map(|test| metric.goodness(test))
        })
    });
    Transfer {
        scheme: to.scheme.clone(),
        from: from.width,
        to: to.width,
        log2_lr_drift: drift_of(&|lr| axes.x.place(lr), from.lr, to.lr),
        log2_rho_drift: axes
            .y
            .as_ref()
            .and_then(|axis| drift_of(&|rho| axis.place(rho), from.rho, to.rho)),
        centroid_lr_drift: difference(to.centroid_log2_lr, from.centroid_log2_lr),
        centroid_rho_drift: difference(to.centroid_log2_rho, from.centroid_log2_rho),
        edge_rho_drift: edge.map(|(drift, _)| drift),
        edge_rho_drift_bound: edge.map(|(_, bound)| bound),
        edge_rho_grid_drift: edge.and(difference(grid_edge(to_slice), grid_edge(from_slice))),
        instability_rho_drift: instability.map(|(drift, _)| drift),
        instability_rho_drift_bound: instability.map(|(_, bound)| bound),
        accuracy_transferred,
        stderr_transferred: transferred.and_then(|group| group.cell.stderr),
        status_transferred: transferred.map(|group| group.cell.status),
        accuracy_best: to.accuracy,
        stderr_best: to.stderr,
        regret: difference(good(to.accuracy), good(accuracy_transferred)),
        regret_stderr: paired.and_then(|estimate| estimate.stderr),
        test_accuracy_transferred,
        test_accuracy_best: to.test_accuracy,
        test_regret: difference(good(to.test_accuracy), good(test_accuracy_transferred)),
        test_regret_stderr: test_paired.and_then(|estimate| estimate.stderr),
    }
}

fn difference(left: Option<f64>, right: Option<f64>) -> Option<f64> {
    Some(round(left? - right?))
}
