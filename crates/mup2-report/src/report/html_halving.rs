//! The page's section on what successive halving has pruned.

use super::Report;
use crate::figure::page::{flag, table};
use crate::figure::svg::escape;
use mup2_scaling::number::{ABSENT, trimmed};

/// Returns the section as HTML; nothing where all points were trained in full.
pub(super) fn halving_section(report: &Report) -> String {
    let Some(halving) = &report.halving else {
        return String::new();
    };
    let rows: Vec<Vec<String>> = halving
        .brackets
        .iter()
        .map(|row| {
            let carried = if row.carried {
                flag("1 trained in full")
            } else {
                String::new()
            };
            vec![
                escape(&row.scheme),
                row.width.to_string(),
                row.optimizer().to_owned(),
                row.points.to_string(),
                row.rungs_in_words(),
                format!("{carried} {}", row.pruned),
                row.epochs_trained.to_string(),
                row.epochs_full.to_string(),
                row.saved()
                    .map_or(ABSENT.to_owned(), |saved| trimmed((saved * 100.0).round())),
            ]
        })
        .collect();
    let headings = [
        ("scheme", true),
        ("width", false),
        ("", true),
        ("points", false),
        ("epochs: points in → going on", true),
        ("pruned", false),
        ("epochs<br>trained", false),
        ("epochs of the<br>full search", false),
        ("saved, %", false),
    ];
    format!(
        "<h2>What was pruned</h2>\n<p>{}.</p>\n{}<p class=\"note\">All points are trained for the epochs \
         of the first rung; those of the best mean accuracy over seeds go on from their checkpoints, \
         and so on. All other sections of this page speak of the points that were trained in full. \
         <em>1 trained in full</em>: the narrowest width's optimum was pruned at this width, and was \
         trained there all the same, to know what carrying it over costs. Runs that schemes share are \
         counted once for each.</p>\n",
        halving.sentence(),
        table(&headings, &rows)
    )
}
