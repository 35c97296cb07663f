//! What concerns the whole sweep: everything that keeps it from showing what it was run for.

use super::finding::{Evidence, Finding, Signature, Standing};
use super::judgement::FEWEST_SEEDS;
use super::shift::{edge_words, tuned_edges};
use super::subject::Subject;
use super::words::{beyond_edge, field, list, seeds, shortened};
use crate::report::{GridEdge, Report};
use mup2_scaling::number::count;

/// At most this many schemes or reasons are named.
const NAMED: usize = 5;

/// The findings, the most important first.
pub(super) fn findings(report: &Report, subjects: &[Subject]) -> Vec<Finding> {
    [
        unfinished_runs(report),
        few_seeds(report),
        one_width(subjects),
        no_sgd_baseline(report, subjects),
        untuned(report),
        grid_edge(report, subjects),
        selected_on_test(report),
        no_theory(subjects),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A finding about the sweep; what it shows is that something cannot be told.
fn finding(
    signature: Signature,
    sentence: String,
    evidence: Vec<Evidence>,
    advice: &str,
) -> Finding {
    Finding {
        signature,
        standing: Standing::CannotTell,
        sentence,
        evidence,
        advice: advice.to_owned(),
    }
}

fn amount(name: &str, value: usize) -> Evidence {
    Evidence::number(name, value as f64, value.to_string())
}

fn unfinished_runs(report: &Report) -> Option<Finding> {
    let runs = &report.confidence;
    if runs.failed + runs.missing == 0 {
        return None;
    }
    let total = runs.completed + runs.diverged + runs.failed + runs.missing;
    let parts = [
        (runs.missing, "have no result yet"),
        (runs.failed, "failed"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"))
        .collect();
    let mut evidence = vec![
        amount("missing runs", runs.missing),
        amount("failed runs", runs.failed),
    ];
    for failure in runs.failures.iter().take(NAMED) {
        evidence.push(Evidence::text(
            count(failure.runs, "failed run"),
            failure.reason.clone(),
        ));
    }
    Some(finding(
        Signature::UnfinishedRuns,
        format!(
            "Of {}, {}; the diagnosis rests on the others.",
            count(total, "run"),
            list(&parts)
        ),
        evidence,
        "Run the same command again: finished runs are kept, failed ones are tried again.",
    ))
}

fn few_seeds(report: &Report) -> Option<Finding> {
    let (fewest, most) = (report.confidence.seeds_min, report.confidence.seeds_max);
    if fewest >= FEWEST_SEEDS || most == 0 {
        return None;
    }
    let who = if fewest == most {
        format!("Every point of the {} has {}", field(report), seeds(fewest))
    } else {
        let field = field(report);
        format!("Some points of the {field} have only {}", seeds(fewest))
    };
    Some(finding(
        Signature::FewSeeds,
        format!(
            "{who}; fewer than {FEWEST_SEEDS} give no standard error worth the name, and a difference \
             without one may be chance."
        ),
        vec![amount("fewest seeds", fewest), amount("most seeds", most)],
        "Add seeds, such as `grid.seed = [0, 1, 2]`; finished runs are kept.",
    ))
}

fn one_width(subjects: &[Subject]) -> Option<Finding> {
    let alone: Vec<&Subject> = subjects
        .iter()
        .filter(|one| !one.has_several_widths())
        .collect();
    let names: Vec<&str> = alone.iter().map(|one| one.scheme).collect();
    let widths: Vec<Evidence> = alone
        .iter()
        .map(|one| amount(&format!("only width of {}", one.scheme), one.widest))
        .collect();
    (!alone.is_empty()).then(|| {
        finding(
            Signature::OneWidth,
            format!(
                "{} was run at one width only, so nothing can be said of what changes with the width.",
                shortened(&names, NAMED)
            ),
            widths,
            "Add widths to `grid.width`, the widest at least 8 times the narrowest.",
        )
    })
}

fn no_sgd_baseline(report: &Report, subjects: &[Subject]) -> Option<Finding> {
    if report.cells.iter().all(|cell| cell.rho > 0.0) {
        let advice = if report.sampling.is_grid() {
            "Add 0 to `grid.rho` (`zero = true` in a range); finished runs are kept."
        } else {
            "Set `search.include_sgd = true`; finished runs are kept."
        };
        return Some(finding(
            Signature::NoSgdBaseline,
            format!(
                "The {} has no ρ = 0, so SAM cannot be compared with SGD.",
                field(report)
            ),
            Vec::new(),
            advice,
        ));
    }
    let without: Vec<String> = subjects
        .iter()
        .filter(|one| {
            let row = one.baseline(one.widest);
            row.is_some_and(|row| row.sgd_accuracy.is_none())
        })
        .map(|one| format!("{} at width {}", one.scheme, one.widest))
        .collect();
    (!without.is_empty()).then(|| {
        finding(
            Signature::NoSgdBaseline,
            format!(
                "No run with ρ = 0 completed for {}, so SAM cannot be compared with SGD there.",
                shortened(&without, NAMED)
            ),
            Vec::new(),
            "Give every width ρ = 0 and an η small enough to train.",
        )
    })
}

fn untuned(report: &Report) -> Option<Finding> {
    let has_sam = report.cells.iter().any(|cell| cell.rho > 0.0);
    let names: Vec<&str> = [
        ("η", !report.confidence.has_several_lrs()),
        ("ρ", !report.confidence.has_several_rhos()),
    ]
    .into_iter()
    .filter(|(_, untuned)| *untuned)
    .map(|(name, _)| name)
    .collect();
    if report.cells.is_empty() || (has_sam && names.is_empty()) {
        return None;
    }
    let sentence = if has_sam {
        format!(
            "{} has one value only, so whether its optimum moves cannot be seen.",
            list(&names)
        )
    } else {
        "No run has ρ > 0, so there is no SAM to judge.".to_owned()
    };
    Some(finding(
        Signature::Untuned,
        sentence,
        Vec::new(),
        if report.sampling.is_grid() {
            "Give `grid.lr` and `grid.rho` several values, a factor of 2 apart for ρ."
        } else {
            "Raise `search.points`; finished runs are kept."
        },
    ))
}

fn grid_edge(report: &Report, subjects: &[Subject]) -> Option<Finding> {
    let mut evidence = Vec::new();
    for subject in subjects {
        let mut widths = vec![subject.narrowest, subject.widest];
        widths.dedup();
        for width in widths {
            let edges = tuned_edges(subject, width);
            if !edges.is_empty() {
                evidence.push(Evidence::text(
                    format!("{}, SAM at width {width}", subject.scheme),
                    list(&edges),
                ));
            }
        }
        let sgd = subject.baseline(subject.widest);
        let lr = sgd.filter(|row| row.sgd_at_edge).and_then(|row| row.sgd_lr);
        if let Some(lr) = lr.filter(|_| report.confidence.has_several_lrs()) {
            let others = || subject.cells(subject.widest).filter(|cell| cell.rho == 0.0);
            // At the edge of a search there may be points beyond.
            let below = others().filter(|cell| cell.lr < lr).count();
            let is_low = below < others().filter(|cell| cell.lr > lr).count();
            let edge = if is_low {
                GridEdge::LrLow
            } else {
                GridEdge::LrHigh
            };
            evidence.push(Evidence::text(
                format!("{}, SGD at width {}", subject.scheme, subject.widest),
                edge_words(report, edge),
            ));
        }
    }
    (!evidence.is_empty()).then(|| {
        finding(
            Signature::GridEdge,
            format!(
                "{} the edge of the {}, so the true optimum may lie outside it.",
                match evidence.len() {
                    1 => "One optimum lies on".to_owned(),
                    number => format!("{number} optima lie on"),
                },
                field(report)
            ),
            evidence,
            &beyond_edge(
                report,
                "Extend `grid.lr` or `grid.rho` beyond that edge; finished runs are kept.",
            ),
        )
    })
}

fn selected_on_test(report: &Report) -> Option<Finding> {
    report.selection.contains("test").then(|| {
        finding(
            Signature::SelectedOnTest,
            format!(
                "Hyperparameters were selected on the test set ({}): the best of many noisy runs looks \
                 better than it is, so SAM's gain and every regret are overstated.",
                report.selection
            ),
            Vec::new(),
            "Use `selection = \"validation\"`, unless you repeat the paper's protocol on purpose.",
        )
    })
}

fn no_theory(subjects: &[Subject]) -> Option<Finding> {
    let without = subjects.iter().filter(|one| one.theory.is_none());
    let names: Vec<&str> = without.map(|one| one.scheme).collect();
    (!names.is_empty()).then(|| {
        finding(
            Signature::NoTheory,
            format!(
                "The scaling of {} is not known here, so nothing can be said of which layers it perturbs.",
                shortened(&names, NAMED)
            ),
            Vec::new(),
            "Ask `mup2 scale` for the theory's verdict, and `mup2 check` to measure it.",
        )
    })
}
