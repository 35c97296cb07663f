//! The check as a whole: all widths and seeds on the worker threads, then the judgement.

use super::judge::{Extent, Subject, judge};
use super::measure::{Measured, measure};
use super::result::CheckReport;
use super::workers::measure_all;
use crate::cancel::Cancel;
use crate::config::{RunSpec, TrainingDevice};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::scaling::scale;
use crate::train::network_for;
use std::collections::HashSet;

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

/// What the check tells while it works: one training is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckProgress {
    /// Trainings done.
    pub done: usize,
    /// Trainings in all.
    pub total: usize,
}

/// Trains the network of `spec` for a few steps at every width and seed and measures each layer.
///
/// The width and the seed of `spec` are replaced; ρ must be above 0, and `spec.sam.every` is taken
/// as 1, since a step without a perturbation has nothing to measure. Schedules are not applied.
///
/// # Errors
/// [`Error::Invalid`] for options that cannot be fitted, or as [`crate::train::train`]'s and
/// [`crate::train::open_device`]'s; [`Error::Interrupted`] when cancelled.
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
    let subject = Subject::of_run(spec, data, options);
    Ok(judge(subject, &extent, &table, points, divergences))
}

fn at(spec: &RunSpec, width: usize, seed: u64) -> RunSpec {
    let mut spec = spec.clone();
    spec.model.width = width;
    spec.seed = seed;
    spec.sam.every = 1;
    spec
}

/// The refusal of a radius of 0, under the name of the key that holds it.
pub(super) fn no_radius(place: &str) -> Error {
    Error::invalid(
        place,
        "is 0, so there is no perturbation to check",
        "a radius above 0",
    )
}

impl Extent<'_> {
    /// # Errors
    /// When nothing could be fitted.
    pub fn validate(&self) -> Result<()> {
        let distinct: HashSet<usize> = self.widths.iter().copied().collect();
        let wrong = |place: &str, problem: String, allowed: &str| {
            Err(Error::invalid(place, problem, allowed))
        };
        if distinct.len() != self.widths.len() {
            return wrong(
                "--widths",
                "holds a width twice".to_owned(),
                "each width once",
            );
        }
        if distinct.len() < 2 || distinct.len() * self.seeds.len() < 3 {
            return wrong(
                "--widths",
                format!(
                    "{} widths with {} seeds are too few to fit a slope and its error",
                    distinct.len(),
                    self.seeds.len()
                ),
                "at least two widths, and at least three trainings",
            );
        }
        if self.steps == 0 {
            return wrong("--steps", "is 0".to_owned(), "at least 1");
        }
        if !(self.tolerance > 0.0 && self.tolerance < 0.5) {
            return wrong(
                "--tolerance",
                format!("is {}", self.tolerance),
                "numbers above 0 and below 0.5, the distance of the theory's exponents",
            );
        }
        Ok(())
    }
}
