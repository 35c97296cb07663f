//! The report as one self-contained HTML page: no script, no network, light and dark.

use super::cells::Status;
use super::display::{capital, fine_octaves, octaves, plural};
use super::edges::RIGHT_EDGE_LOSS;
use super::html_confidence::confidence_section;
use super::html_halving::halving_section;
use super::html_sharpness::sharpness_section;
use super::slices::smallest;
use super::{Axes, GridEdge, MetricKind, NEAR_OPTIMUM, Report, Slice};
use crate::figure::page::{flag, page as figure_page, settings as settings_table, table};
use crate::figure::svg::escape;
use mup2_scaling::number::{ABSENT, two_decimals};

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
    body.push_str(&fits_section(report));
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
        "<h1>{}</h1>\n<p class=\"subtitle\">{} · selected by {} · base {} {} · {}</p>\n",
        escape(&report.title),
        escape(&report.dataset),
        escape(&report.selection),
        escape(&report.axes.size),
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

/// How to read the report of a table, whose hyperparameters are not those of our own sweeps.
fn reading_guide_of_table(report: &Report) -> String {
    let axes = &report.axes;
    let (size, metric) = (&axes.size, &axes.metric);
    let points = match &axes.y {
        Some(y) => format!("{} and {}", axes.x.words(), y.words()),
        None => axes.x.words(),
    };
    let figure = match (&axes.y, report.sampling.is_grid()) {
        (None, _) => "in the curves, the marked optima then lie below each other",
        (Some(_), true) => {
            "in the heat maps, the optimum × then stays in the dashed box from left to right"
        }
        (Some(_), false) => {
            "in the scatter plots, the optimum × then stays in or near the dashed box from left to right"
        }
    };
    let direction = if metric.minimize { "lower" } else { "higher" };
    let diverged = match metric.kind {
        MetricKind::Share => "A diverged run counts as 0.",
        MetricKind::Number => {
            "A diverged run has no value; a point of which a seed diverged cannot be the optimum."
        }
    };
    let baseline = if report.has_baselines() {
        format!(
            " {} is compared with the others in a table of its own and is not among the optima.",
            capital(&axes.baseline_name())
        )
    } else {
        String::new()
    };
    let guide = format!(
        "Each series is judged by {} ({direction} is better) at the points of {points}. It transfers \
         if the point that is best for the smallest {size} is also best for the larger ones: \
         {figure}. {diverged}{baseline}",
        metric.name
    );
    let regret = format!(
        "The regret is what a large {size} loses in {} by using the smallest one's optimum instead \
         of its own. Drifts are given {}; on a logarithmic axis +1 means that the value doubled, and \
         0 is perfect transfer.",
        metric.name,
        axes.drift_unit()
    );
    format!(
        "<h2>How to read this</h2>\n<p>{}</p>\n<p>{}</p>\n",
        escape(&guide),
        escape(&regret)
    )
}

fn reading_guide(report: &Report) -> String {
    if !report.axes.is_default() {
        return reading_guide_of_table(report);
    }
    let near = report.axes.metric.loss_in_words(NEAR_OPTIMUM);
    let loss = report.axes.metric.loss_in_words(RIGHT_EDGE_LOSS);
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
    let axes = &report.axes;
    let name = capital(&escape(&axes.metric.name));
    let x = escape(&axes.x.symbol);
    let mut svgs = svgs.iter();
    let Some(y) = axes.y.as_ref().map(|axis| escape(&axis.symbol)) else {
        let curves = svgs.next().map_or("", String::as_str);
        return format!(
            "<h2>{name} over {x}</h2>\n<figure>\n{curves}<figcaption>Mean over seeds; bars are one \
             standard error. The ring marks each line's optimum, the dashed line the optimum of the \
             parabola around it.</figcaption>\n</figure>\n"
        );
    };
    let what = if axes.has_sgd() { "radius" } else { "value" };
    let (cell, along_rho) = if report.sampling.is_grid() {
        (
            "cell",
            format!(
                "Bars are one standard error over seeds. Where the lines of all {} fall at the same \
                 {y}, the {what} transfers.",
                escape(&plural(&axes.size))
            ),
        )
    } else {
        (
            "point",
            format!(
                "Not drawn: each point of a search has its own {x}, so there is no line along {y} to \
                 draw. The right edge and the {what} from which training is unstable are read from \
                 such lines and are absent as well; a grid shows them."
            ),
        )
    };
    let good = if axes.metric.kind == MetricKind::Share {
        plural_metric(&name.to_lowercase())
    } else {
        "good values".to_owned()
    };
    let mut html = format!("<h2>{name} over {x} and {y}</h2>\n");
    if let Some(plane) = svgs.next() {
        html.push_str(&format!(
            "<figure>\n{plane}<figcaption>Mean {} over seeds; one colour scale for all \
             panels, with more colours for {good}. Hover over a {cell} for its \
             numbers.</figcaption>\n</figure>\n",
            escape(&report.measured())
        ));
    }
    html.push_str(&format!(
        "<h2>{name} along {y} at the transferred {x}</h2>\n"
    ));
    html.push_str(&match svgs.next() {
        Some(slices) => {
            format!("<figure>\n{slices}<figcaption>{along_rho}</figcaption>\n</figure>\n")
        }
        None => format!("<p>{along_rho}</p>\n"),
    });
    html
}

/// `high accuracies`.
fn plural_metric(name: &str) -> String {
    match name.strip_suffix('y') {
        Some(stem) => format!("high {stem}ies"),
        None => format!("high {name}"),
    }
}

fn transfer_section(report: &Report) -> String {
    if report.transfer.is_empty() {
        return format!(
            "<h2>Transfer</h2>\n<p>Only one {} was run: there is nothing to transfer to.</p>\n",
            escape(&report.axes.size)
        );
    }
    let axes = &report.axes;
    let metric = &axes.metric;
    let y = axes.y.as_ref().map(|axis| escape(&axis.symbol));
    let is_grid = report.sampling.is_grid() && y.is_some();
    let rows: Vec<Vec<String>> = report
        .transfer
        .iter()
        .map(|row| {
            let carried = match row.status_transferred {
                Some(Status::Diverged) => flag("diverged"),
                _ => metric.with_error(row.accuracy_transferred, row.stderr_transferred),
            };
            let mut cells = vec![
                escape(&row.scheme),
                format!("{} → {}", row.from, row.to),
                octaves(row.log2_lr_drift),
            ];
            let centroid = fine_octaves(row.centroid_lr_drift, None);
            if y.is_some() {
                cells.push(octaves(row.log2_rho_drift));
                let of_rho = fine_octaves(row.centroid_rho_drift, None);
                cells.push(format!("{centroid} / {of_rho}"));
            } else {
                cells.push(centroid);
            }
            if is_grid {
                cells.extend([
                    fine_octaves(row.edge_rho_drift, row.edge_rho_drift_bound),
                    fine_octaves(row.instability_rho_drift, row.instability_rho_drift_bound),
                ]);
            }
            cells.extend([
                carried,
                metric.with_error(row.accuracy_best, row.stderr_best),
                metric.with_error(row.regret, row.regret_stderr),
                metric.with_error(row.test_regret, row.test_regret_stderr),
            ]);
            cells
        })
        .collect();
    let x = escape(&axes.x.symbol);
    let sizes = escape(&plural(&axes.size));
    let mut names = vec![format!("{x} drift")];
    match &y {
        Some(y) => names.extend([format!("{y} drift"), format!("centroid<br>{x} / {y} drift")]),
        None => names.push(format!("centroid<br>{x} drift")),
    }
    if let Some(y) = y.iter().find(|_| is_grid) {
        names.extend([
            format!("right edge<br>of {y}, drift"),
            format!("unstable {y},<br>drift"),
        ]);
    }
    let unit = if metric.kind == MetricKind::Share {
        ", %"
    } else {
        ""
    };
    let (carried, own) = (
        format!("carried<br>over{unit}"),
        format!("own<br>optimum{unit}"),
    );
    let mut headings = vec![("scheme", true), (sizes.as_str(), true)];
    headings.extend(names.iter().map(|name| (name.as_str(), false)));
    headings.extend([
        (carried.as_str(), false),
        (own.as_str(), false),
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
    let (points, diverged) = match metric.kind {
        MetricKind::Share => (
            " in percentage points",
            format!("a diverged {cell} counts as {} 0", escape(&metric.name)),
        ),
        MetricKind::Number => ("", format!("a diverged {cell} has none")),
    };
    format!(
        "<h2>Transfer from the {} {}</h2>\n{}<p class=\"note\">Drifts {}. {absent} The centroid is \
         the mean place of the {cell}s within {} of the optimum. Regrets{points} ± one standard \
         error, paired over seeds; {diverged}.</p>\n",
        smallest(report),
        escape(&axes.size),
        table(&headings, &rows),
        escape(&axes.drift_unit()),
        report.axes.metric.loss_in_words(NEAR_OPTIMUM)
    )
}

/// How the optima move with the size; nothing where it was not fitted.
fn fits_section(report: &Report) -> String {
    if report.fits.is_empty() {
        return String::new();
    }
    let size = escape(&report.axes.size);
    let rows: Vec<Vec<String>> = report
        .fits
        .iter()
        .map(|fit| {
            let optima = fit.optima.iter().map(|optimum| {
                let error = optimum
                    .stderr
                    .map_or(String::new(), |stderr| format!(" ± {stderr:.2}"));
                format!("{}: {}{error}", optimum.width, two_decimals(optimum.log2))
            });
            let left_out: Vec<String> = fit.left_out.iter().map(ToString::to_string).collect();
            vec![
                escape(&fit.scheme),
                escape(&fit.hyperparameter),
                fit.exponent_in_words(),
                optima.collect::<Vec<_>>().join(", "),
                left_out.join(", "),
            ]
        })
        .collect();
    let headings = [
        ("scheme", true),
        ("of", true),
        ("exponent", false),
        (&format!("log₂ of the optimum, by {size}"), true),
        ("left out", true),
    ];
    format!(
        "<h2>How the optimum moves</h2>\n{}<p class=\"note\">The optimum of each {size} is the vertex \
         of a parabola through the points around the best one, the exponent the slope of its log₂ over \
         log₂ of the {size}. ± is one standard error: the largest one of what drawing the seeds \
         again, the noise of the points and the distances from the line show. A {size} without an optimum between other points is \
         left out.</p>\n",
        table(&headings, &rows)
    )
}

fn baseline_section(report: &Report) -> String {
    if !report.has_baselines() {
        return String::new();
    }
    let axes = &report.axes;
    let metric = &axes.metric;
    let rows: Vec<Vec<String>> = report
        .baselines
        .iter()
        .map(|row| {
            let sgd_lr = row.sgd_lr.map_or(ABSENT.to_owned(), |lr| axes.x.value(lr));
            let sgd_flag = if row.sgd_at_edge {
                flag("edge")
            } else {
                String::new()
            };
            vec![
                escape(&row.scheme),
                row.width.to_string(),
                format!("{sgd_flag} {sgd_lr}"),
                metric.with_error(row.sgd_accuracy, row.sgd_stderr),
                metric.with_error(row.sam_accuracy, row.sam_stderr),
                metric.difference(row.gain, row.gain_stderr),
                metric.with_error(row.sgd_test_accuracy, row.sgd_test_stderr),
                metric.with_error(row.sam_test_accuracy, row.sam_test_stderr),
                metric.difference(row.test_gain, row.test_gain_stderr),
            ]
        })
        .collect();
    let selection = escape(&report.selection);
    let (base, tuned) = (escape(&axes.baseline_name()), escape(&axes.tuned_name()));
    let x = escape(&axes.x.symbol);
    let head_start = if report.sampling.is_grid() {
        format!(
            "{tuned} chooses from more cells than {base}, so on the selection set it has a small head \
             start."
        )
    } else {
        format!("{base}, where it was run, chose from the same {x} as {tuned}.")
    };
    let unit = if metric.kind == MetricKind::Share {
        ", %"
    } else {
        ""
    };
    let headings = [
        ("scheme", true),
        (&escape(&axes.size), false),
        (&format!("{base}'s {x}"), false),
        (&format!("{base}{unit}<br>{selection}"), false),
        (&format!("{tuned}{unit}<br>{selection}"), false),
        (&format!("{tuned} − {base}<br>{selection}"), false),
        (&format!("{base}{unit}<br>test"), false),
        (&format!("{tuned}{unit}<br>test"), false),
        (&format!("{tuned} − {base}<br>test"), false),
    ];
    format!(
        "<h2>{base} against {tuned}</h2>\n{}<p class=\"note\">Each at its own optimum, chosen by {selection} \
         {}. The difference is the mean over seeds of the paired differences ± one standard \
         error. {head_start}</p>\n",
        table(&headings, &rows),
        escape(&metric.name)
    )
}

fn optima_section(report: &Report) -> String {
    let axes = &report.axes;
    let metric = &axes.metric;
    let rows: Vec<Vec<String>> = report
        .optima
        .iter()
        .enumerate()
        .map(|(place, row)| {
            let mut cells = vec![
                escape(&row.scheme),
                row.width.to_string(),
                row.lr.map_or(ABSENT.to_owned(), |lr| axes.x.value(lr)),
            ];
            if let Some(axis) = &axes.y {
                cells.push(row.rho.map_or(ABSENT.to_owned(), |rho| axis.value(rho)));
            }
            cells.extend([
                metric.with_error(row.accuracy, row.stderr),
                metric.with_error(row.test_accuracy, row.test_stderr),
                row.near_optimum.to_string(),
            ]);
            // Slices stand in the order of the optima; scattered points have none.
            cells.extend(report.slices.get(place).map(right_edge));
            cells.push(edge_flags(axes, &row.edges));
            cells
        })
        .collect();
    let is_grid = report.sampling.is_grid();
    let label = escape(&metric.label());
    let selection = format!("{label}<br>{}", escape(&report.selection));
    let test = format!("{label}<br>test");
    let (size, x) = (escape(&axes.size), escape(&axes.x.symbol));
    let y = axes.y.as_ref().map(|axis| escape(&axis.symbol));
    let edge = axes.y.as_ref().filter(|_| is_grid);
    let edge = edge.map(|axis| format!("right edge,<br>{}", escape(&axis.label())));
    let cell = if is_grid { "cells" } else { "points" };
    let near = format!("{cell} within<br>{}", metric.loss_in_words(NEAR_OPTIMUM));
    let mut headings = vec![("scheme", true), (size.as_str(), false), (&x, false)];
    headings.extend(y.iter().map(|y| (y.as_str(), false)));
    headings.extend([(selection.as_str(), false), (&test, false), (&near, false)]);
    headings.extend(edge.iter().map(|edge| (edge.as_str(), false)));
    let at_edge = if is_grid {
        "on the grid's edge"
    } else {
        "at the range's edge"
    };
    headings.push((at_edge, true));
    format!("<h2>Optima</h2>\n{}", table(&headings, &rows))
}

fn right_edge(slice: &Slice) -> String {
    match slice.right_edge_log2_rho {
        Some(edge) if slice.right_edge_beyond_grid => format!("≥ {}", two_decimals(edge)),
        Some(edge) => two_decimals(edge),
        None => ABSENT.to_owned(),
    }
}

fn edge_flags(axes: &Axes, edges: &[GridEdge]) -> String {
    let flags: Vec<String> = edges.iter().map(|edge| flag(&edge.words(axes))).collect();
    flags.join(" ")
}
