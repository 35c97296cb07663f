//! The check as a whole: all widths and seeds on the worker threads, then the judgement.

use super::measure::measure;
use super::subject::subject_of_run;
use crate::config::{RunSpec, TrainingDevice};
use crate::data::Dataset;
use crate::error::Result;
use crate::scaling::check::{CheckReport, judge};
use crate::scaling::scale;
use crate::train::network_for;
use mup2::check::{CheckProgress, Measured, measure_all, no_radius};
use mup2_scaling::workers::Cancel;

/// What is checked beside the run that is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckOptions {
    /// Widths, at least two distinct ones.
    pub widths: Vec<usize>,
    /// Seeds, at least one; with the widths at least three trainings.
    pub seeds: Vec<u64>,
    /// Steps of each training, at least 1.
    pub steps: usize,
    /// A slope within this distance of 0 counts as 0; the theory's exponents are multiples of ½.
    pub tolerance: f64,
    /// Worker threads, one training a thread; no result depends on it.
    pub workers: usize,
    /// What computes.
    pub device: TrainingDevice,
}

/// Trains the network of `spec` for a few steps at every width and seed and measures each layer.
///
/// The width and the seed of `spec` are replaced; ρ must be above 0, and `spec.sam.every` is taken
/// as 1, since a step without a perturbation has nothing to measure. Schedules are not applied.
///
/// # Errors
/// [`Invalid`](crate::error::Error::Invalid) for options that cannot be fitted, or as [`crate::train::train`]'s and
/// [`crate::train::open_device`]'s; [`Interrupted`](crate::error::Error::Interrupted) when cancelled.
pub fn check(
    spec: &RunSpec,
    data: &Dataset,
    options: &CheckOptions,
    cancel: &Cancel,
    mut progress: impl FnMut(CheckProgress),
) -> Result<CheckReport> {
    if spec.sam.rho <= 0.0 {
        return Err(no_radius("sam.rho"));
    }
    let extent = options.extent();
    extent.validate()?;
    let Measured {
        points,
        divergences,
    } = measure_all(&extent, options.workers, &mut progress, |width, seed| {
        let spec = at(spec, width, seed);
        measure(&spec, data, options.device, options.steps, cancel)
    })?;
    let widest = at(
        spec,
        options.widths.iter().copied().max().unwrap_or_default(),
        0,
    );
    let table = scale(&spec.scheme(), &network_for(&widest, data)?.tensor_shapes())?;
    let subject = subject_of_run(spec, data, options);
    Ok(judge(subject, &extent, &table, points, divergences))
}

fn at(spec: &RunSpec, width: usize, seed: u64) -> RunSpec {
    let mut spec = spec.clone();
    spec.model.width = width;
    spec.seed = seed;
    spec.sam.every = 1;
    spec
}
