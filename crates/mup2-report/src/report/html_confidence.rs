//! The page's last section: how far its numbers can be trusted.

use super::confidence::StepRange;
use super::display::percent;
use super::{EDGE_MARGIN, GridEdge, Report, Sampling};
use crate::figure::svg::escape;
use mup2_scaling::number::{count, trimmed};

/// At most this many reasons of failure are listed; `report.json` has all.
const LISTED_FAILURES: usize = 10;

/// Returns the section as HTML.
pub(super) fn confidence_section(report: &Report) -> String {
    let mut points = vec![seeds(report), grid(report)];
    points.extend(halving(report));
    points.extend(edges(report));
    points.extend(winners_curse(report));
    points.push(runs(report));
    points.extend(failures(report));
    let mut html = "<h2>How sure is this?</h2>\n<ul>\n".to_owned();
    for point in points {
        html.push_str(&format!("<li>{}</li>\n", escape(&point)));
    }
    html.push_str("</ul>\n");
    if !report.warnings.is_empty() {
        html.push_str("<h2>Warnings</h2>\n<ul>\n");
        for warning in &report.warnings {
            html.push_str(&format!("<li>{}</li>\n", escape(warning)));
        }
        html.push_str("</ul>\n");
    }
    html
}

fn seeds(report: &Report) -> String {
    let seeds = super::table::seeds(report);
    match report.confidence.median_stderr {
        Some(stderr) => format!(
            "Seeds: {seeds} per cell. The standard error of a stable cell's accuracy is {} points in \
             the median; differences smaller than about twice that are noise. A standard error from \
             so few seeds is itself rough.",
            percent(Some(stderr))
        ),
        None => format!(
            "Seeds: {seeds} per cell, so there are no standard errors: small differences may be \
             noise."
        ),
    }
}

fn grid(report: &Report) -> String {
    if let Sampling::Scattered { method, .. } = &report.sampling {
        return search(report, method);
    }
    format!(
        "Grid: {}; {}. A drift of the optimum smaller than a step cannot be seen; the right edge is \
         interpolated between grid points.",
        step("η", report.confidence.lr_step),
        step("ρ", report.confidence.rho_step)
    )
}

fn search(report: &Report, method: &str) -> String {
    match report.confidence.density {
        Some(density) => format!(
            "Search ({method}): {} with ρ > 0, the same at every width, about {} apart in η and ρ. A \
             drift of the optimum smaller than that cannot be seen.",
            count(density.points, "point"),
            octaves(density.spacing)
        ),
        None => format!("Search ({method}): no point with ρ > 0."),
    }
}

fn halving(report: &Report) -> Option<String> {
    let halving = report.halving.as_ref()?;
    Some(format!(
        "{}. Points that learn slowly at first are given up with the bad ones. Where a width's own \
         optimum was missed, its accuracy, and with it the regret, is too low. A centroid is that of \
         the few points trained in full.",
        halving.sentence()
    ))
}

fn step(name: &str, range: Option<StepRange>) -> String {
    match range {
        None => format!("{name} has one value only, so it was not tuned"),
        Some(range) if range.largest - range.smallest < 1e-3 => {
            format!("{name} in steps of {}", octaves(range.smallest))
        }
        Some(range) => format!(
            "{name} in steps of {} to {}",
            trimmed(range.smallest),
            octaves(range.largest)
        ),
    }
}

fn octaves(number: f64) -> String {
    let text = trimmed(number);
    if text == "1" {
        "1 octave".to_owned()
    } else {
        format!("{text} octaves")
    }
}

fn edges(report: &Report) -> Option<String> {
    let on_edge: Vec<String> = report
        .optima
        .iter()
        .filter(|optimum| optimum.at_edge)
        .map(|optimum| {
            let words: Vec<&str> = optimum
                .edges
                .iter()
                .map(|edge: &GridEdge| edge.words())
                .collect();
            format!(
                "{} at width {} ({})",
                optimum.scheme,
                optimum.width,
                words.join(", ")
            )
        })
        .collect();
    if report.optima.iter().all(|optimum| optimum.lr.is_none()) {
        return None;
    }
    let is_grid = report.sampling.is_grid();
    let margin = trimmed(EDGE_MARGIN * 100.0);
    Some(match (on_edge.is_empty(), is_grid) {
        (true, true) => "No optimum lies on the edge of its grid.".to_owned(),
        (true, false) => format!(
            "No optimum lies at the edge of its range: each is more than {margin} % of the range \
             from its ends and has results beyond it on all sides."
        ),
        (false, true) => format!(
            "These optima are not trustworthy, since they lie on the edge of their grid and the true \
             ones may lie beyond it: {}.",
            on_edge.join("; ")
        ),
        (false, false) => format!(
            "These optima are not trustworthy, since they lie at the edge of their range (within \
             {margin} % of its end, or with no result beyond them) and the true ones may lie beyond \
             it: {}.",
            on_edge.join("; ")
        ),
    })
}

fn winners_curse(report: &Report) -> Option<String> {
    (!report.transfer.is_empty()).then(|| {
        "The own optimum is the best of many noisy cells, so its accuracy, and with it the regret, \
         is too high by about one standard error; a regret of that size is no evidence against \
         transfer."
            .to_owned()
    })
}

fn runs(report: &Report) -> String {
    let confidence = &report.confidence;
    format!(
        "Runs: {} completed, {} diverged (counted as accuracy 0), {} failed and {} missing (not \
         counted). Runs that schemes share are counted once for each.",
        confidence.completed, confidence.diverged, confidence.failed, confidence.missing
    )
}

fn failures(report: &Report) -> Vec<String> {
    let failures = &report.confidence.failures;
    let mut lines: Vec<String> = failures
        .iter()
        .take(LISTED_FAILURES)
        .map(|failure| format!("Failed, {}: {}", count(failure.runs, "run"), failure.reason))
        .collect();
    if failures.len() > LISTED_FAILURES {
        let more = failures.len() - LISTED_FAILURES;
        lines.push(format!("{} more; see report.json.", count(more, "reason")));
    }
    lines
}
