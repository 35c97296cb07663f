//! The report as one self-contained HTML page: no script, no network, light and dark.

use super::cells::Status;
use super::display::{fine_octaves, octaves, percent_with_error, points_with_error};
use super::edges::RIGHT_EDGE_LOSS;
use super::html_confidence::confidence_section;
use super::html_halving::halving_section;
use super::html_sharpness::sharpness_section;
use super::{GridEdge, NEAR_OPTIMUM, Report, Slice};
use crate::figure::page::{flag, page as figure_page, settings as settings_table, table};
use crate::figure::svg::escape;
use mup2_scaling::number::{ABSENT, power, trimmed, two_decimals};

/// Returns the whole page; the figures are SVG texts: heat maps and slices, or one scatter plot, and
/// last the sharpness if it was measured.
pub(super) fn page(report: &Report, svgs: &[String]) -> String {
    let (sharpness, svgs) = match svgs.split_last() {
        Some((last, others)) if !report.sharpness.is_empty() => (Some(last), others),
        _ => (None, svgs),
    };
    let mut body = String::new();
    body.push_str(&header(report));
    body.push_str(&reading_guide(report));
    body.push_str(&settings(report));
    body.push_str(&figures(report, svgs));
    body.push_str(&transfer_section(report));
    body.push_str(&baseline_section(report));
    body.push_str(&optima_section(report));
    body.push_str(&halving_section(report));
    body.push_str(&sharpness_section(report, sharpness));
    body.push_str(&confidence_section(report));
    let footer = format!(
        "Made by mup2 {}. The same numbers, unrounded: report.json; the figures: figures/.",
        report.version
    );
    figure_page(&report.title, &body, &footer)
}

fn header(report: &Report) -> String {
    let mut html = format!(
        "<h1>{}</h1>\n<p class=\"subtitle\">{} · selected by {} · base width {} · {}</p>\n",
        escape(&report.title),
        escape(&report.dataset),
        escape(&report.selection),
        report.base_width,
        super::table::seeds(report)
    );
    if !report.headlines.is_empty() {
        html.push_str("<section class=\"findings\">\n<h2>What was found</h2>\n<ul>\n");
        for headline in &report.headlines {
            html.push_str(&format!("<li>{}</li>\n", escape(headline)));
        }
        html.push_str("</ul>\n</section>\n");
    }
    html
}

fn reading_guide(report: &Report) -> String {
    let near = count_points(NEAR_OPTIMUM);
    let loss = count_points(RIGHT_EDGE_LOSS);
    let is_grid = report.sampling.is_grid();
    let figure = if is_grid {
        format!(
            "in the heat maps, the optimum × then stays in the dashed box from left to right, and \
             the white outline (all cells within {near} of the optimum) keeps its place"
        )
    } else {
        format!(
            "in the scatter plots, which hold the same points at every width, the optimum × then \
             stays in or near the dashed box from left to right, and the ringed points (all within \
             {near} of the optimum) stay where they are"
        )
    };
    let pruned = match &report.halving {
        Some(_) => " Small hollow points were pruned: given up before their last epoch.",
        None => "",
    };
    let flat = if is_grid {
        format!(
            "look at the <em>right edge</em> as well: the radius beyond which accuracy falls more \
             than {loss} below its best."
        )
    } else {
        "look at the ringed points and their centroid as well.".to_owned()
    };
    format!(
        "<h2>How to read this</h2>\n\
         <p>Each scheme says how the learning rate η and the perturbation radius ρ of \
         sharpness-aware minimization (SAM) change with the network's width. A scheme transfers if \
         the η and ρ that are best for the narrowest network are also best for the wide ones: \
         {figure}.{pruned}</p>\n\
         <p>The <em>regret</em> is the accuracy lost at a wide network by using the narrowest \
         one's optimum instead of its own. An optimum can be flat, so {flat} \
         <em>Drifts</em> are given in octaves, that is in powers of two: +1 means that the value \
         doubled; 0 is perfect transfer. At ρ = 0 SAM is plain SGD. At the base width {base} all \
         schemes are the same network and share their runs.</p>\n",
        base = report.base_width
    )
}

/// `1 point`, `2 points`: percentage points of accuracy.
fn count_points(accuracy: f64) -> String {
    let points = trimmed(accuracy * 100.0);
    if points == "1" {
        "1 point".to_owned()
    } else {
        format!("{points} points")
    }
}

fn settings(report: &Report) -> String {
    if report.settings.is_empty() && report.command.is_empty() {
        return String::new();
    }
    let mut html = "<h2>What was run</h2>\n".to_owned();
    html.push_str(&settings_table(&report.settings));
    if !report.command.is_empty() {
        html.push_str(&format!("<pre>{}</pre>\n", escape(&report.command)));
    }
    html
}

fn figures(report: &Report, svgs: &[String]) -> String {
    let (cell, along_rho) = if report.sampling.is_grid() {
        (
            "cell",
            "Bars are one standard error over seeds. Where the lines of all widths fall at the same \
             ρ, the radius transfers.",
        )
    } else {
        (
            "point",
            "Not drawn: each point of a search has its own η, so there is no line along ρ to draw. The \
             right edge and the radius from which training is unstable are read from such lines \
             and are absent as well; a grid shows them.",
        )
    };
    let mut svgs = svgs.iter();
    let mut html = "<h2>Accuracy over η and ρ</h2>\n".to_owned();
    if let Some(plane) = svgs.next() {
        html.push_str(&format!(
            "<figure>\n{plane}<figcaption>Mean accuracy ({}) over seeds; one colour scale for all \
             panels, with more colours for high accuracies. Hover over a {cell} for its \
             numbers.</figcaption>\n</figure>\n",
            escape(&report.selection)
        ));
    }
    html.push_str("<h2>Accuracy along ρ at the transferred η</h2>\n");
    html.push_str(&match svgs.next() {
        Some(slices) => {
            format!("<figure>\n{slices}<figcaption>{along_rho}</figcaption>\n</figure>\n")
        }
        None => format!("<p>{along_rho}</p>\n"),
    });
    html
}

fn transfer_section(report: &Report) -> String {
    if report.transfer.is_empty() {
        return "<h2>Transfer</h2>\n<p>Only one width was run: there is nothing to transfer \
                to.</p>\n"
            .to_owned();
    }
    let is_grid = report.sampling.is_grid();
    let rows: Vec<Vec<String>> = report
        .transfer
        .iter()
        .map(|row| {
            let carried = match row.status_transferred {
                Some(Status::Diverged) => flag("diverged"),
                _ => percent_with_error(row.accuracy_transferred, row.stderr_transferred),
            };
            let mut cells = vec![
                escape(&row.scheme),
                format!("{} → {}", row.from, row.to),
                octaves(row.log2_lr_drift),
                octaves(row.log2_rho_drift),
                format!(
                    "{} / {}",
                    fine_octaves(row.centroid_lr_drift, None),
                    fine_octaves(row.centroid_rho_drift, None)
                ),
            ];
            if is_grid {
                cells.extend([
                    fine_octaves(row.edge_rho_drift, row.edge_rho_drift_bound),
                    fine_octaves(row.instability_rho_drift, row.instability_rho_drift_bound),
                ]);
            }
            cells.extend([
                carried,
                percent_with_error(row.accuracy_best, row.stderr_best),
                percent_with_error(row.regret, row.regret_stderr),
                percent_with_error(row.test_regret, row.test_regret_stderr),
            ]);
            cells
        })
        .collect();
    let mut headings = vec![
        ("scheme", true),
        ("widths", true),
        ("η drift", false),
        ("ρ drift", false),
        ("centroid<br>η / ρ drift", false),
    ];
    if is_grid {
        headings.extend([
            ("right edge<br>of ρ, drift", false),
            ("unstable ρ,<br>drift", false),
        ]);
    }
    headings.extend([
        ("carried<br>over, %", false),
        ("own<br>optimum, %", false),
        ("regret", false),
        ("test<br>regret", false),
    ]);
    let (absent, cell) = if is_grid {
        (
            "≥ and ≤ mark bounds: the grid ends before the edge is reached; – means that it ends \
             before both edges, or that a number is missing.",
            "cell",
        )
    } else {
        ("– means that a number is missing.", "point")
    };
    format!(
        "<h2>Transfer from the narrowest width</h2>\n{}<p class=\"note\">Drifts in octaves. {absent} \
         The centroid is the mean place of the {cell}s within {} of the optimum. Regrets in \
         percentage points ± one standard error, paired over seeds; a diverged {cell} counts as \
         accuracy 0.</p>\n",
        table(&headings, &rows),
        count_points(NEAR_OPTIMUM)
    )
}

fn baseline_section(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .baselines
        .iter()
        .map(|row| {
            let sgd_lr = row.sgd_lr.map_or(ABSENT.to_owned(), power);
            let sgd_flag = if row.sgd_at_edge {
                flag("edge")
            } else {
                String::new()
            };
            vec![
                escape(&row.scheme),
                row.width.to_string(),
                format!("{sgd_flag} {sgd_lr}"),
                percent_with_error(row.sgd_accuracy, row.sgd_stderr),
                percent_with_error(row.sam_accuracy, row.sam_stderr),
                points_with_error(row.gain, row.gain_stderr),
                percent_with_error(row.sgd_test_accuracy, row.sgd_test_stderr),
                percent_with_error(row.sam_test_accuracy, row.sam_test_stderr),
                points_with_error(row.test_gain, row.test_gain_stderr),
            ]
        })
        .collect();
    let selection = escape(&report.selection);
    let head_start = if report.sampling.is_grid() {
        "SAM chooses from more cells than SGD, so on the selection set it has a small head start."
    } else {
        "SGD, where it was run, chose from the same η as SAM."
    };
    let headings = [
        ("scheme", true),
        ("width", false),
        ("SGD's η", false),
        (&format!("SGD, %<br>{selection}"), false),
        (&format!("SAM, %<br>{selection}"), false),
        (&format!("SAM − SGD<br>{selection}"), false),
        ("SGD, %<br>test", false),
        ("SAM, %<br>test", false),
        ("SAM − SGD<br>test", false),
    ];
    format!(
        "<h2>SGD against SAM</h2>\n{}<p class=\"note\">Each at its own optimum, chosen by {selection} \
         accuracy. The difference is the mean over seeds of the paired differences ± one standard \
         error. {head_start}</p>\n",
        table(&headings, &rows)
    )
}

fn optima_section(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .optima
        .iter()
        .enumerate()
        .map(|(place, row)| {
            let mut cells = vec![
                escape(&row.scheme),
                row.width.to_string(),
                row.lr.map_or(ABSENT.to_owned(), power),
                row.rho.map_or(ABSENT.to_owned(), power),
                percent_with_error(row.accuracy, row.stderr),
                percent_with_error(row.test_accuracy, row.test_stderr),
                row.near_optimum.to_string(),
            ];
            // Slices stand in the order of the optima; scattered points have none.
            cells.extend(report.slices.get(place).map(right_edge));
            cells.push(edge_flags(&row.edges));
            cells
        })
        .collect();
    let is_grid = report.sampling.is_grid();
    let selection = format!("accuracy, %<br>{}", escape(&report.selection));
    let mut headings = vec![
        ("scheme", true),
        ("width", false),
        ("η", false),
        ("ρ", false),
        (&selection, false),
        ("accuracy, %<br>test", false),
    ];
    headings.extend(if is_grid {
        vec![
            ("cells within<br>1 point", false),
            ("right edge,<br>log₂ ρ", false),
            ("on the grid's edge", true),
        ]
    } else {
        vec![
            ("points within<br>1 point", false),
            ("at the range's edge", true),
        ]
    });
    format!("<h2>Optima</h2>\n{}", table(&headings, &rows))
}

fn right_edge(slice: &Slice) -> String {
    match slice.right_edge_log2_rho {
        Some(edge) if slice.right_edge_beyond_grid => format!("≥ {}", two_decimals(edge)),
        Some(edge) => two_decimals(edge),
        None => ABSENT.to_owned(),
    }
}

fn edge_flags(edges: &[GridEdge]) -> String {
    let flags: Vec<String> = edges.iter().map(|edge| flag(edge.words())).collect();
    flags.join(" ")
}
