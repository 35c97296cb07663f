//! What a search by successive halving has pruned, and what that has saved.

use serde::{Deserialize, Serialize};

use super::cells::{Cells, Group};
use mup2_scaling::number::count;

/// The rungs of a search by halving, and the points that never saw their last epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Halving {
    /// One a scheme, width and optimizer (SAM or SGD).
    pub brackets: Vec<HalvingBracket>,
    /// The points that were given up, but for those that were trained in full all the same because
    /// they are the narrowest width's optimum.
    pub pruned: Vec<PrunedPoint>,
}

/// The points of a scheme at a width that competed with each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HalvingBracket {
    /// Scaling scheme.
    pub scheme: String,
    /// Width of the network.
    pub width: usize,
    /// Whether these are the points with ρ = 0.
    pub sgd: bool,
    /// Points at the beginning.
    pub points: usize,
    /// The rungs that were reached, ascending.
    pub rungs: Vec<HalvingRung>,
    /// Points that were given up.
    pub pruned: usize,
    /// Whether the narrowest width's optimum was given up here and trained in full all the same.
    pub carried: bool,
    /// Epochs that were trained, over points and seeds; a diverged run counts as if it had gone on to
    /// the end of its rung.
    pub epochs_trained: usize,
    /// Epochs of the search without halving, counted alike.
    pub epochs_full: usize,
}

/// One rung of a bracket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalvingRung {
    /// Epochs that a point has had at its end.
    pub epochs: usize,
    /// Points that reach it.
    pub points: usize,
    /// Points that go on; absent for the last rung, and as long as results are missing.
    pub promoted: Option<usize>,
}

/// A point that was given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrunedPoint {
    /// Scaling scheme.
    pub scheme: String,
    /// Width of the network.
    pub width: usize,
    /// Learning rate η.
    pub lr: f64,
    /// Perturbation radius ρ; 0 is the base optimizer without SAM.
    pub rho: f64,
    /// Epochs that it was trained for.
    pub epochs: usize,
    /// Mean selection accuracy then, 0 to 1; absent if a seed diverged or failed.
    pub accuracy: Option<f64>,
}

impl HalvingBracket {
    /// The share of the full search's epochs that was not trained, 0 to 1; nothing if there are none.
    pub fn saved(&self) -> Option<f64> {
        saved(self.epochs_trained, self.epochs_full)
    }

    /// What competes: `SAM` or `SGD`.
    pub(super) fn optimizer(&self) -> &'static str {
        if self.sgd { "SGD" } else { "SAM" }
    }

    /// `1: 27 → 9, 3: 9 → 3, 9: 3`, as epochs: points in → points that go on.
    pub(super) fn rungs_in_words(&self) -> String {
        let words = self.rungs.iter().map(|rung| match rung.promoted {
            Some(promoted) => format!("{}: {} → {promoted}", rung.epochs, rung.points),
            None => format!("{}: {}", rung.epochs, rung.points),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

impl Halving {
    /// What was pruned and saved in all, in one sentence.
    pub(super) fn sentence(&self) -> String {
        let sum =
            |value: fn(&HalvingBracket) -> usize| self.brackets.iter().map(value).sum::<usize>();
        let (points, pruned) = (sum(|one| one.points), sum(|one| one.pruned));
        let (trained, full) = (sum(|one| one.epochs_trained), sum(|one| one.epochs_full));
        let saved = saved(trained, full).unwrap_or_default();
        format!(
            "Successive halving pruned {pruned} of {} and trained {trained} epochs in place of the full \
             search's {full} ({:.0} % saved)",
            count(points, "point"),
            saved * 100.0
        )
    }
}

fn saved(trained: usize, full: usize) -> Option<f64> {
    (full > 0).then(|| 1.0 - trained as f64 / full as f64)
}

impl PrunedPoint {
    /// What became of the point, for who hovers over it.
    pub(super) fn describe(&self) -> String {
        use super::display::percent;
        use mup2_scaling::number::power;
        let (lr, rho) = (power(self.lr), power(self.rho));
        let ended = match self.accuracy {
            Some(_) => format!("with {} %", percent(self.accuracy)),
            None => "since a run diverged or failed".to_owned(),
        };
        format!(
            "{}, width {}, η = {lr}, ρ = {rho}\npruned after {} {ended}",
            self.scheme,
            self.width,
            count(self.epochs, "epoch")
        )
    }
}

impl Cells {
    /// The points of a scheme at a width that were given up, as (η, ρ).
    pub(super) fn pruned<'cells>(
        &'cells self,
        scheme: &'cells str,
        width: usize,
    ) -> impl Iterator<Item = (f64, f64)> + 'cells {
        let of_all = self.halving.iter().flat_map(|halving| &halving.pruned);
        of_all
            .filter(move |point| point.scheme == scheme && point.width == width)
            .map(|point| (point.lr, point.rho))
    }

    /// All points (η, ρ) of a scheme at a width of which something is known: those trained in full to
    /// which `is_known` applies, and those given up, since what lies beside an optimum was looked at.
    pub(super) fn known_points<'cells>(
        &'cells self,
        scheme: &'cells str,
        width: usize,
        is_known: impl Fn(&Group) -> bool + 'cells,
    ) -> impl Iterator<Item = (f64, f64)> + 'cells {
        self.of(scheme, width)
            .filter(move |group| is_known(group))
            .map(|group| (group.cell.lr, group.cell.rho))
            .chain(self.pruned(scheme, width))
    }
}
