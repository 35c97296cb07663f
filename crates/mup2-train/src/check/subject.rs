//! What a check of a run file measured, in names and values for its report.

use super::run::CheckOptions;
use crate::config::RunSpec;
use crate::data::Dataset;
use crate::scaling::CustomExponents;
use crate::scaling::check::{CheckSubject, Extent};

/// The run of `spec`.
pub(super) fn subject_of_run(
    spec: &RunSpec,
    data: &Dataset,
    options: &CheckOptions,
) -> CheckSubject {
    CheckSubject {
        scheme: spec.scheme().name(),
        base_width: Some(spec.model.base_width),
        settings: settings(spec, data, options),
    }
}

impl CheckOptions {
    pub(super) fn extent(&self) -> Extent<'_> {
        Extent {
            widths: &self.widths,
            seeds: &self.seeds,
            steps: self.steps,
            tolerance: self.tolerance,
        }
    }
}

/// The exponents that replace the scheme's, as they are written in a run file.
fn own_exponents(exponents: &CustomExponents) -> Option<String> {
    let text = serde_json::to_string(exponents).ok()?;
    (*exponents != CustomExponents::default()).then_some(text)
}

fn settings(spec: &RunSpec, data: &Dataset, options: &CheckOptions) -> Vec<(String, String)> {
    let list = |values: Vec<String>| values.join(", ");
    let scheme = spec.scheme();
    let lower = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let own = own_exponents(&spec.scaling.exponents).map(|text| ("Own exponents", text));
    let rows = [
        ("Model", spec.model.describe()),
        ("Parameterization", scheme.parameterization.to_string()),
        (
            "Perturbation",
            format!(
                "{}, {} denominator",
                scheme.perturbation,
                scheme.denominator()
            ),
        ),
        ("Rule", scheme.rule.to_string()),
        ("Optimizer", lower(&spec.optimizer.name)),
        ("Base width", spec.model.base_width.to_string()),
        (
            "η, ρ at the base width",
            format!("{}, {}", spec.optimizer.lr, spec.sam.rho),
        ),
        (
            "Data",
            format!(
                "{}, {} inputs, one batch of {}",
                data.name,
                data.train.shape.values(),
                spec.train.batch_size
            ),
        ),
        (
            "Widths",
            list(options.widths.iter().map(ToString::to_string).collect()),
        ),
        (
            "Seeds",
            list(options.seeds.iter().map(ToString::to_string).collect()),
        ),
        ("Steps", options.steps.to_string()),
    ];
    rows.into_iter()
        .chain(own)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
