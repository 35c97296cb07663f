//! The page's last section: how far its numbers can be trusted.

use super::confidence::StepRange;
use super::{Axis, EDGE_MARGIN, GridEdge, MetricKind, Report, Sampling, Scale};
use crate::figure::svg::escape;
use mup2_scaling::number::{count, plain, trimmed};

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
            "Seeds: {seeds} per cell. The standard error of a stable cell's {} is {}{} in the \
             median; differences smaller than about twice that are noise. A standard error from so \
             few seeds is itself rough.",
            report.axes.metric.name,
            report.axes.metric.text(Some(stderr)),
            report.axes.metric.difference_unit()
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
    let x = step(&report.axes.x, report.confidence.lr_step);
    let (y, edge) = match &report.axes.y {
        Some(axis) => (
            format!("; {}", step(axis, report.confidence.rho_step)),
            "; the right edge is interpolated between grid points",
        ),
        None => (String::new(), ""),
    };
    format!("Grid: {x}{y}. A drift of the optimum smaller than a step cannot be seen{edge}.")
}

fn search(report: &Report, method: &str) -> String {
    let axes = &report.axes;
    let y = axes.y.as_ref().map_or("", |axis| &axis.symbol);
    let is_log = axes
        .y
        .as_ref()
        .is_some_and(|axis| axis.scale == Scale::Log2);
    let positive = if is_log {
        format!(" with {y} > 0")
    } else {
        String::new()
    };
    let same = if axes.is_default() {
        ", the same at every width"
    } else {
        " at one size"
    };
    match report.confidence.density {
        Some(density) => format!(
            "Search ({method}): {}{positive}{same}, about {} apart in {} and {y}. A drift of the \
             optimum smaller than that cannot be seen.",
            count(density.points, "point"),
            octaves(density.spacing),
            axes.x.symbol
        ),
        None => format!("Search ({method}): no point{positive}."),
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

fn step(axis: &Axis, range: Option<StepRange>) -> String {
    let name = &axis.symbol;
    let octaves = |number: f64| match axis.scale {
        Scale::Log2 => octaves(number),
        Scale::Linear => plain(number),
    };
    match range {
        None => format!("{name} has one value only, so it was not tuned"),
        Some(range) if range.largest - range.smallest < 1e-3 => {
            format!("{name} in steps of {}", octaves(range.smallest))
        }
        Some(range) => format!(
            "{name} in steps of {} to {}",
            match axis.scale {
                Scale::Log2 => trimmed(range.smallest),
                Scale::Linear => plain(range.smallest),
            },
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
            let words: Vec<String> = optimum
                .edges
                .iter()
                .map(|edge: &GridEdge| edge.words(&report.axes))
                .collect();
            format!(
                "{} at {} {} ({})",
                optimum.scheme,
                report.axes.size,
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
        format!(
            "The own optimum is the best of many noisy cells, so its {}, and with it the regret, is \
             too {} by about one standard error; a regret of that size is no evidence against \
             transfer.",
            report.axes.metric.name,
            if report.axes.metric.minimize { "good" } else { "high" }
        )
    })
}

fn runs(report: &Report) -> String {
    let confidence = &report.confidence;
    let metric = &report.axes.metric;
    let counted = match metric.kind {
        MetricKind::Share => format!("counted as {} 0", metric.name),
        MetricKind::Number => "their cells are not among the optima".to_owned(),
    };
    let shared = if report.axes.is_default() {
        " Runs that schemes share are counted once for each."
    } else {
        ""
    };
    format!(
        "Runs: {} completed, {} diverged ({counted}), {} failed and {} missing (not counted).{shared}",
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
