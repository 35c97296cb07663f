//! Observations grouped into cells: one per scheme, width, learning rate and perturbation radius.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::input::{Observation, Outcome, ReportInput};
use super::statistics::{Score, Scores, estimate};
use super::{Axes, Halving, MetricKind, Sampling};

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

/// One point of the grid, summarized over seeds. The fields have the names of our own sweeps;
/// [`Axes`] says what they are in others.
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
    /// The metric with a diverged cell counted as 0 where it is a share; absent when nothing is
    /// known.
    pub(super) fn accuracy_or_zero(&self, axes: &Axes) -> Option<f64> {
        match (self.status, axes.metric.kind) {
            (Status::Diverged, MetricKind::Share) => Some(0.0),
            _ => self.accuracy,
        }
    }

    /// The same on the test set.
    pub(super) fn test_accuracy_or_zero(&self, axes: &Axes) -> Option<f64> {
        match (self.status, axes.metric.kind) {
            (Status::Diverged, MetricKind::Share) => Some(0.0),
            _ => self.test_accuracy,
        }
    }
}

/// The cells of a report by scheme and width.
pub(crate) struct CellIndex<'report>(HashMap<(&'report str, usize), &'report [Cell]>);

impl<'report> CellIndex<'report> {
    /// Of cells that are sorted by scheme and width, as those of a report are.
    pub fn new(cells: &'report [Cell]) -> Self {
        let parts =
            cells.chunk_by(|left, right| left.width == right.width && left.scheme == right.scheme);
        Self(
            parts
                .map(|own| ((own[0].scheme.as_str(), own[0].width), own))
                .collect(),
        )
    }

    /// The cells of one scheme at one width, by learning rate and radius.
    pub fn of<'key>(&self, scheme: &'key str, width: usize) -> &'report [Cell]
    where
        'report: 'key,
    {
        self.0.get(&(scheme, width)).copied().unwrap_or_default()
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
    pub axes: Axes,
    pub sampling: Sampling,
    pub groups: Vec<Group>,
    /// Where the cells of each scheme and width are.
    places: HashMap<String, BTreeMap<usize, Range<usize>>>,
    /// What successive halving has pruned.
    pub halving: Option<Halving>,
    /// Reasons of failed runs and how often each occurred.
    pub failures: BTreeMap<String, usize>,
    /// What had to be left out or mended, in words.
    pub warnings: Vec<String>,
}

impl Cells {
    /// The cells of one scheme at one width, by learning rate and radius.
    pub fn all_of(&self, scheme: &str, width: usize) -> &[Group] {
        let place = self.places.get(scheme).and_then(|of| of.get(&width));
        place
            .and_then(|place| self.groups.get(place.clone()))
            .unwrap_or_default()
    }

    /// The same, one by one.
    pub fn of(&self, scheme: &str, width: usize) -> impl Iterator<Item = &Group> {
        self.all_of(scheme, width).iter()
    }

    /// One cell, by exact values.
    pub fn at(&self, scheme: &str, width: usize, lr: f64, rho: f64) -> Option<&Group> {
        let own = self.all_of(scheme, width);
        let key = (ordered(lr), ordered(rho));
        let place = own.binary_search_by_key(&key, |group| {
            (ordered(group.cell.lr), ordered(group.cell.rho))
        });
        own.get(place.ok()?)
    }

    /// The widths at which a scheme was observed, ascending.
    pub fn widths(&self, scheme: &str) -> Vec<usize> {
        let own = self.places.get(scheme);
        own.map_or(Vec::new(), |own| own.keys().copied().collect())
    }
}

/// Scheme, width, learning rate and radius.
type Key = (usize, usize, u64, u64);

/// A whole number that sorts like the float; −0 is 0.
fn ordered(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 0 {
        bits | 1 << 63
    } else {
        !bits
    }
}

/// Groups the observations into cells.
pub(super) fn collect(input: &ReportInput) -> Cells {
    let mut warnings = Vec::new();
    let schemes = display_order(input, &mut warnings);
    let indices: HashMap<&str, usize> = schemes.iter().map(String::as_str).zip(0..).collect();
    let mut runs: Vec<(Key, &Observation)> = Vec::with_capacity(input.observations.len());
    for observation in &input.observations {
        if let Some(&index) = indices.get(observation.scheme.as_str())
            && has_usable_coordinates(&input.axes, observation)
        {
            let (lr, rho) = (ordered(observation.lr), ordered(observation.rho));
            runs.push(((index, observation.width, lr, rho), observation));
        }
    }
    let unusable = input.observations.len() - runs.len();
    // Stable: of two runs with one seed, the first is taken.
    runs.sort_by_key(|(key, run)| (*key, run.seed));
    let before = runs.len();
    runs.dedup_by_key(|(key, run)| (*key, run.seed));
    let repeated = before - runs.len();
    if unusable > 0 {
        warnings.push(format!(
            "{unusable} observations were left out: {}",
            needed(&input.axes)
        ));
    }
    if repeated > 0 {
        warnings.push(format!(
            "{repeated} observations repeat the seed of another one of their cell and were left out"
        ));
    }
    let mut failures = BTreeMap::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<String, BTreeMap<usize, Range<usize>>> = HashMap::new();
    for of_cell in runs.chunk_by(|left, right| left.0 == right.0) {
        let group = summarize(input, of_cell, &mut failures);
        let own = places.entry(group.cell.scheme.clone()).or_default();
        let place = own
            .entry(group.cell.width)
            .or_insert(groups.len()..groups.len());
        place.end = groups.len() + 1;
        groups.push(group);
    }
    Cells {
        schemes,
        axes: input.axes.clone(),
        sampling: input.sampling.clone(),
        groups,
        places,
        halving: input.halving.clone(),
        failures,
        warnings,
    }
}

/// The schemes that were observed, the listed ones first.
fn display_order(input: &ReportInput, warnings: &mut Vec<String>) -> Vec<String> {
    let observed: HashSet<&str> = input
        .observations
        .iter()
        .map(|run| run.scheme.as_str())
        .collect();
    let (mut schemes, mut taken) = (Vec::new(), HashSet::new());
    for scheme in &input.schemes {
        if !observed.contains(scheme.as_str()) {
            warnings.push(format!("scheme {scheme} has no observations"));
        } else if taken.insert(scheme.as_str()) {
            schemes.push(scheme.clone());
        }
    }
    for observation in &input.observations {
        if taken.insert(&observation.scheme) {
            schemes.push(observation.scheme.clone());
        }
    }
    schemes
}

fn has_usable_coordinates(axes: &Axes, observation: &Observation) -> bool {
    let rho = observation.rho;
    let y = axes
        .y
        .as_ref()
        .map_or(rho == 1.0, |axis| axis.holds(rho, true));
    y && axes.x.holds(observation.lr, false)
}

/// What [`has_usable_coordinates`] asks for.
fn needed(axes: &Axes) -> String {
    let is_log = |axis: &super::Axis| axis.scale == super::Scale::Log2;
    let mut needs = Vec::new();
    let x = if is_log(&axes.x) {
        "positive"
    } else {
        "a number"
    };
    needs.push(format!("{} must be {x}", axes.x.symbol));
    if let Some(y) = &axes.y {
        let what = if is_log(y) { "at least 0" } else { "a number" };
        needs.push(format!("{} {what}", y.symbol));
    }
    needs.join(" and ")
}

/// What a run scored. A share that is none, and a number that is not finite, is a failure, so that no
/// mean can leave the finite numbers.
fn score(axes: &Axes, selection: f64, test: f64) -> Result<Score, String> {
    let share = axes.metric.kind == MetricKind::Share;
    let allowed = |value: &f64| {
        if share {
            (0.0..=1.0).contains(value)
        } else {
            value.is_finite()
        }
    };
    if allowed(&selection) {
        let test = Some(test).filter(allowed);
        return Ok(Score { selection, test });
    }
    let name = &axes.metric.name;
    Err(if share {
        format!("the selection {name} is not between 0 and 1")
    } else {
        format!("the {name} is not finite")
    })
}

fn summarize(
    input: &ReportInput,
    runs: &[(Key, &Observation)],
    failures: &mut BTreeMap<String, usize>,
) -> Group {
    let axes = &input.axes;
    let first = runs[0].1;
    let mut scores = Scores::default();
    let (mut diverged, mut failed, mut missing) = (0, 0, 0);
    for (_, run) in runs {
        let mut fail = |reason: &str| {
            failed += 1;
            *failures.entry(reason.to_owned()).or_insert(0) += 1;
        };
        match &run.outcome {
            Outcome::Completed {
                selection_accuracy,
                test_accuracy,
            } => match score(axes, *selection_accuracy, *test_accuracy) {
                Ok(score) => scores.push(run.seed, score),
                Err(reason) => fail(&reason),
            },
            Outcome::Diverged => {
                diverged += 1;
                if axes.metric.kind == MetricKind::Share {
                    let score = Score {
                        selection: 0.0,
                        test: Some(0.0),
                    };
                    scores.push(run.seed, score);
                }
            }
            Outcome::Failed(reason) => fail(reason),
            Outcome::Missing => missing += 1,
        }
    }
    let lost = match axes.metric.kind {
        MetricKind::Share => diverged,
        MetricKind::Number => 0,
    };
    let completed = scores.len() - lost;
    let selection: Vec<f64> = scores.values().map(|score| score.selection).collect();
    let test: Vec<f64> = scores.values().filter_map(|score| score.test).collect();
    let selection = estimate(&selection).filter(|_| completed > 0);
    let test = estimate(&test).filter(|_| completed > 0 && test.len() == scores.len());
    let is_unstable = |mean| axes.metric.is_unstable(mean, input.unstable_below);
    let status = match selection {
        Some(estimate) if diverged > 0 || is_unstable(estimate.mean) => Status::Unstable,
        Some(_) => Status::Ok,
        None if diverged > 0 => Status::Diverged,
        None if failed > 0 => Status::Failed,
        None => Status::Missing,
    };
    let cell = Cell {
        scheme: first.scheme.clone(),
        width: first.width,
        // Adding zero turns −0 into 0.
        lr: first.lr + 0.0,
        rho: first.rho + 0.0,
        seeds: completed + diverged,
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
