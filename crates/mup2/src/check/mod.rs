//! The coordinate check of any Burn module: trains a few real steps at several widths, measures what
//! each tensor's perturbation and update do to its layer's output, and judges the slopes.

mod module;
mod observe;
mod quantities;
mod slices;
mod spectral;
mod workers;

pub use module::{ModuleCheckOptions, ModuleTraining, TracedGradient, check_module};
pub use mup2_scaling::check::{CheckReport, Divergence, Point, Slope, SlopeVerdict, TensorFinding};
pub use observe::{ObservedPasses, ObservedTraining, observe};
pub use quantities::{ObservedStep, Origin, Weights};
pub use spectral::{SPECTRAL_NORM_TOLERANCE, spectral_norm};
pub use workers::measure_all;

use crate::error::Error;

/// What the check tells while it works: one training is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckProgress {
    /// Trainings done.
    pub done: usize,
    /// Trainings in all.
    pub total: usize,
}

/// The measurements of one width and seed, or of several.
#[derive(Debug, Default)]
pub struct Measured {
    /// What was measured of each tensor at each step.
    pub points: Vec<Point>,
    /// Trainings that stopped being finite.
    pub divergences: Vec<Divergence>,
}

/// The refusal of a radius of 0, under the name of the key that holds it.
pub fn no_radius(place: &str) -> Error {
    Error::invalid(
        place,
        "is 0, so there is no perturbation to check",
        "a radius above 0",
    )
}
