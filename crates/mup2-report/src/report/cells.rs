//! Observations grouped into cells: one per scheme, width, learning rate and perturbation radius.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::input::{Observation, Outcome, ReportInput};
use super::statistics::{Score, Scores, estimate};
use super::{Halving, Sampling};

/// How a cell of the grid ended over its seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Every counted run completed and the mean accuracy is at least `unstable_below`.
    Ok,
    /// The mean accuracy is below `unstable_below`, or some of the seeds diverged.
    Unstable,
    /// Every counted run diverged.
    Diverged,
    /// No run completed or diverged, and at least one failed.
    Failed,
    /// No run has a result yet.
    Missing,
}

impl Status {
    /// The status in lower case, as `report.json` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unstable => "unstable",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
            Self::Missing => "missing",
        }
    }
}

/// One point of the grid, summarized over seeds. Accuracies are between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Scaling scheme.
    pub scheme: String,
    /// Width of the network.
    pub width: usize,
    /// Learning rate η.
    pub lr: f64,
    /// Perturbation radius ρ; 0 is the base optimizer without SAM.
    pub rho: f64,
    /// Number of runs that count in the mean: completed and diverged ones.
    pub seeds: usize,
    /// Mean selection accuracy, diverged runs counted as 0; absent when no run completed.
    pub accuracy: Option<f64>,
    /// Standard error of `accuracy` over seeds; absent for fewer than two.
    pub stderr: Option<f64>,
    /// How the cell ended.
    pub status: Status,
    /// Mean test accuracy, diverged runs counted as 0.
    pub test_accuracy: Option<f64>,
    /// Standard error of `test_accuracy` over seeds.
    pub test_stderr: Option<f64>,
    /// Number of diverged runs.
    pub diverged: usize,
    /// Number of failed runs.
    pub failed: usize,
    /// Number of planned runs without a result.
    pub missing: usize,
}

impl Cell {
    /// The accuracy with a diverged cell counted as 0; absent when nothing is known.
    pub(super) fn accuracy_or_zero(&self) -> Option<f64> {
        match self.status {
            Status::Diverged => Some(0.0),
            _ => self.accuracy,
        }
    }

    /// The test accuracy with a diverged cell counted as 0; absent when nothing is known.
    pub(super) fn test_accuracy_or_zero(&self) -> Option<f64> {
        match self.status {
            Status::Diverged => Some(0.0),
            _ => self.test_accuracy,
        }
    }
}

/// A cell together with its single runs, which paired comparisons need.
#[derive(Debug)]
pub(super) struct Group {
    pub cell: Cell,
    pub scores: Scores,
}

/// All cells, sorted by scheme (display order), width, learning rate and radius.
#[derive(Debug)]
pub(super) struct Cells {
    pub schemes: Vec<String>,
    pub sampling: Sampling,
    pub groups: Vec<Group>,
    /// What successive halving has pruned.
    pub halving: Option<Halving>,
    /// Reasons of failed runs and how often each occurred.
    pub failures: BTreeMap<String, usize>,
    /// What had to be left out or mended, in words.
    pub warnings: Vec<String>,
}

impl Cells {
    /// The cells of one scheme at one width.
    pub fn of<'cells>(
        &'cells self,
        scheme: &'cells str,
        width: usize,
    ) -> impl Iterator<Item = &'cells Group> {
        self.groups
            .iter()
            .filter(move |group| group.cell.scheme == scheme && group.cell.width == width)
    }

    /// One cell, by exact values.
    pub fn at(&self, scheme: &str, width: usize, lr: f64, rho: f64) -> Option<&Group> {
        self.groups.iter().find(|group| {
            let cell = &group.cell;
            cell.scheme == scheme && cell.width == width && cell.lr == lr && cell.rho == rho
        })
    }

    /// The widths at which a scheme was observed, ascending.
    pub fn widths(&self, scheme: &str) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .groups
            .iter()
            .filter(|group| group.cell.scheme == scheme)
            .map(|group| group.cell.width)
            .collect();
        widths.dedup();
        widths
    }
}

/// Non-negative floats sort like their bits, which makes them usable as keys.
type Key = (usize, usize, u64, u64);

/// Groups the observations into cells.
pub(super) fn collect(input: &ReportInput) -> Cells {
    let mut warnings = Vec::new();
    let schemes = display_order(input, &mut warnings);
    let mut runs: BTreeMap<Key, BTreeMap<u64, Outcome>> = BTreeMap::new();
    let (mut unusable, mut repeated) = (0_usize, 0_usize);
    for observation in &input.observations {
        let Some(index) = schemes.iter().position(|name| *name == observation.scheme) else {
            continue;
        };
        if !has_usable_coordinates(observation) {
            unusable += 1;
            continue;
        }
        // Adding zero turns −0 into 0, whose bits differ.
        let rho = observation.rho + 0.0;
        let key = (
            index,
            observation.width,
            observation.lr.to_bits(),
            rho.to_bits(),
        );
        let seeds = runs.entry(key).or_default();
        if seeds.contains_key(&observation.seed) {
            repeated += 1;
            continue;
        }
        seeds.insert(observation.seed, checked(&observation.outcome));
    }
    if unusable > 0 {
        warnings.push(format!(
            "{unusable} observations were left out: η must be positive and ρ at least 0"
        ));
    }
    if repeated > 0 {
        warnings.push(format!(
            "{repeated} observations repeat the seed of another one of their cell and were left out"
        ));
    }
    let mut failures = BTreeMap::new();
    for outcome in runs.values().flat_map(BTreeMap::values) {
        if let Outcome::Failed(reason) = outcome {
            *failures.entry(reason.clone()).or_insert(0) += 1;
        }
    }
    let groups = runs
        .into_iter()
        .map(|(key, seeds)| summarize(&schemes[key.0], key, &seeds, input.unstable_below))
        .collect();
    Cells {
        schemes,
        sampling: input.sampling.clone(),
        groups,
        halving: input.halving.clone(),
        failures,
        warnings,
    }
}

/// The schemes that were observed, the listed ones first.
fn display_order(input: &ReportInput, warnings: &mut Vec<String>) -> Vec<String> {
    let observed = |scheme: &String| input.observations.iter().any(|run| run.scheme == *scheme);
    let mut schemes: Vec<String> = Vec::new();
    for scheme in &input.schemes {
        if !observed(scheme) {
            warnings.push(format!("scheme {scheme} has no observations"));
        } else if !schemes.contains(scheme) {
            schemes.push(scheme.clone());
        }
    }
    for observation in &input.observations {
        if !schemes.contains(&observation.scheme) {
            schemes.push(observation.scheme.clone());
        }
    }
    schemes
}

fn has_usable_coordinates(observation: &Observation) -> bool {
    let finite = observation.lr.is_finite() && observation.rho.is_finite();
    finite && observation.lr > 0.0 && observation.rho >= 0.0
}

/// An accuracy that is no accuracy is a failure, so that no mean can leave the finite numbers.
fn checked(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Completed {
            selection_accuracy, ..
        } if !(0.0..=1.0).contains(selection_accuracy) => {
            Outcome::Failed("the selection accuracy is not between 0 and 1".to_owned())
        }
        other => other.clone(),
    }
}

fn summarize(scheme: &str, key: Key, seeds: &BTreeMap<u64, Outcome>, unstable_below: f64) -> Group {
    let mut scores = Scores::new();
    let (mut diverged, mut failed, mut missing) = (0, 0, 0);
    for (seed, outcome) in seeds {
        match outcome {
            Outcome::Completed {
                selection_accuracy,
                test_accuracy,
            } => {
                let score = Score {
                    selection: *selection_accuracy,
                    test: Some(*test_accuracy).filter(|value| (0.0..=1.0).contains(value)),
                };
                scores.insert(*seed, score);
            }
            Outcome::Diverged => {
                let score = Score {
                    selection: 0.0,
                    test: Some(0.0),
                };
                scores.insert(*seed, score);
                diverged += 1;
            }
            Outcome::Failed(_) => failed += 1,
            Outcome::Missing => missing += 1,
        }
    }
    let completed = scores.len() - diverged;
    let selection: Vec<f64> = scores.values().map(|score| score.selection).collect();
    let test: Vec<f64> = scores.values().filter_map(|score| score.test).collect();
    let selection = estimate(&selection).filter(|_| completed > 0);
    let test = estimate(&test).filter(|_| completed > 0 && test.len() == scores.len());
    let status = match selection {
        Some(estimate) if diverged > 0 || estimate.mean < unstable_below => Status::Unstable,
        Some(_) => Status::Ok,
        None if diverged > 0 => Status::Diverged,
        None if failed > 0 => Status::Failed,
        None => Status::Missing,
    };
    let cell = Cell {
        scheme: scheme.to_owned(),
        width: key.1,
        lr: f64::from_bits(key.2),
        rho: f64::from_bits(key.3),
        seeds: scores.len(),
        accuracy: selection.map(|estimate| estimate.mean),
        stderr: selection.and_then(|estimate| estimate.stderr),
        status,
        test_accuracy: test.map(|estimate| estimate.mean),
        test_stderr: test.and_then(|estimate| estimate.stderr),
        diverged,
        failed,
        missing,
    };
    Group { cell, scores }
}
