//! The findings in sentences, computed from the same numbers as the tables.

use super::baselines::Baseline;
use super::cells::{Cells, Status};
use super::display::fine_octaves;
use super::edges::Bound;
use super::optima::Optimum;
use super::transfer::Transfer;
use super::{Axes, Scale};
use std::collections::HashMap;

/// One sentence per scheme about transfer to its widest network, or about its only width.
pub(super) fn headlines(
    cells: &Cells,
    optima: &[Optimum],
    transfers: &[Transfer],
    baselines: &[Baseline],
) -> Vec<String> {
    let axes = &cells.axes;
    let metric = &axes.metric;
    let is_grid = cells.sampling.is_grid() && axes.y.is_some();
    let mut own: HashMap<&str, Own> = HashMap::new();
    for row in optima {
        own.entry(&row.scheme)
            .or_default()
            .narrowest
            .get_or_insert(row);
    }
    for row in transfers {
        own.entry(&row.scheme).or_default().widest = Some(row);
    }
    for row in baselines {
        own.entry(&row.scheme).or_default().baseline = Some(row);
    }
    cells
        .schemes
        .iter()
        .filter_map(|scheme| {
            let own = own.get(scheme.as_str())?;
            let narrowest = own.narrowest?;
            let mut text = match own.widest {
                Some(widest) => transferred(axes, narrowest, widest, is_grid),
                None => alone(axes, narrowest),
            };
            if let Some(baseline) = own.baseline.filter(|row| row.test_gain.is_some()) {
                text.push_str(&format!(
                    " {} against {} on the test set at {} {}: {}{}.",
                    axes.tuned_name(),
                    axes.baseline_name(),
                    axes.size,
                    baseline.width,
                    metric.difference(baseline.test_gain, baseline.test_gain_stderr),
                    metric.difference_unit()
                ));
            }
            Some(text)
        })
        .collect()
}

/// The rows that one scheme's sentence is made of.
#[derive(Default)]
struct Own<'a> {
    narrowest: Option<&'a Optimum>,
    widest: Option<&'a Transfer>,
    baseline: Option<&'a Baseline>,
}

/// The runs that an optimum is chosen from.
fn runs(axes: &Axes) -> String {
    match &axes.y {
        Some(axis) if axis.scale == Scale::Log2 => format!("run with {} > 0", axis.symbol),
        _ => "run".to_owned(),
    }
}

fn transferred(axes: &Axes, narrowest: &Optimum, widest: &Transfer, is_grid: bool) -> String {
    let metric = &axes.metric;
    let size = &axes.size;
    let y = axes.y.as_ref().map_or("", |axis| &axis.symbol);
    let scheme = &widest.scheme;
    let Some((lr, rho)) = narrowest.lr.zip(narrowest.rho) else {
        return format!(
            "{scheme}: no {} completed at {size} {}, so nothing can be transferred.",
            runs(axes),
            widest.from
        );
    };
    let cost = match (widest.status_transferred, widest.regret) {
        (_, None) if widest.accuracy_transferred.is_some() => {
            format!("no {} completes at {size} {}", runs(axes), widest.to)
        }
        (Some(Status::Diverged), _) => format!(
            "diverges at {size} {}, whose own optimum reaches {}{}",
            widest.to,
            metric.text(widest.accuracy_best),
            metric.unit()
        ),
        (_, Some(_))
            if widest.log2_lr_drift == Some(0.0)
                && (axes.y.is_none() || widest.log2_rho_drift == Some(0.0)) =>
        {
            format!("is also the optimum of {size} {}", widest.to)
        }
        (_, Some(_)) => format!(
            "loses {}{} at {size} {} against that {size}'s own optimum",
            metric.with_error(widest.regret, widest.regret_stderr),
            metric.difference_unit(),
            widest.to
        ),
        (_, None) if !axes.is_default() && widest.accuracy_best.is_some() => format!(
            "was not run at {size} {}, so what transfer costs is not known",
            widest.to
        ),
        (_, None) => format!("has no result at {size} {}", widest.to),
    };
    let edge = match (widest.edge_rho_drift, widest.edge_rho_drift_bound) {
        (Some(drift), bound) => format!(
            "; the right edge of {y} moves by {}.",
            octaves_in_words(axes, drift, bound)
        ),
        (None, _) if is_grid => {
            format!("; the grid does not show how far the right edge of {y} moves.")
        }
        // Scattered points have no slices, so an edge is not to be expected of them.
        (None, _) => ".".to_owned(),
    };
    format!(
        "{scheme}: the optimum of {size} {} ({}) {cost}{edge}",
        widest.from,
        axes.point(lr, rho)
    )
}

fn octaves_in_words(axes: &Axes, drift: f64, bound: Option<Bound>) -> String {
    let number = fine_octaves(Some(drift), None);
    let qualifier = match bound {
        Some(Bound::AtLeast) => "at least ",
        Some(Bound::AtMost) => "at most ",
        _ => "",
    };
    let is_log = axes
        .y
        .as_ref()
        .is_some_and(|axis| axis.scale == Scale::Log2);
    let unit = if is_log { " octaves" } else { "" };
    format!("{qualifier}{number}{unit}")
}

fn alone(axes: &Axes, optimum: &Optimum) -> String {
    let (size, metric) = (&axes.size, &axes.metric);
    match optimum.lr.zip(optimum.rho) {
        Some((lr, rho)) => format!(
            "{}: best at {} with {}{} at {size} {}, the only {size} that was run.",
            optimum.scheme,
            axes.point(lr, rho),
            metric.with_error(optimum.accuracy, optimum.stderr),
            metric.unit(),
            optimum.width
        ),
        None => format!(
            "{}: no {} completed at {size} {}, the only {size} that was run.",
            optimum.scheme,
            runs(axes),
            optimum.width
        ),
    }
}
