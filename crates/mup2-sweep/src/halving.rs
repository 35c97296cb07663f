//! Successive halving as far as results decide it: brackets, their rungs, and who goes on.
//!
//! All of it is a function of the sweep and of the results that exist. Processes that see the same
//! results therefore agree, and one that starts anew goes on where the last one was.

use super::summary::observation;
use crate::config::{Halving, PlannedRun, SweepSpec};
use crate::error::Result;
use crate::report::{Outcome, ReportInput, Sampling, build};
use std::sync::Arc;

/// Places in `points`, the best mean score over seeds first.
///
/// A seed without a score has diverged or broken and makes its point the worst. Of equal points the
/// earlier one is the better.
fn ranked(points: &[Vec<Option<f64>>]) -> Vec<(usize, f64)> {
    let mean = |seeds: &Vec<Option<f64>>| {
        let scores: Option<Vec<f64>> = seeds.iter().copied().collect();
        let scores = scores.filter(|scores| !scores.is_empty())?;
        Some(scores.iter().sum::<f64>() / scores.len() as f64)
    };
    let mut ranked: Vec<(usize, f64)> = points
        .iter()
        .map(|seeds| mean(seeds).unwrap_or(f64::NEG_INFINITY))
        .enumerate()
        .collect();
    // A stable sort, so that equal points keep their order.
    ranked.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    ranked
}

/// The points that go on, as places in `points`, ascending: those of the best mean score over seeds.
pub(super) fn promoted(points: &[Vec<Option<f64>>], halving: &Halving) -> Vec<usize> {
    let mut ranked = ranked(points);
    ranked.truncate(halving.promoted(points.len()));
    let mut places: Vec<usize> = ranked.into_iter().map(|(place, _)| place).collect();
    places.sort_unstable();
    places
}

/// The points of one series at one width that compete with each other.
#[derive(Debug)]
pub(super) struct Bracket {
    pub series: Arc<str>,
    pub width: usize,
    /// Whether these are the points with ρ = 0: SGD competes with itself alone.
    pub is_sgd: bool,
    /// The runs of full length of all points, by point and seed.
    pub points: Vec<Vec<PlannedRun>>,
    /// The rungs that are decided, the first one from the beginning.
    pub rungs: Vec<Rung>,
}

/// A rung of a bracket.
#[derive(Debug)]
pub(super) struct Rung {
    /// Epochs of its runs.
    pub epochs: usize,
    /// The points that reach it, as places in the bracket's, ascending.
    pub points: Vec<usize>,
    /// Their runs by point and seed, with what became of each.
    pub runs: Vec<Vec<(PlannedRun, Outcome)>>,
}

impl Rung {
    /// Whether every run has a result.
    pub fn is_decided(&self) -> bool {
        let mut outcomes = self.runs.iter().flatten().map(|(_, outcome)| outcome);
        outcomes.all(|outcome| *outcome != Outcome::Missing)
    }

    /// What the points are promoted by.
    fn scores(&self) -> Vec<Vec<Option<f64>>> {
        let score = |(_, outcome): &(PlannedRun, Outcome)| match outcome {
            Outcome::Completed {
                selection_accuracy, ..
            } => Some(*selection_accuracy),
            Outcome::Diverged | Outcome::Failed(_) | Outcome::Missing => None,
        };
        let seeds = |runs: &Vec<_>| runs.iter().map(score).collect();
        self.runs.iter().map(seeds).collect()
    }
}

/// The narrowest width's best point at a wider width, in full, whatever became of it there: without it
/// there would be no transfer to speak of.
#[derive(Debug)]
pub(super) struct Carried {
    pub series: Arc<str>,
    pub width: usize,
    /// Its place among the points of the width's bracket.
    pub point: usize,
    /// Its runs by seed.
    pub runs: Vec<(PlannedRun, Outcome)>,
}

/// How far a sweep by halving is.
#[derive(Debug)]
pub(super) struct Standing {
    pub halving: Halving,
    pub brackets: Vec<Bracket>,
    /// Empty for a series until the narrowest width's best point is known.
    pub carried: Vec<Carried>,
}

impl Standing {
    /// Finds out how far `sweep` is; `look` tells what became of a run.
    ///
    /// # Errors
    /// Those of `look`.
    pub fn of(
        sweep: &SweepSpec,
        halving: Halving,
        mut look: impl FnMut(&PlannedRun) -> Result<Outcome>,
    ) -> Result<Self> {
        let mut brackets = brackets(sweep);
        for bracket in &mut brackets {
            bracket.climb(sweep, &halving, &mut look)?;
        }
        let mut carried = Vec::new();
        for series in sweep.series() {
            let own = || {
                brackets
                    .iter()
                    .filter(|one| one.series == series && !one.is_sgd)
            };
            let narrowest = own().min_by_key(|bracket| bracket.width);
            let Some(narrowest) = narrowest else { continue };
            let Some(point) = narrowest.best(&halving) else {
                continue;
            };
            for wider in own().filter(|bracket| bracket.width != narrowest.width) {
                let runs = wider.points[point].iter().cloned();
                carried.push(Carried {
                    series: Arc::clone(&series),
                    width: wider.width,
                    point,
                    runs: runs
                        .map(|run| look(&run).map(|outcome| (run, outcome)))
                        .collect::<Result<_>>()?,
                });
            }
        }
        Ok(Self {
            halving,
            brackets,
            carried,
        })
    }
}

/// One bracket a series, width and optimizer, in the order of the plan.
fn brackets(sweep: &SweepSpec) -> Vec<Bracket> {
    let mut brackets: Vec<Bracket> = Vec::new();
    let plan = sweep.plan();
    for seeds in plan.chunks(sweep.grid.seed.len().max(1)) {
        let Some(first) = seeds.first() else { continue };
        let (series, width) = (&first.cell.series, first.cell.width);
        let is_sgd = first.cell.rho == 0.0;
        // The plan has a series' width in one piece: only the last two brackets are still open.
        let open = brackets.iter_mut().rev().take(2);
        let mut own =
            open.filter(|one| (&one.series, one.width, one.is_sgd) == (series, width, is_sgd));
        if let Some(bracket) = own.next() {
            bracket.points.push(seeds.to_vec());
            continue;
        }
        brackets.push(Bracket {
            series: Arc::clone(series),
            width,
            is_sgd,
            points: vec![seeds.to_vec()],
            rungs: Vec::new(),
        });
    }
    brackets
}

impl Bracket {
    /// Adds rungs as long as the results of the one before are all there.
    fn climb(
        &mut self,
        sweep: &SweepSpec,
        halving: &Halving,
        look: &mut impl FnMut(&PlannedRun) -> Result<Outcome>,
    ) -> Result<()> {
        let mut points: Vec<usize> = (0..self.points.len()).collect();
        for &epochs in halving.rungs() {
            let mut runs = Vec::new();
            for &point in &points {
                let mut seeds = Vec::new();
                for run in &self.points[point] {
                    let run = sweep.cut_short(run, epochs);
                    let outcome = look(&run)?;
                    seeds.push((run, outcome));
                }
                runs.push(seeds);
            }
            let rung = Rung {
                epochs,
                points,
                runs,
            };
            let goes_on = rung.is_decided();
            points = promoted(&rung.scores(), halving)
                .into_iter()
                .map(|place| rung.points[place])
                .collect();
            self.rungs.push(rung);
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// The last rung, if it is reached: the points that are trained in full.
    pub fn full_length(&self, halving: &Halving) -> Option<&Rung> {
        self.rungs.get(halving.rungs().len() - 1)
    }

    /// The best point of all that were trained in full, as the report finds it; nothing as long as
    /// one of them has no result, or if none completed.
    fn best(&self, halving: &Halving) -> Option<usize> {
        let last = self.full_length(halving).filter(|rung| rung.is_decided())?;
        let scores = last.scores();
        let is_accuracy = |score: &f64| (0.0..=1.0).contains(score);
        if !scores.iter().flatten().flatten().all(is_accuracy) {
            // A report knows nothing of other numbers.
            let mut best = ranked(&scores).into_iter();
            let (place, _) = best.find(|(_, mean)| mean.is_finite())?;
            return last.points.get(place).copied();
        }
        let observations = last.runs.iter().flatten();
        let input = ReportInput {
            sharpness: Vec::new(),
            title: String::new(),
            dataset: String::new(),
            selection: String::new(),
            base_width: self.width,
            axes: crate::report::Axes::default(),
            fits: false,
            sampling: Sampling::Grid,
            halving: None,
            settings: Vec::new(),
            schemes: Vec::new(),
            unstable_below: 0.0,
            observations: observations
                .map(|(run, outcome)| observation(run, outcome.clone()))
                .collect(),
            command: String::new(),
            version: String::new(),
            warnings: Vec::new(),
        };
        let report = build(&input);
        let optimum = report.optima.first()?;
        let is_optimum = |point: &&usize| {
            let run = self.points[**point].first();
            run.is_some_and(|run| {
                let (lr, rho) = (run.cell.lr, run.cell.rho);
                (Some(lr), Some(rho)) == (optimum.lr, optimum.rho)
            })
        };
        last.points.iter().find(is_optimum).copied()
    }
}
