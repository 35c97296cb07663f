//! The findings in sentences, computed from the same numbers as the tables.

use super::baselines::Baseline;
use super::cells::{Cells, Status};
use super::display::{fine_octaves, percent, percent_with_error, points_with_error};
use super::edges::Bound;
use super::optima::Optimum;
use super::transfer::Transfer;
use mup2_scaling::number::power;

/// One sentence per scheme about transfer to its widest network, or about its only width.
pub(super) fn headlines(
    cells: &Cells,
    optima: &[Optimum],
    transfers: &[Transfer],
    baselines: &[Baseline],
) -> Vec<String> {
    let is_grid = cells.sampling.is_grid();
    cells
        .schemes
        .iter()
        .filter_map(|scheme| {
            let narrowest = optima.iter().find(|row| row.scheme == *scheme)?;
            let widest = transfers.iter().rfind(|row| row.scheme == *scheme);
            let baseline = baselines.iter().rfind(|row| row.scheme == *scheme);
            let mut text = match widest {
                Some(widest) => transferred(narrowest, widest, is_grid),
                None => alone(narrowest),
            };
            if let Some(baseline) = baseline.filter(|row| row.test_gain.is_some()) {
                text.push_str(&format!(
                    " SAM against SGD on the test set at width {}: {} points.",
                    baseline.width,
                    points_with_error(baseline.test_gain, baseline.test_gain_stderr)
                ));
            }
            Some(text)
        })
        .collect()
}

fn transferred(narrowest: &Optimum, widest: &Transfer, is_grid: bool) -> String {
    let scheme = &widest.scheme;
    let Some((lr, rho)) = narrowest.lr.zip(narrowest.rho) else {
        return format!(
            "{scheme}: no run with ρ > 0 completed at width {}, so nothing can be transferred.",
            widest.from
        );
    };
    let cost = match (widest.status_transferred, widest.regret) {
        (_, None) if widest.accuracy_transferred.is_some() => {
            format!("no run with ρ > 0 completes at width {}", widest.to)
        }
        (Some(Status::Diverged), _) => format!(
            "diverges at width {}, whose own optimum reaches {} %",
            widest.to,
            percent(widest.accuracy_best)
        ),
        (_, Some(_)) if widest.log2_lr_drift == Some(0.0) && widest.log2_rho_drift == Some(0.0) => {
            format!("is also the optimum of width {}", widest.to)
        }
        (_, Some(_)) => format!(
            "loses {} points at width {} against that width's own optimum",
            percent_with_error(widest.regret, widest.regret_stderr),
            widest.to
        ),
        (_, None) => format!("has no result at width {}", widest.to),
    };
    let edge = match (widest.edge_rho_drift, widest.edge_rho_drift_bound) {
        (Some(drift), bound) => format!(
            "; the right edge of ρ moves by {}.",
            octaves_in_words(drift, bound)
        ),
        (None, _) if is_grid => {
            "; the grid does not show how far the right edge of ρ moves.".to_owned()
        }
        // Scattered points have no slices, so an edge is not to be expected of them.
        (None, _) => ".".to_owned(),
    };
    format!(
        "{scheme}: the optimum of width {} (η = {}, ρ = {}) {cost}{edge}",
        widest.from,
        power(lr),
        power(rho)
    )
}

fn octaves_in_words(drift: f64, bound: Option<Bound>) -> String {
    let number = fine_octaves(Some(drift), None);
    let qualifier = match bound {
        Some(Bound::AtLeast) => "at least ",
        Some(Bound::AtMost) => "at most ",
        _ => "",
    };
    format!("{qualifier}{number} octaves")
}

fn alone(optimum: &Optimum) -> String {
    match optimum.lr.zip(optimum.rho) {
        Some((lr, rho)) => format!(
            "{}: best at η = {}, ρ = {} with {} % at width {}, the only width that was run.",
            optimum.scheme,
            power(lr),
            power(rho),
            percent_with_error(optimum.accuracy, optimum.stderr),
            optimum.width
        ),
        None => format!(
            "{}: no run with ρ > 0 completed at width {}, the only width that was run.",
            optimum.scheme, optimum.width
        ),
    }
}
