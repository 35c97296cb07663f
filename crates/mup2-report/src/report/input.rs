//! What a report is made from: one observation per run, and the words that say what was run.

use super::{Axes, Halving, Sampling, SharpnessObservation};

/// The result of one run at one point (η, ρ).
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Name of the scaling scheme, such as `mup2` or `mup-naive`.
    pub scheme: String,
    /// Width of the network.
    pub width: usize,
    /// Learning rate η at the base width.
    pub lr: f64,
    /// Perturbation radius ρ at the base width; 0 is the base optimizer without SAM.
    pub rho: f64,
    /// Seed of the run.
    pub seed: u64,
    /// How the run ended.
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The run reached its last step.
    Completed {
        /// Accuracy, 0 to 1, on the set that hyperparameters are selected by.
        selection_accuracy: f64,
        /// Accuracy, 0 to 1, on the test set.
        test_accuracy: f64,
    },
    /// The loss left the finite numbers.
    Diverged,
    /// The run ended by an error that says nothing about the hyperparameters.
    Failed(String),
    /// The run was planned and has no result yet.
    Missing,
}

/// Everything that [`build`](super::build) needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportInput {
    /// Title of the report.
    pub title: String,
    /// Name of the dataset.
    pub dataset: String,
    /// What hyperparameters are selected by: `validation`, `best-test`, ….
    pub selection: String,
    /// The width at which every scheme is the standard network.
    pub base_width: usize,
    /// What size, hyperparameters and metric are.
    pub axes: Axes,
    /// Whether the exponents of the optima against the size are fitted.
    pub fits: bool,
    /// How the points (η, ρ) of the observations were chosen.
    pub sampling: Sampling,
    /// What successive halving has pruned, of which there are no observations; nothing where all points
    /// were trained in full.
    pub halving: Option<Halving>,
    /// What was run: names and values, shown as a table.
    pub settings: Vec<(String, String)>,
    /// The schemes in display order.
    pub schemes: Vec<String>,
    /// Accuracy, 0 to 1, below which a cell counts as unstable.
    pub unstable_below: f64,
    /// One entry per run. Runs shared by several schemes (those at the base width) are given once
    /// for each of them.
    pub observations: Vec<Observation>,
    /// One entry per run whose sharpness was measured at its end, and again for each scheme that
    /// shares it.
    pub sharpness: Vec<SharpnessObservation>,
    /// The command that made the results.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// What the reader should know before trusting the numbers.
    pub warnings: Vec<String>,
}
