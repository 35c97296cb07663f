//! What the doctor says: findings with their numbers, for each scheme and for the whole sweep.

use serde::Serialize;

/// What the doctor says of a sweep; `mup2 doctor --format json` prints this value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Title of the report that was read.
    pub title: String,
    /// Name of the dataset.
    pub dataset: String,
    /// How the numbers were judged, in sentences.
    pub rules: Vec<String>,
    /// What concerns the whole sweep: what it cannot show, and why.
    pub sweep: Vec<Finding>,
    /// One entry a scheme, in the report's order.
    pub schemes: Vec<SchemeDiagnosis>,
}

/// What the doctor says of one scheme.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchemeDiagnosis {
    /// Name of the scheme, such as `mup2` or `mup-naive`.
    pub scheme: String,
    /// Whether all four signatures could be looked for and none was found.
    pub healthy: bool,
    /// What is in order, in one sentence with the numbers that show it; empty when nothing is.
    pub in_order: String,
    /// What is not, what the sweep shows before what it does not.
    pub findings: Vec<Finding>,
    /// What helps against what was seen or predicted, with this sweep's numbers; empty when there
    /// is no such finding.
    pub remedy: String,
}

impl SchemeDiagnosis {
    /// Whether a finding with this standing is among the scheme's.
    pub fn has(&self, standing: Standing) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.standing == standing)
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What kind of finding it is.
    pub signature: Signature,
    /// What it rests on.
    pub standing: Standing,
    /// The finding in plain words, with its most important numbers.
    pub sentence: String,
    /// The numbers behind it.
    pub evidence: Vec<Evidence>,
    /// What to do.
    pub advice: String,
}

/// The paper's failure signatures (METHOD section 7), and what keeps a sweep from showing them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// The effect of some tensors' own perturbation shrinks as the width grows.
    VanishingPerturbation,
    /// Something grows with the width until training breaks.
    Instability,
    /// The optimal (η, ρ) of the narrowest network is not that of the widest.
    ShiftingOptimum,
    /// SAM's best is no better than SGD's best.
    NoGainOverSgd,
    /// Runs failed or have no result yet.
    UnfinishedRuns,
    /// Fewer seeds than a standard error needs.
    FewSeeds,
    /// A scheme was run at one width only.
    OneWidth,
    /// No runs with ρ = 0 to compare SAM with.
    NoSgdBaseline,
    /// η or ρ has one value only.
    Untuned,
    /// An optimum lies on the edge of its grid.
    GridEdge,
    /// Hyperparameters were selected on the test set.
    SelectedOnTest,
    /// The caller gave no scaling table of a scheme.
    NoTheory,
}

impl Signature {
    /// The signature as a heading.
    pub fn words(self) -> &'static str {
        match self {
            Self::VanishingPerturbation => "Vanishing perturbation",
            Self::Instability => "Instability",
            Self::ShiftingOptimum => "Shifting optimum",
            Self::NoGainOverSgd => "No gain over SGD",
            Self::UnfinishedRuns => "Unfinished runs",
            Self::FewSeeds => "Few seeds",
            Self::OneWidth => "One width",
            Self::NoSgdBaseline => "No SGD baseline",
            Self::Untuned => "Not tuned",
            Self::GridEdge => "Grid edge",
            Self::SelectedOnTest => "Selected on the test set",
            Self::NoTheory => "No theory",
        }
    }
}

/// What a finding rests on; the order is the order of display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The sweep shows it.
    Seen,
    /// The theory predicts it for wider networks; this sweep does not show it.
    Predicted,
    /// The sweep neither shows nor excludes it; the sentence gives the reason.
    CannotTell,
}

/// A number behind a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// What was measured or derived.
    pub name: String,
    /// The number as it is shown, with its unit.
    pub text: String,
    /// The number itself: accuracies as differences between 0 and 1, drifts in octaves (units of
    /// log₂), counts and factors as they are. Absent for what is not one number.
    pub value: Option<f64>,
    /// Its standard error over seeds, in the unit of `value`.
    pub stderr: Option<f64>,
}

impl Evidence {
    /// Evidence that is not one number.
    pub(super) fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            value: None,
            stderr: None,
        }
    }

    /// One number and how it is shown.
    pub(super) fn number(name: impl Into<String>, value: f64, text: impl Into<String>) -> Self {
        Self {
            value: Some(value),
            ..Self::text(name, text)
        }
    }
}

/// What came of looking for one signature in one scheme.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Examination {
    /// The signature was found, is predicted, or could not be excluded.
    Finding(Finding),
    /// It was not found; the words with the numbers that show it.
    InOrder(String),
    /// It could not be looked for; a finding about the whole sweep says why.
    Impossible,
}
