//! SAM against the base optimizer without SAM, each at its own optimum.

use serde::{Deserialize, Serialize};

use super::cells::Cells;
use super::optima::{best_sam, best_sgd};
use super::statistics::{Score, paired_difference};

/// SGD (ρ = 0, best η) against SAM (best η and ρ > 0) of one scheme at one width. Both are selected
/// on the selection set; accuracies are between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Scaling scheme.
    pub scheme: String,
    /// Width of the network.
    pub width: usize,
    /// Selection accuracy of SGD.
    pub sgd_accuracy: Option<f64>,
    /// Its standard error over seeds.
    pub sgd_stderr: Option<f64>,
    /// Learning rate η of SGD.
    pub sgd_lr: Option<f64>,
    /// Whether SGD's η is the smallest or largest of its points, or, among scattered points, within
    /// [`EDGE_MARGIN`](super::EDGE_MARGIN) of its range's end.
    pub sgd_at_edge: bool,
    /// Selection accuracy of SAM.
    pub sam_accuracy: Option<f64>,
    /// Its standard error over seeds.
    pub sam_stderr: Option<f64>,
    /// SAM − SGD on the selection set: mean over the seeds that both have.
    pub gain: Option<f64>,
    /// Its standard error, paired over seeds.
    pub gain_stderr: Option<f64>,
    /// Test accuracy of SGD.
    pub sgd_test_accuracy: Option<f64>,
    /// Its standard error over seeds.
    pub sgd_test_stderr: Option<f64>,
    /// Test accuracy of SAM.
    pub sam_test_accuracy: Option<f64>,
    /// Its standard error over seeds.
    pub sam_test_stderr: Option<f64>,
    /// SAM − SGD on the test set: mean over the seeds that both have.
    pub test_gain: Option<f64>,
    /// Its standard error, paired over seeds.
    pub test_gain_stderr: Option<f64>,
}

/// Compares SAM with SGD for one scheme at one width.
pub(super) fn baseline(cells: &Cells, scheme: &str, width: usize) -> Baseline {
    let sgd = best_sgd(cells, scheme, width);
    let sam = best_sam(cells, scheme, width);
    let gain = |value: fn(&Score) -> Option<f64>| {
        let (sam, sgd) = sam.zip(sgd)?;
        paired_difference(&sam.scores, &sgd.scores, |score| {
            value(score).map(|value| cells.axes.metric.goodness(value))
        })
    };
    let selection_gain = gain(|score| Some(score.selection));
    let test_gain = gain(|score| score.test);
    let sgd = sgd.map(|group| &group.cell);
    let sam = sam.map(|group| &group.cell);
    let sgd_at_edge = sgd.is_some_and(|best| {
        let known = || {
            let points = cells.known_points(scheme, width, |group| group.cell.seeds > 0);
            points.filter(|(_, rho)| cells.axes.is_baseline(*rho))
        };
        let (low, high) = cells.sampling.lr_ends(cells.axes.x.place(best.lr));
        let is_lowest = low || known().all(|(lr, _)| lr >= best.lr);
        is_lowest || high || known().all(|(lr, _)| lr <= best.lr)
    });
    Baseline {
        scheme: scheme.to_owned(),
        width,
        sgd_accuracy: sgd.and_then(|cell| cell.accuracy),
        sgd_stderr: sgd.and_then(|cell| cell.stderr),
        sgd_lr: sgd.map(|cell| cell.lr),
        sgd_at_edge,
        sam_accuracy: sam.and_then(|cell| cell.accuracy),
        sam_stderr: sam.and_then(|cell| cell.stderr),
        gain: selection_gain.map(|estimate| estimate.mean),
        gain_stderr: selection_gain.and_then(|estimate| estimate.stderr),
        sgd_test_accuracy: sgd.and_then(|cell| cell.test_accuracy),
        sgd_test_stderr: sgd.and_then(|cell| cell.test_stderr),
        sam_test_accuracy: sam.and_then(|cell| cell.test_accuracy),
        sam_test_stderr: sam.and_then(|cell| cell.test_stderr),
        test_gain: test_gain.map(|estimate| estimate.mean),
        test_gain_stderr: test_gain.and_then(|estimate| estimate.stderr),
    }
}
