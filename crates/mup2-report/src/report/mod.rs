//! From the results of a sweep to the report: numbers, a terminal table, figures and one HTML page.
//!
//! [`build`] turns observations into numbers and knows nothing of their display; [`terminal_table`]
//! and [`write()`] turn the numbers into what a reader sees and compute none.

mod axes;
mod baselines;
mod cells;
mod colour_scale;
mod confidence;
mod curves;
mod display;
mod edges;
mod fits;
mod halving;
mod headlines;
mod heatmap;
mod html;
mod html_confidence;
mod html_halving;
mod html_sharpness;
mod input;
mod markup;
mod optima;
mod sampling;
mod scatter;
mod sharpness;
mod sharpness_panels;
mod slices;
mod statistics;
mod table;
mod transfer;
mod write;

#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

pub use axes::{Axes, Axis, Metric, MetricKind, Scale};
pub use baselines::Baseline;
pub use cells::{Cell, Status};
pub use confidence::{Confidence, Density, FailureCount, StepRange};
pub use edges::{Bound, RIGHT_EDGE_LOSS, Slice};
pub use fits::{Fit, FittedOptimum};
pub use halving::{Halving, HalvingBracket, HalvingRung, PrunedPoint};
pub use input::{Observation, Outcome, ReportInput};
pub use markup::{Markup, markup_tables};
pub use optima::{GridEdge, NEAR_OPTIMUM, Optimum};
pub use sampling::{EDGE_MARGIN, Sampling};
pub use sharpness::{SharpnessCell, SharpnessObservation};
pub use table::{TableOptions, terminal_table};
pub use transfer::Transfer;
pub use write::write;

/// Everything the report says, in numbers; `report.json` is this value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Title of the report.
    pub title: String,
    /// Name of the dataset.
    pub dataset: String,
    /// What hyperparameters were selected by.
    pub selection: String,
    /// The width at which every scheme is the standard network.
    pub base_width: usize,
    /// What size, hyperparameters and metric are; absent in `report.json` for our own sweeps, whose
    /// names the fields have.
    #[serde(default, skip_serializing_if = "Axes::is_default")]
    pub axes: Axes,
    /// How the points (η, ρ) were chosen; absent in `report.json` for a grid.
    #[serde(default, skip_serializing_if = "Sampling::is_grid")]
    pub sampling: Sampling,
    /// Accuracy, 0 to 1, below which a cell counts as unstable.
    pub unstable_below: f64,
    /// The observed schemes in display order.
    pub schemes: Vec<String>,
    /// The observed widths, ascending.
    pub widths: Vec<usize>,
    /// The findings in sentences.
    pub headlines: Vec<String>,
    /// Every cell of the grid, or every scattered point: by scheme, width, η and ρ.
    pub cells: Vec<Cell>,
    /// The optimum of every scheme at every width.
    pub optima: Vec<Optimum>,
    /// The slice along ρ at the transferred η of every scheme at every width; none for scattered
    /// points, no two of which share their η.
    pub slices: Vec<Slice>,
    /// Transfer from each scheme's narrowest width to each wider one.
    pub transfer: Vec<Transfer>,
    /// How the optima move with the size; absent in `report.json` where it was not asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fits: Vec<Fit>,
    /// SGD against SAM of every scheme at every width.
    pub baselines: Vec<Baseline>,
    /// What successive halving has pruned; absent in `report.json` where all points were trained in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halving: Option<Halving>,
    /// Sharpness after training, by scheme, width, η and ρ; absent in `report.json` where it was not
    /// measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sharpness: Vec<SharpnessCell>,
    /// How sure all this is.
    pub confidence: Confidence,
    /// What was run: names and values.
    pub settings: Vec<(String, String)>,
    /// The command that made the results.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// What the reader should know before trusting the numbers.
    pub warnings: Vec<String>,
}

impl Report {
    /// The metric, and what it was measured on: `accuracy (validation)`. A table is selected by its
    /// metric, which is said once.
    pub(crate) fn measured(&self) -> String {
        let name = &self.axes.metric.name;
        if self.selection == *name {
            name.clone()
        } else {
            format!("{name} ({})", self.selection)
        }
    }

    /// Whether figures explain what unstable cells are; those of our own sweeps always do.
    pub(crate) fn shows_unstable(&self) -> bool {
        let is_unstable = |cell: &Cell| cell.status == Status::Unstable;
        self.axes.is_default() || self.cells.iter().any(is_unstable)
    }

    /// Whether anything was run with a second hyperparameter of 0; our own sweeps always say so.
    pub(crate) fn has_baselines(&self) -> bool {
        self.axes.is_default() || self.baselines.iter().any(|row| row.sgd_accuracy.is_some())
    }
}

/// Computes the report. Cells that cannot be computed are absent numbers, never NaN; observations
/// that cannot be used are left out and named in the warnings.
pub fn build(input: &ReportInput) -> Report {
    let cells = cells::collect(input);
    let mut warnings = input.warnings.clone();
    warnings.extend(cells.warnings.iter().cloned());
    let unstable_below = if input.unstable_below.is_finite() {
        input.unstable_below
    } else {
        warnings.push("the stability threshold is not a number; 0 was used".to_owned());
        0.0
    };
    let (mut optima, mut slices) = (Vec::new(), Vec::new());
    let (mut transfers, mut baselines) = (Vec::new(), Vec::new());
    for scheme in &cells.schemes {
        let widths = cells.widths(scheme);
        let Some(&narrowest) = widths.first() else {
            continue;
        };
        let first = optima.len();
        for &width in &widths {
            optima.push(optima::optimum(&cells, scheme, width));
            baselines.push(baselines::baseline(&cells, scheme, width));
            if cells.sampling.is_grid() && cells.axes.y.is_some() {
                slices.push(edges::slice(
                    &cells,
                    scheme,
                    narrowest,
                    width,
                    unstable_below,
                ));
            }
        }
        for wider in first + 1..optima.len() {
            transfers.push(transfer::transfer(
                &cells,
                (&optima[first], slices.get(first)),
                (&optima[wider], slices.get(wider)),
            ));
        }
    }
    let confidence = confidence::confidence(&cells);
    let fits = if input.fits {
        fits::fits(&cells)
    } else {
        Vec::new()
    };
    let mut headlines = headlines::headlines(&cells, &optima, &transfers, &baselines);
    headlines.extend(fits.iter().map(|fit| fit.sentence.clone()));
    let mut widths: Vec<usize> = cells.groups.iter().map(|group| group.cell.width).collect();
    widths.sort_unstable();
    widths.dedup();
    Report {
        title: input.title.clone(),
        dataset: input.dataset.clone(),
        selection: input.selection.clone(),
        base_width: input.base_width,
        axes: cells.axes,
        sampling: cells.sampling,
        unstable_below,
        sharpness: sharpness::collect(input, &cells.schemes),
        schemes: cells.schemes,
        widths,
        headlines,
        cells: cells.groups.into_iter().map(|group| group.cell).collect(),
        optima,
        slices,
        transfer: transfers,
        fits,
        baselines,
        halving: cells.halving,
        confidence,
        settings: input.settings.clone(),
        command: input.command.clone(),
        version: input.version.clone(),
        warnings,
    }
}
