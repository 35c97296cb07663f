//! Whether an edge of ρ moved between two slices, seen from the noise of their cells.

use super::judgement::Noise;
use super::subject::Subject;
use crate::report::{Bound, Cell, RIGHT_EDGE_LOSS, Slice, Status};

/// Which edge of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// Where accuracy falls [`RIGHT_EDGE_LOSS`] below the slice's best.
    Right,
    /// Where training becomes unstable.
    Instability,
}

/// The direction of a move along ρ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To smaller radii.
    Left,
    /// To larger radii.
    Right,
}

/// How an edge differs between two slices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Move {
    /// `to − from` in octaves; absent when the grid leaves its sign open.
    pub octaves: Option<(f64, Bound)>,
    /// The direction, where the noise allows to tell it.
    pub sure: Option<Direction>,
    /// The smallest value of ρ at which one slice is surely inside and the other surely outside.
    pub shown_at: Option<f64>,
}

impl Move {
    /// Whether the edge surely moved that way.
    pub fn is(&self, direction: Direction) -> bool {
        self.sure == Some(direction)
    }
}

/// One slice: a scheme at a width, and the cells along ρ.
struct Curve<'a> {
    slice: &'a Slice,
    cells: Vec<&'a Cell>,
    /// The accuracy at the edge, and its standard error.
    threshold: (f64, Option<f64>),
    noise: Noise,
    edge: Edge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Inside,
    Outside,
    Open,
}

impl<'a> Curve<'a> {
    fn new(subject: &Subject<'a>, width: usize, edge: Edge) -> Option<Self> {
        let slice = subject.slice(width)?;
        let lr = slice.lr?;
        let mut cells: Vec<&Cell> = subject
            .cells(width)
            .filter(|cell| cell.lr == lr && cell.rho > 0.0)
            .filter(|cell| !matches!(cell.status, Status::Failed | Status::Missing))
            .collect();
        cells.sort_by(|left, right| left.rho.total_cmp(&right.rho));
        let threshold = match edge {
            Edge::Instability => (subject.report.unstable_below, None),
            Edge::Right => {
                let best = cells
                    .iter()
                    .filter_map(|cell| Some((cell.accuracy?, cell.stderr)))
                    .max_by(|left, right| left.0.total_cmp(&right.0))?;
                (best.0 - RIGHT_EDGE_LOSS, best.1)
            }
        };
        Some(Self {
            slice,
            cells,
            threshold,
            noise: subject.noise,
            edge,
        })
    }

    fn side(&self, cell: &Cell) -> Side {
        // A diverged run is no matter of noise.
        if cell.diverged > 0 && self.edge == Edge::Instability {
            return Side::Outside;
        }
        let Some(accuracy) = cell.accuracy else {
            return Side::Outside;
        };
        let (threshold, stderr) = self.threshold;
        let margin = match self.edge {
            Edge::Instability => self.noise.cell_margin(cell, None),
            Edge::Right => self
                .noise
                .cell_margin(cell, Some(stderr.unwrap_or_default())),
        };
        match accuracy - threshold {
            above if above >= margin => Side::Inside,
            below if -below >= margin => Side::Outside,
            _ => Side::Open,
        }
    }

    /// Whether the edge lies surely to the left of `rho`: outside there, and nowhere inside beyond.
    fn ends_before(&self, rho: f64) -> bool {
        let at = self.cells.iter().find(|cell| cell.rho == rho);
        let beyond = self.cells.iter().filter(|cell| cell.rho > rho);
        at.is_some_and(|cell| self.side(cell) == Side::Outside)
            && beyond
                .into_iter()
                .all(|cell| self.side(cell) != Side::Inside)
    }

    /// The smallest ρ that lies surely inside this curve and surely outside the other.
    fn exceeds(&self, other: &Self) -> Option<f64> {
        let inside = self
            .cells
            .iter()
            .filter(|cell| self.side(cell) == Side::Inside);
        inside
            .map(|cell| cell.rho)
            .filter(|rho| other.ends_before(*rho))
            .min_by(f64::total_cmp)
    }

    /// log₂ ρ of the edge, interpolated, and what it is worth.
    fn place(&self) -> Option<(f64, Bound)> {
        let slice = self.slice;
        match self.edge {
            Edge::Right if slice.right_edge_beyond_grid => {
                Some((slice.right_edge_log2_rho?, Bound::AtLeast))
            }
            Edge::Right => Some((slice.right_edge_log2_rho?, Bound::Exact)),
            Edge::Instability => match slice.instability_log2_rho {
                Some(place) if slice.instability_before_grid => Some((place, Bound::AtMost)),
                Some(place) => Some((place, Bound::Exact)),
                None => Some((slice.last_log2_rho?, Bound::AtLeast)),
            },
        }
    }
}

/// How the edge differs from one scheme and width to another; nothing without two slices.
pub(super) fn compare(from: (&Subject, usize), to: (&Subject, usize), edge: Edge) -> Option<Move> {
    let first = Curve::new(from.0, from.1, edge)?;
    let second = Curve::new(to.0, to.1, edge)?;
    let octaves = difference(first.place(), second.place());
    let half_step = from
        .0
        .report
        .confidence
        .rho_step
        .map_or(0.0, |step| step.largest / 2.0);
    let moved = |sign: f64| match octaves {
        // A bound may be smaller than the true move, never of the other sign where `exceeds` holds.
        Some((octaves, Bound::Exact)) => octaves * sign >= half_step,
        _ => true,
    };
    let left = first.exceeds(&second).filter(|_| moved(-1.0));
    let right = second.exceeds(&first).filter(|_| moved(1.0));
    let (sure, shown_at) = match (left, right) {
        (Some(rho), None) => (Some(Direction::Left), Some(rho)),
        (None, Some(rho)) => (Some(Direction::Right), Some(rho)),
        _ => (None, None),
    };
    Some(Move {
        octaves,
        sure,
        shown_at,
    })
}

/// How far the subject's edge at its widest width lies from the reference's there; nothing where
/// the two differ at the narrowest width already, so that the width is not what parts them.
pub(super) fn against(reference: &Subject, subject: &Subject, edge: Edge) -> Option<Move> {
    let narrow = compare(
        (reference, subject.narrowest),
        (subject, subject.narrowest),
        edge,
    )?;
    if narrow.sure.is_some() {
        return None;
    }
    compare((reference, subject.widest), (subject, subject.widest), edge)
}

/// `to − from` of two places; nothing when the grid leaves its sign and size open.
fn difference(from: Option<(f64, Bound)>, to: Option<(f64, Bound)>) -> Option<(f64, Bound)> {
    let ((from, from_bound), (to, to_bound)) = (from?, to?);
    let bound = match (from_bound, to_bound) {
        (Bound::Exact, bound) => bound,
        (Bound::AtLeast, Bound::Exact | Bound::AtMost) => Bound::AtMost,
        (Bound::AtMost, Bound::Exact | Bound::AtLeast) => Bound::AtLeast,
        (Bound::AtLeast, Bound::AtLeast) | (Bound::AtMost, Bound::AtMost) => return None,
    };
    Some((to - from, bound))
}
