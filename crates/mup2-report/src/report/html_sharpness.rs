//! The page's section on sharpness: the figure, and the numbers at each optimum.

use super::Report;
use crate::figure::page::table;
use crate::figure::svg::escape;
use mup2_scaling::number::{ABSENT, plain, power};

/// Returns the section as HTML; nothing where sharpness was not measured.
pub(super) fn sharpness_section(report: &Report, figure: Option<&String>) -> String {
    let Some(figure) = figure.filter(|_| !report.sharpness.is_empty()) else {
        return String::new();
    };
    let rows = report.optima.iter().filter_map(|optimum| {
        let (lr, rho) = optimum.lr.zip(optimum.rho)?;
        let cell = report.sharpness.iter().find(|cell| {
            let place = (cell.lr, cell.rho) == (lr, rho);
            cell.scheme == optimum.scheme && cell.width == optimum.width && place
        })?;
        Some(vec![
            escape(&cell.scheme),
            cell.width.to_string(),
            power(lr),
            power(rho),
            with_error(cell.top_eigenvalue, cell.top_eigenvalue_stderr),
            with_error(cell.trace, cell.trace_stderr),
            with_error(cell.sam_sharpness, cell.sam_sharpness_stderr),
        ])
    });
    let headings = [
        ("scheme", true),
        ("width", false),
        ("η", false),
        ("ρ", false),
        ("top<br>eigenvalue", false),
        ("Hessian<br>trace", false),
        ("SAM-<br>sharpness", false),
    ];
    format!(
        "<h2>Sharpness after training</h2>\n<figure>\n{figure}<figcaption>Bars are one standard error \
         over seeds; the panels of one measure share their axes. SAM-sharpness is the largest rise \
         of the loss found within the ball of the run's radius, so along ρ the ball grows with it. \
         </figcaption>\n</figure>\n{}<p class=\"note\">At each width's own optimum. Sharpness depends \
         on how the network is parameterized and stretched: numbers of one scheme can be compared along \
         ρ, and schemes or widths only in a geometry that means the same for both.</p>\n",
        table(&headings, &rows.collect::<Vec<_>>())
    )
}

fn with_error(mean: Option<f64>, stderr: Option<f64>) -> String {
    match (mean, stderr) {
        (Some(mean), Some(stderr)) => format!("{} ± {}", plain(mean), plain(stderr)),
        (Some(mean), None) => plain(mean),
        (None, _) => ABSENT.to_owned(),
    }
}
