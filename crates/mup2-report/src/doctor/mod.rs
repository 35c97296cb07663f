//! From the numbers of a sweep and the theory of its schemes to findings in plain words: which of
//! the paper's failure signatures are there, with what numbers, and what to do.
//!
//! [`diagnose`] looks in each scheme for four signatures (METHOD section 7, and the paper's list of
//! failures): perturbations that vanish, training that becomes unstable, an optimum that shifts with
//! the width, and no gain over SGD. Data come first: the theory alone makes a finding
//! [`Predicted`](Standing::Predicted), never [`Seen`](Standing::Seen). What the noise may explain
//! is no finding, and what the seeds or the grid leave open is said to be open
//! ([`CannotTell`](Standing::CannotTell)). [`text`] shows a diagnosis and computes nothing.

mod edges;
mod finding;
mod gain;
mod instability;
mod judgement;
mod remedy;
mod shift;
mod subject;
mod text;
mod theory;
mod vanishing;
mod whole_sweep;
mod words;

#[cfg(test)]
mod tests;

use crate::report::{Axis, MetricKind, Report};
use mup2_scaling::error::{Error, Result};

pub use finding::{Diagnosis, Evidence, Finding, SchemeDiagnosis, Signature, Standing};
pub use text::text;
pub use theory::Theory;

use finding::Examination;
use judgement::Noise;
use subject::Subject;

/// What the doctor is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Case<'a> {
    /// The numbers of the sweep.
    pub report: &'a Report,
    /// The theory of each scheme, in any order; for a scheme without one, the sweep gets a finding
    /// that says so.
    pub theory: Vec<Theory>,
}

impl Case<'_> {
    fn theory_of(&self, scheme: &str) -> Option<&Theory> {
        self.theory.iter().find(|theory| theory.scheme == scheme)
    }
}

/// Whether the doctor's rules fit a report: they are about accuracies at several widths, over a
/// learning rate and SAM's radius.
///
/// # Errors
/// A report of something else.
pub fn check_fits(report: &Report) -> Result<()> {
    let axes = &report.axes;
    let refuse =
        |problem: String, allowed: &str| Err(Error::invalid("mup2 doctor", problem, allowed));
    if axes.metric.kind != MetricKind::Share {
        let problem = format!("{} is no accuracy", axes.metric.name);
        return refuse(
            problem,
            "a metric between 0 and 1 or in per cent; `mup2 report` takes any",
        );
    }
    let symbol = |axis: &Axis| axis.symbol.clone();
    let (x, y) = (symbol(&axes.x), axes.y.as_ref().map(symbol));
    if x != "η" || y.as_deref() != Some("ρ") || axes.size != "width" {
        return refuse(
            format!(
                "judges optima of a learning rate and SAM's radius at widths, not of {}{} at {}",
                x,
                y.map_or(String::new(), |y| format!(" and {y}")),
                axes.size
            ),
            "--size width --x lr --y rho, mapped with --column; `mup2 report` takes any",
        );
    }
    Ok(())
}

/// Looks for the failure signatures in every scheme of the report.
pub fn diagnose(case: &Case) -> Diagnosis {
    let noise = Noise::of(case.report);
    let subjects: Vec<Subject> = case
        .report
        .schemes
        .iter()
        .filter_map(|scheme| Subject::new(case, noise, scheme))
        .collect();
    Diagnosis {
        title: case.report.title.clone(),
        dataset: case.report.dataset.clone(),
        rules: noise.rules(case.report),
        sweep: whole_sweep::findings(case.report, &subjects),
        schemes: subjects.iter().map(scheme_diagnosis).collect(),
    }
}

fn scheme_diagnosis(subject: &Subject) -> SchemeDiagnosis {
    let examinations = [
        vanishing::examine(subject),
        instability::examine(subject),
        shift::examine(subject),
        gain::examine(subject),
    ];
    let healthy = examinations
        .iter()
        .all(|one| matches!(one, Examination::InOrder(_)));
    let (mut findings, mut in_order) = (Vec::new(), Vec::new());
    for examination in examinations {
        match examination {
            Examination::Finding(finding) => findings.push(finding),
            Examination::InOrder(words) => in_order.push(words),
            Examination::Impossible => {}
        }
    }
    findings.sort_by_key(|finding| finding.standing);
    // What was measured comes before what the theory says.
    in_order.reverse();
    // Where SAM gains nothing, the task may be the reason; that finding has its own advice.
    let is_ill = |finding: &Finding| {
        finding.standing != Standing::CannotTell && finding.signature != Signature::NoGainOverSgd
    };
    let remedy = if findings.iter().any(is_ill) {
        remedy::remedy(subject)
    } else {
        String::new()
    };
    SchemeDiagnosis {
        scheme: subject.scheme.to_owned(),
        healthy,
        in_order: words::sentence(&in_order),
        findings,
        remedy,
    }
}
