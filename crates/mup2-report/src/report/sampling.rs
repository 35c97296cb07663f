//! How the points (η, ρ) of a report were chosen: on a grid, or scattered by a search.

use serde::{Deserialize, Serialize};

/// An optimum of scattered points within this share of its range's end counts as being on the edge.
pub const EDGE_MARGIN: f64 = 0.05;

/// How the points (η, ρ) were chosen. It decides which numbers and figures there can be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Sampling {
    /// All combinations of some η and some ρ.
    #[default]
    Grid,
    /// Points of their own η and ρ, drawn uniformly from a rectangle in (log₂ η, log₂ ρ): there are
    /// no rows, columns or slices.
    Scattered {
        /// How they were drawn, such as `sobol`.
        method: String,
        /// log₂ of the smallest and the largest η that could be drawn.
        log2_lr: (f64, f64),
        /// log₂ of the smallest and the largest ρ > 0 that could be drawn.
        log2_rho: (f64, f64),
    },
}

impl Sampling {
    /// Whether the points form a grid.
    pub fn is_grid(&self) -> bool {
        matches!(self, Self::Grid)
    }

    /// The area of the range that scattered points were drawn from, in square octaves of η and ρ;
    /// nothing for a grid, or where the range is no range.
    pub(super) fn square_octaves(&self) -> Option<f64> {
        let Self::Scattered {
            log2_lr, log2_rho, ..
        } = self
        else {
            return None;
        };
        let area = (log2_lr.1 - log2_lr.0) * (log2_rho.1 - log2_rho.0);
        Some(area).filter(|area| area.is_finite() && *area > 0.0)
    }

    /// Whether a place of the learning rate is too near to the low and to the high end of its range for scattered
    /// points; a grid has no range beyond its values.
    pub(super) fn lr_ends(&self, place: f64) -> (bool, bool) {
        match self {
            Self::Grid => (false, false),
            Self::Scattered { log2_lr, .. } => ends(*log2_lr, place),
        }
    }

    /// The same for a positive radius.
    pub(super) fn rho_ends(&self, place: f64) -> (bool, bool) {
        match self {
            Self::Grid => (false, false),
            Self::Scattered { log2_rho, .. } => ends(*log2_rho, place),
        }
    }
}

fn ends((low, high): (f64, f64), place: f64) -> (bool, bool) {
    let margin = EDGE_MARGIN * (high - low);
    (place <= low + margin, place >= high - margin)
}
