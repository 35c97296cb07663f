//! Shifting optimum: what the narrowest width's (η, ρ) costs at the widest.

use super::finding::{Evidence, Examination, Finding, Signature, Standing};
use super::judgement::{Difference, Reading};
use super::remedy;
use super::subject::Subject;
use super::words::{beyond_edge, field, list, loses, octaves, percent, signed_points};
use crate::report::{Bound, GridEdge, Report, Status, Transfer};
use mup2_scaling::number::power;

/// The regret at the widest width, as [`regret`] measures it.
pub(super) fn difference(subject: &Subject) -> Option<Difference> {
    regret(subject, widest_transfer(subject)?)
}

fn widest_transfer<'a>(subject: &Subject<'a>) -> Option<&'a Transfer> {
    subject.transfers().max_by_key(|row| row.to)
}

/// What the transferred (η, ρ) loses against the width's own optimum: on the test set, because on
/// the selection set the best of many noisy cells always looks better than any one of them.
fn regret(subject: &Subject, row: &Transfer) -> Option<Difference> {
    let (mean, stderr) = match row.test_regret {
        Some(mean) => (mean, row.test_regret_stderr),
        None => (row.regret?, row.regret_stderr),
    };
    let (lr, rho) = subject.transferred()?;
    let optimum = subject.optimum(row.to)?;
    let own = subject.cell(row.to, optimum.lr?, optimum.rho?)?;
    let transferred = subject.cell(row.to, lr, rho)?;
    Some(Difference {
        mean,
        stderr,
        seeds: own.seeds.min(transferred.seeds),
    })
}

/// Looks for an optimum that moves with the width.
pub(super) fn examine(subject: &Subject) -> Examination {
    let Some(row) = widest_transfer(subject) else {
        return Examination::Impossible;
    };
    let has_sam = subject.widths().iter().any(|width| {
        let mut cells = subject.cells(*width);
        cells.any(|cell| cell.rho > 0.0)
    });
    if !has_sam {
        return Examination::Impossible;
    }
    let Some(loss) = regret(subject, row) else {
        return Examination::Finding(unknown(subject, row));
    };
    let open_ends = open_ends(subject);
    let own = own_optimum(subject, row);
    let loses = format!(
        "{} {} at width {}",
        optimum_words(subject),
        loses(loss.mean, loss.stderr),
        row.to
    );
    let (standing, sentence) = match subject.noise.read(&loss) {
        Reading::Absent if open_ends.is_empty() => {
            return Examination::InOrder(format!("{loses} against that width's own optimum"));
        }
        Reading::Absent => (
            Standing::CannotTell,
            format!("{loses}, but {}.", hidden(subject, &open_ends)),
        ),
        Reading::Open => (
            Standing::CannotTell,
            format!("{loses}, and {}.", subject.noise.reason(&loss)),
        ),
        Reading::Present if !distinguishes(subject, row) => (
            Standing::CannotTell,
            format!(
                "{loses} against that width's own optimum{own}, but width {} does not tell the two \
                 apart beyond its noise: it may have been tuned to the wrong one.",
                row.from
            ),
        ),
        Reading::Present => {
            let more = if open_ends.is_empty() {
                String::new()
            } else {
                format!(" It may lose more: {}.", hidden(subject, &open_ends))
            };
            (
                Standing::Seen,
                format!(
                    "What is best at width {} is not best at width {}: {loses} against that width's \
                     own optimum{own}.{more}",
                    row.from, row.to
                ),
            )
        }
    };
    let sentence = match standing {
        Standing::CannotTell => format!("Whether the optimum stays cannot be told: {sentence}"),
        _ => sentence,
    };
    Examination::Finding(Finding {
        signature: Signature::ShiftingOptimum,
        standing,
        sentence,
        evidence: evidence(subject, row),
        advice: advice(subject, standing, &open_ends),
    })
}

/// `the optimum of width 24 (η = 2⁻³, ρ = 2⁻⁴)`.
fn optimum_words(subject: &Subject) -> String {
    match subject.transferred() {
        Some((lr, rho)) => format!(
            "the optimum of width {} (η = {}, ρ = {})",
            subject.narrowest,
            power(lr),
            power(rho)
        ),
        None => format!("the optimum of width {}", subject.narrowest),
    }
}

fn own_optimum(subject: &Subject, row: &Transfer) -> String {
    let optimum = subject.optimum(row.to);
    let place = optimum.and_then(|optimum| optimum.lr.zip(optimum.rho));
    place.map_or(String::new(), |(lr, rho)| {
        format!(" (η = {}, ρ = {})", power(lr), power(rho))
    })
}

/// What an edge of the grid or search may hide.
fn hidden(subject: &Subject, open_ends: &[String]) -> String {
    format!(
        "{}, so the true optimum may lie outside the {}",
        open_ends.join(" and "),
        field(subject.report)
    )
}

/// Whether the narrowest width surely prefers its own optimum to the widest's. If not, noise alone
/// may have made it choose another point, and no optimum moved.
fn distinguishes(subject: &Subject, row: &Transfer) -> bool {
    let own = subject
        .transferred()
        .and_then(|(lr, rho)| subject.cell(row.from, lr, rho));
    let others = subject
        .optimum(row.to)
        .and_then(|optimum| subject.cell(row.from, optimum.lr?, optimum.rho?));
    let (Some(own), Some(others)) = (own, others) else {
        return true;
    };
    let difference = own
        .accuracy
        .zip(others.accuracy)
        .map(|(own, others)| own - others);
    difference.is_none_or(|difference| difference > subject.noise.cell_margin(others, own.stderr))
}

/// Which of the two optima lie on an edge of the grid, each in words.
fn open_ends(subject: &Subject) -> Vec<String> {
    [subject.narrowest, subject.widest]
        .into_iter()
        .filter_map(|width| {
            let edges = tuned_edges(subject, width);
            (!edges.is_empty()).then(|| {
                format!(
                    "width {width}'s optimum lies on the edge of the {} ({})",
                    field(subject.report),
                    list(&edges)
                )
            })
        })
        .collect()
}

/// The edges that the optimum of a width lies on, in words, without axes that have one value only.
pub(super) fn tuned_edges(subject: &Subject, width: usize) -> Vec<&'static str> {
    let Some(optimum) = subject.optimum(width) else {
        return Vec::new();
    };
    let has = |edge| optimum.edges.contains(&edge);
    let untuned_lr = has(GridEdge::LrLow) && has(GridEdge::LrHigh);
    let untuned_rho = has(GridEdge::RhoLow) && has(GridEdge::RhoHigh);
    let edges = optimum.edges.iter().filter(|edge| match edge {
        GridEdge::LrLow | GridEdge::LrHigh => !untuned_lr,
        GridEdge::RhoLow | GridEdge::RhoHigh => !untuned_rho,
    });
    edges
        .map(|edge| edge_words(subject.report, *edge))
        .collect()
}

/// An edge in words. At the edge of a search there may be points beyond the optimum, only not far.
pub(super) fn edge_words(report: &Report, edge: GridEdge) -> &'static str {
    match (edge, report.sampling.is_grid()) {
        (GridEdge::LrLow, true) => "lowest η",
        (GridEdge::LrHigh, true) => "highest η",
        (GridEdge::RhoLow, true) => "lowest ρ",
        (GridEdge::RhoHigh, true) => "highest ρ",
        (GridEdge::LrLow, false) => "low η",
        (GridEdge::LrHigh, false) => "high η",
        (GridEdge::RhoLow, false) => "low ρ",
        (GridEdge::RhoHigh, false) => "high ρ",
    }
}

fn evidence(subject: &Subject, widest: &Transfer) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for width in [widest.from, widest.to] {
        let Some(optimum) = subject.optimum(width) else {
            continue;
        };
        let (Some((lr, rho)), Some(accuracy)) = (optimum.lr.zip(optimum.rho), optimum.accuracy)
        else {
            continue;
        };
        evidence.push(Evidence::text(
            format!("optimum of width {width}"),
            format!(
                "η = {}, ρ = {}: {}",
                power(lr),
                power(rho),
                percent(accuracy, optimum.stderr)
            ),
        ));
    }
    for (drift, name) in [(widest.log2_lr_drift, "η"), (widest.log2_rho_drift, "ρ")] {
        if let Some(drift) = drift {
            evidence.push(Evidence::number(
                format!(
                    "drift of the optimal {name}, width {} → {}",
                    widest.from, widest.to
                ),
                drift,
                octaves(drift, Bound::Exact),
            ));
        }
    }
    for row in subject.transfers() {
        if let Some(loss) = regret(subject, row) {
            let set = if row.test_regret.is_some() {
                "test"
            } else {
                "selection"
            };
            evidence.push(Evidence {
                stderr: loss.stderr,
                ..Evidence::number(
                    format!("regret at width {}, {set} set", row.to),
                    loss.mean,
                    format!("{} points", signed_points(loss.mean, loss.stderr)),
                )
            });
        }
    }
    evidence
}

fn advice(subject: &Subject, standing: Standing, open_ends: &[String]) -> String {
    let mut advice = Vec::new();
    if !open_ends.is_empty() {
        advice.push(beyond_edge(
            subject.report,
            "Extend the grid beyond that edge (`grid.lr`, `grid.rho`; finished runs are kept).",
        ));
    }
    if standing == Standing::Seen {
        advice.push(format!(
            "Tune η and ρ at the width that you train, or {}.",
            remedy::clause(subject)
        ));
    } else if open_ends.is_empty() {
        advice.push(
            "Add seeds (`grid.seed`; finished runs are kept) until the standard error is below half \
             of what you care about."
                .to_owned(),
        );
    }
    advice.join(" ")
}

/// Why there is no regret to speak of.
fn unknown(subject: &Subject, row: &Transfer) -> Finding {
    let reason = match (subject.transferred(), row.status_transferred) {
        (None, _) => format!("no run with ρ > 0 completed at width {}", row.from),
        (_, None) => format!(
            "the {} of width {} does not hold {}",
            field(subject.report),
            row.to,
            optimum_words(subject)
        ),
        (_, Some(Status::Missing)) => {
            format!(
                "{} has no result at width {} yet",
                optimum_words(subject),
                row.to
            )
        }
        (_, Some(Status::Failed)) => {
            format!(
                "the runs of {} failed at width {}",
                optimum_words(subject),
                row.to
            )
        }
        _ => format!("no run with ρ > 0 completed at width {}", row.to),
    };
    Finding {
        signature: Signature::ShiftingOptimum,
        standing: Standing::CannotTell,
        sentence: format!("Whether the optimum stays cannot be told: {reason}."),
        evidence: evidence(subject, row),
        advice: "Give every width the same grid, and run the same command again until no run is missing."
            .to_owned(),
    }
}
