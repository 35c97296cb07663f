//! A check as one self-contained HTML page: findings, panels, tables.

use super::display::{outcome, percent, slope, slope_with_error, what_was_checked, yes_or_no};
use super::lines::Cause;
use super::panels::panels;
use crate::figure::page::{Heading, flag, page, settings, table};
use crate::figure::svg::escape;
use mup2_scaling::check::{CheckReport, Point, Slope, SlopeVerdict};
use mup2_scaling::number::{ABSENT, count, plain};

/// Returns the result of a check as a whole HTML page, with its figures inside.
pub fn html(report: &CheckReport) -> String {
    let mut body = header(report);
    body.push_str(&reading_guide(report));
    if report.tensors.is_empty() {
        body.push_str("<h2>Tensors</h2>\n<p>No tensor was measured.</p>\n");
    } else {
        body.push_str(&figures(report));
        body.push_str(&perturbation_slopes(report));
        body.push_str(&norm_shares(report));
        body.push_str(&update_slopes(report));
    }
    body.push_str(&divergences(report));
    if !report.settings.is_empty() {
        body.push_str("<h2>What was run</h2>\n");
        body.push_str(&settings(&report.settings));
    }
    let title = format!("Coordinate check: {}", report.scheme);
    let footer = format!(
        "Made by mup2 {}. The same numbers, unrounded: mup2 check --format json.",
        report.version
    );
    page(&title, &body, &footer)
}

fn header(report: &CheckReport) -> String {
    let (word, sentence) = outcome(report);
    let class = if report.pass { "good" } else { "bad" };
    let mut html = format!(
        "<h1>Coordinate check: {}</h1>\n<p class=\"subtitle\">{}</p>\n\
         <p><strong class=\"{class}\">{word}</strong> {}</p>\n",
        escape(&report.scheme),
        escape(&what_was_checked(report).join(" · ")),
        capitalized(sentence),
    );
    if !report.findings.is_empty() {
        html.push_str("<section class=\"findings\">\n<h2>What was found</h2>\n<ul>\n");
        for finding in &report.findings {
            html.push_str(&format!("<li>{}</li>\n", with_code(finding)));
        }
        html.push_str("</ul>\n</section>\n");
    }
    html
}

/// A sentence with what stands between backticks as code; every second part does.
fn with_code(sentence: &str) -> String {
    let parts = sentence.split('`').map(escape).enumerate();
    let marked = parts.map(|(place, part)| match place % 2 {
        0 => part,
        _ => format!("<code>{part}</code>"),
    });
    marked.collect()
}

fn capitalized(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

fn reading_guide(report: &CheckReport) -> String {
    format!(
        "<h2>How to read this</h2>\n\
         <p>Networks of several widths are trained for {steps}, and what each tensor does to its \
         layer's output is measured. In a log-log panel a power of the width is a straight line, \
         and its slope is the exponent: 0 is level, the same at every width. A slope within \
         {tolerance} of 0 counts as 0.</p>\n\
         <p>A perturbation ε is <em>effective</em> in a tensor if the size of ε x, its own change \
         of the layer's output, is level. It is <em>vanishing</em> if the line falls: the wide \
         network is trained as if the tensor were not perturbed. It is <em>exploding</em> if the \
         line rises: at some width it destroys the output. Perturbations of earlier tensors also \
         change a layer's input and are <em>propagated</em> (grey): that can keep the output's \
         change level where the tensor's own effect vanishes, but it does not perturb the tensor. \
         The dashed line has the predicted slope; only its steepness is predicted, so it is drawn \
         through the middle of the last step's measurements.</p>\n",
        steps = count(report.steps, "step"),
        tolerance = plain(report.tolerance),
    )
}

fn figures(report: &CheckReport) -> String {
    let figure = |title: &str, cause: Cause, caption: &str| {
        format!(
            "<h2>{title}</h2>\n<figure>\n{}<figcaption>{caption} All panels show the same number \
             of octaves unless one needs more, so equal slopes look equal; the heights \
             differ. Zeros and values that are not finite are left out.</figcaption>\n</figure>\n",
            panels(report, cause)
        )
    };
    figure(
        "Effects of the perturbations",
        Cause::Perturbation,
        "RMS of ε x over all entries of the layer's output and the batch, ε being the \
         perturbation of this tensor alone.",
    ) + &figure(
        "Effects of the updates",
        Cause::Update,
        "RMS of ΔW x after the step's update, ΔW being all updates of this tensor since the \
         initialization. In µP they are level too.",
    )
}

fn perturbation_slopes(report: &CheckReport) -> String {
    let rows: Vec<Vec<String>> = report
        .tensors
        .iter()
        .map(|tensor| {
            let agrees = match tensor.effect_as_predicted {
                Some(false) => flag("no"),
                answer => yes_or_no(answer).to_owned(),
            };
            vec![
                escape(&tensor.name),
                escape(&tensor.role),
                verdict(tensor.verdict),
                slope_with_error(tensor.effect_slope, tensor.effect_stderr),
                slope(tensor.effect_predicted),
                agrees,
                fitted(tensor.propagated),
                slope_with_error(tensor.spectral_slope, tensor.spectral_stderr),
                percent(tensor.norm_share),
            ]
        })
        .collect();
    let headings: [Heading; 9] = [
        ("tensor", true),
        ("role", true),
        ("verdict", true),
        ("effect,<br>measured", false),
        ("effect,<br>predicted", false),
        ("agrees", true),
        ("<br>propagated", false),
        ("spectral<br>norm", false),
        ("share of the<br>norm, %", false),
    ];
    format!(
        "<h2>Slopes of the perturbations</h2>\n{}<p class=\"note\">Least-squares slopes of log RMS \
         over log width, ± one standard error, from all widths and seeds of the last step; \
         {ABSENT} means that too few of them gave a number. <em>Agrees</em>: measured and predicted \
         slope differ by no more than the tolerance plus two standard errors. <em>Spectral norm</em>: slope of \
         ‖ε‖<sub>*</sub> / √(fan_out / fan_in); 0 is the spectral condition. <em>Share of the \
         norm</em>: at the widest width.</p>\n",
        table(&headings, &rows)
    )
}

fn update_slopes(report: &CheckReport) -> String {
    let rows: Vec<Vec<String>> = report
        .tensors
        .iter()
        .map(|tensor| {
            vec![
                escape(&tensor.name),
                escape(&tensor.role),
                verdict(tensor.update_verdict),
                slope_with_error(tensor.update_slope, tensor.update_stderr),
                slope(Some(tensor.update_predicted)),
                fitted(tensor.update_propagated),
                fitted(tensor.activation),
            ]
        })
        .collect();
    let headings: [Heading; 7] = [
        ("tensor", true),
        ("role", true),
        ("verdict", true),
        ("effect,<br>measured", false),
        ("effect,<br>predicted", false),
        ("<br>propagated", false),
        ("layer's<br>output", false),
    ];
    format!(
        "<h2>Slopes of the updates</h2>\n{}<p class=\"note\">The same for ΔW x, for W<sub>0</sub> Δx \
         and for the layer's output itself.</p>\n",
        table(&headings, &rows)
    )
}

fn fitted(fit: Option<Slope>) -> String {
    slope_with_error(fit.map(|fit| fit.slope), fit.map(|fit| fit.stderr))
}

fn verdict(verdict: SlopeVerdict) -> String {
    match verdict {
        SlopeVerdict::Effective => format!("<span class=\"good\">{verdict}</span>"),
        SlopeVerdict::Exploding => format!("<span class=\"bad\">{verdict}</span>"),
        SlopeVerdict::Vanishing | SlopeVerdict::Inconclusive => flag(&verdict.to_string()),
        SlopeVerdict::Unperturbed | SlopeVerdict::Flat => verdict.to_string(),
    }
}

/// Which tensor fills the norm in the denominator, at every width.
fn norm_shares(report: &CheckReport) -> String {
    let widths: Vec<String> = report.widths.iter().map(ToString::to_string).collect();
    let mut headings: Vec<Heading> = vec![("tensor", true)];
    headings.extend(widths.iter().map(|width| (width.as_str(), false)));
    let rows: Vec<Vec<String>> = report
        .tensors
        .iter()
        .map(|tensor| {
            let shares = report.widths.iter().map(|width| {
                let is_counted = |point: &&Point| {
                    point.step == report.steps
                        && point.width == *width
                        && point.tensor == tensor.name
                        && point.norm_share.is_finite()
                };
                let points = report.points.iter().filter(is_counted);
                let shares: Vec<f64> = points.map(|point| point.norm_share).collect();
                let mean = shares.iter().sum::<f64>() / shares.len() as f64;
                percent((!shares.is_empty()).then_some(mean))
            });
            [escape(&tensor.name)].into_iter().chain(shares).collect()
        })
        .collect();
    if widths.is_empty() {
        return String::new();
    }
    format!(
        "<h2>Shares of the norm</h2>\n{}<p class=\"note\">Share of each tensor in the squared norm \
         that the perturbation is divided by, in %, by width; mean over seeds at the last step. A \
         tensor whose share goes to 100 % decides alone how far all others are \
         perturbed.</p>\n",
        table(&headings, &rows)
    )
}

fn divergences(report: &CheckReport) -> String {
    if report.divergences.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = report
        .divergences
        .iter()
        .map(|one| {
            [
                one.width.to_string(),
                one.seed.to_string(),
                one.step.to_string(),
            ]
            .to_vec()
        })
        .collect();
    let headings: [Heading; 3] = [("width", false), ("seed", false), ("at step", false)];
    format!(
        "<h2>Trainings that stopped being finite</h2>\n{}",
        table(&headings, &rows)
    )
}
