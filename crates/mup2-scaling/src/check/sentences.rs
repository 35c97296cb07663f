//! The findings of a check in sentences, for someone who wants to know what to do.

use super::result::{CheckReport, SlopeVerdict, TensorFinding};
use crate::number::{count, plain, two_decimals};

/// The findings, the most important first.
pub(super) fn sentences(report: &CheckReport, base_width: Option<usize>) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(divergences(report));
    for tensor in &report.tensors {
        found.extend(of_verdict(report, tensor));
    }
    for tensor in &report.tensors {
        found.extend(of_update(report, tensor));
    }
    if report.pass {
        found.push(format!(
            "Every perturbed tensor keeps its effect from width {} to {}: the slopes are within {} \
             of 0.",
            ends(report).0,
            ends(report).1,
            report.tolerance
        ));
    }
    let surprises: Vec<String> = report
        .tensors
        .iter()
        .filter(|tensor| tensor.effect_as_predicted == Some(false))
        .map(|tensor| format!("`{}`", tensor.name))
        .collect();
    if !surprises.is_empty() {
        let advice = match base_width {
            Some(width) if width > 1 => {
                "the theory is of wide networks, and a base width near the measured ones keeps them \
                 from their limit; `--base-width 1` or wider networks come closer to it"
            }
            _ => {
                "the theory is of stable training and wide networks; a smaller radius and learning \
                 rate or wider networks come closer to it"
            }
        };
        found.push(format!(
            "Measured and predicted slope disagree for {}: {advice}.",
            surprises.join(", ")
        ));
    }
    found
}

fn ends(report: &CheckReport) -> (usize, usize) {
    let first = report.widths.first().copied().unwrap_or_default();
    (first, report.widths.last().copied().unwrap_or_default())
}

fn divergences(report: &CheckReport) -> Option<String> {
    let first = report.divergences.first()?;
    Some(format!(
        "Training stopped being finite in {} of {}, first at width {} (seed {}, step {}): the \
         scheme is unstable at this learning rate and radius.",
        report.divergences.len(),
        count(report.widths.len() * report.seeds.len(), "training"),
        first.width,
        first.seed,
        first.step
    ))
}

fn of_verdict(report: &CheckReport, tensor: &TensorFinding) -> Option<String> {
    let name = &tensor.name;
    let (narrow, wide) = ends(report);
    let slope = tensor.effect_slope.unwrap_or_default();
    let factor = plain((wide as f64 / narrow.max(1) as f64).powf(slope.abs()));
    let theory = tensor.effect_predicted.map_or(String::new(), |predicted| {
        format!(", {} in theory", two_decimals(predicted))
    });
    match tensor.verdict {
        SlopeVerdict::Effective | SlopeVerdict::Unperturbed => None,
        SlopeVerdict::Flat => Some(format!(
            "The loss does not depend on `{name}`: its gradient is rounding, and nothing follows from it."
        )),
        SlopeVerdict::Vanishing => {
            let carried = tensor
                .propagated
                .filter(|fit| fit.slope > -report.tolerance);
            let carried = match carried {
                Some(_) => {
                    " Its output still moves, but only by what earlier layers' perturbations \
                     propagate."
                }
                None => "",
            };
            Some(format!(
                "`{name}` is not effectively perturbed: the effect of its own perturbation shrinks \
                 {factor} times from width {narrow} to {wide} (slope {}{theory}).{carried}",
                two_decimals(slope)
            ))
        }
        SlopeVerdict::Exploding => Some(format!(
            "The perturbation of `{name}` is unstable: its effect grows {factor} times from width \
             {narrow} to {wide} (slope {}{theory}).",
            two_decimals(slope)
        )),
        SlopeVerdict::Inconclusive => Some(match tensor.effect_slope.zip(tensor.effect_stderr) {
            Some((slope, stderr)) => format!(
                "The slope of `{name}` cannot be told: {} ± {}; more seeds or widths would say.",
                two_decimals(slope),
                two_decimals(stderr)
            ),
            None => format!(
                "The slope of `{name}` cannot be told: too few trainings gave a number above 0."
            ),
        }),
    }
}

fn of_update(report: &CheckReport, tensor: &TensorFinding) -> Option<String> {
    if tensor.verdict == SlopeVerdict::Flat {
        return None;
    }
    let (slope, stderr) = tensor.update_slope.zip(tensor.update_stderr)?;
    if slope.abs() <= report.tolerance || slope.abs() <= 2.0 * stderr {
        return None;
    }
    let what = if slope > 0.0 {
        "grow with the width, so the learning rate does not transfer"
    } else {
        "shrink with the width, so the layer learns less and less"
    };
    Some(format!(
        "The updates of `{}` {what} (slope {}, {} in theory).",
        tensor.name,
        two_decimals(slope),
        two_decimals(tensor.update_predicted)
    ))
}
