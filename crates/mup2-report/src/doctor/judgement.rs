//! When a difference counts: the doctor's thresholds, and nothing that depends on a signature.

use super::Report;
use super::words::{plain_points, points};
use crate::report::{Cell, RIGHT_EDGE_LOSS, Status};
use std::collections::HashMap;

/// A difference must exceed this many standard errors.
pub(super) const STANDARD_ERRORS: f64 = 2.0;
/// A difference of accuracies, 0 to 1, below this is not worth acting on.
pub(super) const SMALLEST_DIFFERENCE: f64 = 0.005;
/// Where a difference larger than this could hide in the noise, its absence is not claimed.
const LARGEST_HIDDEN: f64 = 0.015;
/// Fewest seeds from which a standard error is believed.
pub(super) const FEWEST_SEEDS: usize = 3;
/// Without a standard error, an accuracy must lie this far from a threshold to be beyond it:
/// training that broke is told from seed to seed variation, and nothing finer is.
const MARGIN_WITHOUT_SEEDS: f64 = 0.1;

/// A difference of accuracies over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    pub mean: f64,
    pub stderr: Option<f64>,
    /// The smaller number of seeds of its two sides.
    pub seeds: usize,
}

/// Whether a difference is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// It exceeds the margin of the noise and is large enough to act on.
    Present,
    /// It is too small to act on, in a sweep that would have shown a larger one.
    Absent,
    /// Neither: too few seeds or too much noise.
    Open,
}

/// The noise of a sweep, as its seeds show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Noise {
    /// The typical standard error of an accuracy near an optimum.
    pub stderr: Option<f64>,
}

impl Noise {
    /// The median standard error of the stable cells within the right edge's loss of their width's
    /// best. Where accuracy falls off, seeds differ far more, which says nothing about optima.
    pub fn of(report: &Report) -> Self {
        let optima: HashMap<(&str, usize), Option<f64>> = {
            let rows = report.optima.iter();
            rows.map(|row| ((row.scheme.as_str(), row.width), row.accuracy))
                .collect()
        };
        let mut errors: Vec<f64> = report
            .cells
            .iter()
            .filter(|cell| cell.status == Status::Ok && cell.seeds >= FEWEST_SEEDS)
            .filter(|cell| {
                let best = optima
                    .get(&(cell.scheme.as_str(), cell.width))
                    .copied()
                    .flatten();
                let fall = best.zip(cell.accuracy).map(|(best, own)| best - own);
                fall.is_some_and(|fall| fall <= RIGHT_EDGE_LOSS)
            })
            .filter_map(|cell| cell.stderr)
            .collect();
        errors.sort_by(f64::total_cmp);
        Self {
            stderr: errors.get(errors.len() / 2).copied(),
        }
    }

    /// How much a difference must exceed; nothing with too few seeds.
    ///
    /// Three seeds may agree by chance, so their standard error is taken to be at least the typical
    /// one.
    pub fn margin(&self, difference: &Difference) -> Option<f64> {
        let own = difference
            .stderr
            .filter(|_| difference.seeds >= FEWEST_SEEDS)?;
        Some(STANDARD_ERRORS * own.max(self.stderr.unwrap_or_default()))
    }

    /// Whether a difference is there.
    pub fn read(&self, difference: &Difference) -> Reading {
        match self.margin(difference) {
            None => Reading::Open,
            Some(margin) if difference.mean < SMALLEST_DIFFERENCE => {
                if difference.mean + margin <= LARGEST_HIDDEN {
                    Reading::Absent
                } else {
                    Reading::Open
                }
            }
            Some(margin) if difference.mean > margin => Reading::Present,
            Some(_) => Reading::Open,
        }
    }

    /// Why a difference is [`Reading::Open`], as the end of a sentence.
    pub fn reason(&self, difference: &Difference) -> String {
        match self.margin(difference) {
            None => format!(
                "with {} there is no standard error to judge it by",
                super::words::seeds(difference.seeds)
            ),
            Some(margin) => format!(
                "with this noise only more than {} points would count",
                plain_points(margin)
            ),
        }
    }

    /// How far a cell's accuracy must lie from a threshold to be surely beyond it. `other` is the
    /// standard error of the threshold.
    pub fn cell_margin(&self, cell: &Cell, other: Option<f64>) -> f64 {
        match cell.stderr.filter(|_| cell.seeds >= FEWEST_SEEDS) {
            None => MARGIN_WITHOUT_SEEDS,
            Some(own) => {
                let typical = self.stderr.unwrap_or_default();
                let other = other.map_or(0.0, |other| other.max(typical));
                STANDARD_ERRORS * own.max(typical).hypot(other)
            }
        }
    }

    /// The rules in sentences.
    pub fn rules(&self, report: &Report) -> Vec<String> {
        let mut rules = vec![format!(
            "A difference of accuracies counts when it exceeds {STANDARD_ERRORS} standard errors (±, over seeds) and {} \
             points. From fewer than {FEWEST_SEEDS} seeds no standard error is believed.",
            plain_points(SMALLEST_DIFFERENCE)
        )];
        if let Some(stderr) = self.stderr {
            rules.push(format!(
                "Few seeds may agree by chance, so a standard error counts as at least {} points, the \
                 typical one near the optima.",
                points(stderr, None)
            ));
        }
        let unstable = format!(
            "Unstable: an accuracy below {} %, or a run that diverged.",
            plain_points(report.unstable_below)
        );
        if report.sampling.is_grid() {
            rules.push(format!(
                "{unstable} The right edge of ρ is the largest ρ within {} points of the best at the \
                 carried-over η, the instability edge the one beyond which all is unstable.",
                plain_points(RIGHT_EDGE_LOSS)
            ));
            rules.push(
                "An edge of ρ has moved when one value of the grid is surely inside it before and \
                 surely outside it after, and the edge itself moved by at least half a step of the \
                 grid."
                    .to_owned(),
            );
        } else {
            rules.push(format!(
                "{unstable} The points of a search have no lines along ρ, so no edges of ρ are \
                 compared; a grid shows them."
            ));
        }
        rules.push(
            "η is the learning rate, ρ SAM's perturbation radius; an octave is a factor of 2."
                .to_owned(),
        );
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISE: Noise = Noise {
        stderr: Some(0.004),
    };

    fn read(mean: f64, stderr: f64, seeds: usize) -> Reading {
        NOISE.read(&Difference {
            mean,
            stderr: Some(stderr),
            seeds,
        })
    }

    #[test]
    fn a_difference_is_present_beyond_two_standard_errors_and_half_a_point() {
        assert_eq!(read(0.021, 0.01, 3), Reading::Present);
        assert_eq!(read(0.019, 0.01, 3), Reading::Open);
        let silent = Noise { stderr: None };
        let small = Difference {
            mean: 0.004,
            stderr: Some(0.001),
            seeds: 3,
        };
        assert_eq!(silent.read(&small), Reading::Absent);
    }

    #[test]
    fn seeds_that_agree_by_chance_do_not_make_a_difference_certain() {
        assert_eq!(read(0.007, 0.0, 3), Reading::Open);
        assert_eq!(read(0.009, 0.0, 3), Reading::Present);
    }

    #[test]
    fn absence_is_claimed_only_where_a_larger_difference_would_have_shown() {
        assert_eq!(read(0.001, 0.006, 3), Reading::Absent);
        assert_eq!(read(0.001, 0.009, 3), Reading::Open);
    }

    #[test]
    fn from_two_seeds_nothing_is_read() {
        assert_eq!(read(0.2, 0.001, 2), Reading::Open);
        assert_eq!(read(0.0, 0.001, 2), Reading::Open);
    }
}
