//! The result of a run, and the directory that keeps the results of a sweep.

mod heartbeat;
mod sharpness;
mod store;

pub use heartbeat::{HEARTBEAT_INTERVAL, Heartbeat, RunningRun, STALE_HEARTBEAT};
pub use sharpness::{
    EigenvalueMetrics, LayerSharpness, SamSharpnessMetrics, SharpnessMeasures, SharpnessMetrics,
    TraceMetrics,
};
pub use store::{Ending, Fingerprint, Manifest, PROCESSOR, ResultStore};

use crate::config::{Canonical, Json, Metric, RunId, Selection, SweepSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of `result.json`; raised when a field changes its meaning.
pub const RESULT_FORMAT: u32 = 1;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum RunStatus {
    /// All epochs were trained.
    Completed,
    /// The loss or a gradient norm stopped being finite; training ended there.
    Diverged,
    /// The run itself broke; the others go on.
    Failed {
        /// What happened, in one line.
        reason: String,
    },
}

/// What a run counts for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// On the data that hyperparameters are selected on.
    pub selection: f64,
    /// On the test data that belong to it.
    pub test: f64,
}

/// What was measured after one epoch, or within one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Steps of the run that were done, for an evaluation within the epoch; absent at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// Mean of the training loss over the epoch's steps so far, at the unperturbed weights.
    pub train_loss: f64,
    /// Accuracy on the validation split, 0 to 1; absent if there is none.
    pub validation_accuracy: Option<f64>,
    /// Accuracy on the test split, 0 to 1.
    pub test_accuracy: f64,
    /// Sharpness of the loss; absent unless the spec asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<SharpnessMetrics>,
}

/// The result of a run: a function of its spec, so it holds no time, host or path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult<Spec = Json> {
    /// [`RESULT_FORMAT`].
    pub format: u32,
    /// Id of the spec.
    pub id: RunId,
    /// Version of the program.
    pub mup2_version: String,
    /// The spec.
    pub spec: Spec,
    /// How the run ended.
    #[serde(flatten)]
    pub status: RunStatus,
    /// Steps taken.
    pub steps: usize,
    /// Evaluations, in order.
    pub epochs: Vec<EpochMetrics>,
    /// Numbers of the whole run by name, as a command gives them; absent if there are none.
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Series of numbers by name, as a command gives them; absent if there are none.
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    pub curves: BTreeMap<String, Vec<f64>>,
}

impl<Spec> RunResult<Spec> {
    /// That of a run of this version of the program before its first step.
    pub fn new(id: RunId, spec: Spec) -> Self {
        Self {
            format: RESULT_FORMAT,
            id,
            mup2_version: env!("CARGO_PKG_VERSION").to_owned(),
            spec,
            status: RunStatus::Completed,
            steps: 0,
            epochs: Vec::new(),
            metrics: BTreeMap::new(),
            curves: BTreeMap::new(),
        }
    }

    /// As [`RunResult::new`], with the id of `spec`.
    pub fn before_training(spec: &Spec) -> Self
    where
        Spec: Canonical + Clone,
    {
        Self::new(RunId::of(spec), spec.clone())
    }

    /// The result with its spec as the JSON that it is in a file.
    pub fn with_spec_as_json(self) -> RunResult
    where
        Spec: Serialize,
    {
        RunResult {
            spec: Json::of(&self.spec),
            format: self.format,
            id: self.id,
            mup2_version: self.mup2_version,
            status: self.status,
            steps: self.steps,
            epochs: self.epochs,
            metrics: self.metrics,
            curves: self.curves,
        }
    }

    /// What the run counts for in `sweep`, whatever its status.
    ///
    /// # Errors
    /// When it has not measured that, in words.
    pub fn scores(&self, sweep: &SweepSpec) -> Result<Scores, String> {
        match sweep.runs.metric() {
            Some(metric) => self.metric_scores(&metric),
            None => {
                let accuracies = self.accuracies(sweep.selection);
                let (selection, test) = accuracies.ok_or_else(|| {
                    format!(
                        "no accuracy for selection `{}`: the validation split is empty",
                        sweep.selection
                    )
                })?;
                Ok(Scores { selection, test })
            }
        }
    }

    fn metric_scores(&self, metric: &Metric) -> Result<Scores, String> {
        let value = |name: &str| {
            let value = self.metrics.get(name).copied();
            value.ok_or_else(|| format!("its result has no number `{name}`"))
        };
        let (selection, test) = (&metric.name, metric.test.as_ref());
        Ok(Scores {
            selection: value(selection)?,
            test: value(test.unwrap_or(selection))?,
        })
    }

    /// (accuracy to select by, test accuracy that belongs to it), both 0 to 1; absent if nothing
    /// was evaluated or the split is empty.
    pub fn accuracies(&self, selection: Selection) -> Option<(f64, f64)> {
        let validation = |epoch: &EpochMetrics| {
            let accuracy = epoch.validation_accuracy?;
            Some((accuracy, epoch.test_accuracy))
        };
        // Of equal accuracies the earliest epoch counts.
        let best =
            |first: (f64, f64), next: (f64, f64)| if next.0 > first.0 { next } else { first };
        match selection {
            Selection::Validation => self.epochs.last().and_then(validation),
            Selection::BestValidation => self.epochs.iter().filter_map(validation).reduce(best),
            Selection::BestTest => {
                let tests = self
                    .epochs
                    .iter()
                    .map(|e| (e.test_accuracy, e.test_accuracy));
                tests.reduce(best)
            }
        }
    }
}

#[cfg(test)]
mod tests;
