//! The lines of a check's panels: logarithms of what was measured, averaged over the seeds.

use std::collections::BTreeMap;

use mup2_scaling::check::{CheckReport, Point, SlopeVerdict, TensorFinding};

/// What moved the weights: the perturbation of a step, or all updates up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Perturbation,
    Update,
}

impl Cause {
    /// RMS of what the tensor's own change does to its layer's output.
    pub fn own(self, point: &Point) -> f64 {
        match self {
            Self::Perturbation => point.effect,
            Self::Update => point.update_effect,
        }
    }

    /// RMS of what the changes of earlier tensors do to it.
    pub fn propagated(self, point: &Point) -> f64 {
        match self {
            Self::Perturbation => point.propagated,
            Self::Update => point.update_propagated,
        }
    }

    /// The measured slope of `own` and its standard error.
    pub fn slope(self, tensor: &TensorFinding) -> (Option<f64>, Option<f64>) {
        match self {
            Self::Perturbation => (tensor.effect_slope, tensor.effect_stderr),
            Self::Update => (tensor.update_slope, tensor.update_stderr),
        }
    }

    /// The slope that the theory predicts for `own`.
    pub fn predicted(self, tensor: &TensorFinding) -> Option<f64> {
        match self {
            Self::Perturbation => tensor.effect_predicted,
            Self::Update => Some(tensor.update_predicted),
        }
    }

    /// What follows from the slope of `own`.
    pub fn verdict(self, tensor: &TensorFinding) -> SlopeVerdict {
        match self {
            Self::Perturbation => tensor.verdict,
            Self::Update => tensor.update_verdict,
        }
    }
}

/// A place in a panel: log₂ of the width and of the RMS.
pub(super) type LogPoint = (f64, f64);

/// Everything that is drawn of one tensor.
pub(super) struct Lines<'report> {
    /// By ascending step: the mean over seeds of log₂ of the own effect, by ascending width.
    pub steps: Vec<(usize, Vec<LogPoint>)>,
    /// The same of the propagated part at the last step.
    pub propagated: Vec<LogPoint>,
    /// The own effect of every seed at the last step.
    pub seeds: Vec<(LogPoint, &'report Point)>,
    /// The ends of the line of the predicted slope.
    pub predicted: Option<(LogPoint, LogPoint)>,
}

/// No theory predicts a slope as steep as this; it is not drawn.
const STEEPEST: f64 = 20.0;

impl<'report> Lines<'report> {
    pub fn new(report: &'report CheckReport, tensor: &TensorFinding, cause: Cause) -> Self {
        let points = || report.points.iter().filter(|one| one.tensor == tensor.name);
        let at_last = || points().filter(|point| point.step == report.steps);
        let mut by_step: BTreeMap<usize, Vec<&Point>> = BTreeMap::new();
        for point in points() {
            by_step.entry(point.step).or_default().push(point);
        }
        let steps: Vec<(usize, Vec<LogPoint>)> = by_step
            .into_iter()
            .map(|(step, points)| (step, means(points.into_iter(), |point| cause.own(point))))
            .filter(|(_, line)| !line.is_empty())
            .collect();
        let last = steps.iter().find(|(step, _)| *step == report.steps);
        let predicted = last
            .zip(cause.predicted(tensor))
            .and_then(|((_, line), slope)| through_the_middle(line, slope));
        Self {
            predicted,
            propagated: means(at_last(), |point| cause.propagated(point)),
            seeds: at_last()
                .filter_map(|point| Some((place(point.width, cause.own(point))?, point)))
                .collect(),
            steps,
        }
    }

    /// Lowest and highest place of all that is drawn; none if there is nothing.
    pub fn heights(&self) -> Option<(f64, f64)> {
        let lines = self.steps.iter().flat_map(|(_, line)| line);
        let seeds = self.seeds.iter().map(|(place, _)| place);
        let ends = self.predicted.iter().flat_map(|(from, to)| [from, to]);
        lines
            .chain(seeds)
            .chain(&self.propagated)
            .chain(ends)
            .map(|(_, height)| (*height, *height))
            .reduce(|(low, high), (_, height)| (low.min(height), high.max(height)))
    }
}

/// Where a measurement is drawn; none where its logarithm is no number.
fn place(width: usize, value: f64) -> Option<LogPoint> {
    let is_drawn = width > 0 && value > 0.0 && value.is_finite();
    is_drawn.then(|| ((width as f64).log2(), value.log2()))
}

/// The mean over seeds of the logarithm, by ascending width.
fn means<'point>(
    points: impl Iterator<Item = &'point Point>,
    value: impl Fn(&Point) -> f64,
) -> Vec<LogPoint> {
    let mut by_width: BTreeMap<usize, Vec<LogPoint>> = BTreeMap::new();
    for point in points {
        let places = by_width.entry(point.width).or_default();
        places.extend(place(point.width, value(point)));
    }
    by_width
        .into_values()
        .filter_map(|one| mean(&one))
        .collect()
}

fn mean(places: &[LogPoint]) -> Option<LogPoint> {
    let number = places.len() as f64;
    let (x, y) = places
        .iter()
        .fold((0.0, 0.0), |sum, place| (sum.0 + place.0, sum.1 + place.1));
    (!places.is_empty()).then(|| (x / number, y / number))
}

/// A line of a given slope through the geometric mean of a line's points, from its first width to
/// its last: only the slope is predicted, so the height is that of the measurements.
fn through_the_middle(line: &[LogPoint], slope: f64) -> Option<(LogPoint, LogPoint)> {
    let (first, last) = (line.first()?, line.last()?);
    let (x, y) = mean(line)?;
    let is_drawn = last.0 > first.0 && slope.abs() < STEEPEST;
    let at = |end: f64| (end, y + slope * (end - x));
    is_drawn.then(|| (at(first.0), at(last.0)))
}
