//! How sure the report is: seeds, grid steps, standard errors, and runs that did not count.

use serde::{Deserialize, Serialize};

use super::cells::{Cell, Cells, Status};
use super::statistics::{median, round};

/// The smallest and largest step of a grid in octaves (units of log₂).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepRange {
    /// The smallest step.
    pub smallest: f64,
    /// The largest step.
    pub largest: f64,
}

/// How densely scattered points fill their range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Density {
    /// Most points with ρ > 0 of any scheme and width.
    pub points: usize,
    /// Side of the square in (log₂ η, log₂ ρ) that each of them has to itself, in octaves.
    pub spacing: f64,
}

/// A reason for failure and how many runs gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureCount {
    /// The error's message.
    pub reason: String,
    /// Number of runs.
    pub runs: usize,
}

/// What the trust in the numbers rests on. Runs shared by several schemes (those at the base width)
/// are counted once for each of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// Fewest counted runs of any cell that has one.
    pub seeds_min: usize,
    /// Most counted runs of any cell.
    pub seeds_max: usize,
    /// Step of the grid of η; absent where no width has two values, and for scattered points.
    pub lr_step: Option<StepRange>,
    /// Step of the grid of positive ρ.
    pub rho_step: Option<StepRange>,
    /// How densely scattered points lie; absent for a grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub density: Option<Density>,
    /// Median standard error of the stable cells' selection accuracy.
    pub median_stderr: Option<f64>,
    /// Runs that completed.
    pub completed: usize,
    /// Runs that diverged.
    pub diverged: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Planned runs without a result.
    pub missing: usize,
    /// Why runs failed.
    pub failures: Vec<FailureCount>,
}

impl Confidence {
    /// Whether several learning rates were run with ρ > 0, so that an optimum could move.
    pub fn has_several_lrs(&self) -> bool {
        self.has_several_points() || self.lr_step.is_some()
    }

    /// The same for positive radii.
    pub fn has_several_rhos(&self) -> bool {
        self.has_several_points() || self.rho_step.is_some()
    }

    fn has_several_points(&self) -> bool {
        self.density.is_some_and(|density| density.points > 1)
    }
}

/// Gathers what the trust in the numbers rests on.
pub(super) fn confidence(cells: &Cells) -> Confidence {
    let all = || cells.groups.iter().map(|group| &group.cell);
    let counted = || all().map(|cell| cell.seeds).filter(|seeds| *seeds > 0);
    let total = |count: fn(&Cell) -> usize| all().map(count).sum::<usize>();
    let grid_steps = |place: &dyn Fn(&Cell) -> f64| {
        let is_grid = cells.sampling.is_grid();
        is_grid.then(|| steps(cells, place)).flatten()
    };
    let axes = &cells.axes;
    let stable = all().filter(|cell| cell.status == Status::Ok);
    Confidence {
        seeds_min: counted().min().unwrap_or(0),
        seeds_max: counted().max().unwrap_or(0),
        lr_step: grid_steps(&|cell| axes.x.place(cell.lr)),
        rho_step: grid_steps(&|cell| axes.y_place(cell.rho)),
        density: density(cells),
        median_stderr: median(stable.filter_map(|cell| cell.stderr).collect()),
        completed: total(|cell| cell.seeds - cell.diverged),
        diverged: total(|cell| cell.diverged),
        failed: total(|cell| cell.failed),
        missing: total(|cell| cell.missing),
        failures: cells
            .failures
            .iter()
            .map(|(reason, runs)| FailureCount {
                reason: reason.clone(),
                runs: *runs,
            })
            .collect(),
    }
}

fn density(cells: &Cells) -> Option<Density> {
    let area = cells.sampling.square_octaves()?;
    let points = cells.schemes.iter().flat_map(|scheme| {
        let widths = cells.widths(scheme).into_iter();
        widths.map(move |width| {
            let own = cells.known_points(scheme, width, |_| true);
            own.filter(|(_, rho)| !cells.axes.is_baseline(*rho)).count()
        })
    });
    let points = points.max().filter(|points| *points > 0)?;
    Some(Density {
        points,
        spacing: round((area / points as f64).sqrt()),
    })
}

/// The range of steps between neighbouring positive values, over all schemes and widths.
fn steps(cells: &Cells, place: &dyn Fn(&Cell) -> f64) -> Option<StepRange> {
    let mut range: Option<StepRange> = None;
    for scheme in &cells.schemes {
        for width in cells.widths(scheme) {
            let mut values: Vec<f64> = cells
                .of(scheme, width)
                .filter(|group| !cells.axes.is_baseline(group.cell.rho))
                .map(|group| round(place(&group.cell)))
                .collect();
            values.sort_by(f64::total_cmp);
            values.dedup();
            for pair in values.windows(2) {
                let step = round(pair[1] - pair[0]);
                let known = range.get_or_insert(StepRange {
                    smallest: step,
                    largest: step,
                });
                known.smallest = known.smallest.min(step);
                known.largest = known.largest.max(step);
            }
        }
    }
    range
}
