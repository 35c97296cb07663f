//! The weights that a training leaves behind: those of its best and of its last evaluation.

use super::RunResult;
use crate::checkpoint::{Weights, write_weights};
use crate::config::RunSpec;
use crate::error::{Error, Result};
use crate::results::EpochMetrics;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Key of the run that weights were trained in, in the metadata of their file.
const RUN: &str = "mup2_run";

/// A directory with `best.safetensors` and `last.safetensors`: the weights that act, by mup2's names,
/// with the run's spec and the accuracies in the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainedWeights {
    directory: PathBuf,
}

impl TrainedWeights {
    /// Weights in `directory`, which is made when the first are written.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// The weights of the best evaluation: by validation accuracy, or by test accuracy where there
    /// is no validation split; the earliest of equal ones.
    pub fn best(&self) -> PathBuf {
        self.directory.join("best.safetensors")
    }

    /// The weights of the last evaluation.
    pub fn last(&self) -> PathBuf {
        self.directory.join("last.safetensors")
    }

    /// Writes `weights`, which the last evaluation of `result` is of.
    ///
    /// # Errors
    /// When the directory or a file cannot be written.
    pub(super) fn save(
        &self,
        weights: &BTreeMap<String, Weights>,
        result: &RunResult,
    ) -> Result<()> {
        let Some((metrics, earlier)) = result.epochs.split_last() else {
            return Ok(());
        };
        std::fs::create_dir_all(&self.directory).map_err(Error::io("make", &self.directory))?;
        let number = |value: f64| value.to_string();
        let mut metadata = HashMap::from([
            (
                RUN.to_owned(),
                serde_json::to_string(&result.spec).unwrap_or_default(),
            ),
            ("mup2_version".to_owned(), result.mup2_version.clone()),
            ("epoch".to_owned(), metrics.epoch.to_string()),
            ("test_accuracy".to_owned(), number(metrics.test_accuracy)),
        ]);
        if let Some(accuracy) = metrics.validation_accuracy {
            metadata.insert("validation_accuracy".to_owned(), number(accuracy));
        }
        write_weights(&self.last(), weights, metadata.clone())?;
        if earlier
            .iter()
            .all(|earlier| score(earlier) < score(metrics))
        {
            write_weights(&self.best(), weights, metadata)?;
        }
        Ok(())
    }
}

fn score(metrics: &EpochMetrics) -> f64 {
    metrics.validation_accuracy.unwrap_or(metrics.test_accuracy)
}

/// The spec in the metadata of a file of trained weights; none in a file of another program.
///
/// # Errors
/// When the file cannot be read, or holds a spec that is none.
pub fn run_of_weights(path: &Path) -> Result<Option<RunSpec>> {
    let metadata = crate::checkpoint::read_metadata(path)?;
    let Some(text) = metadata.get(RUN) else {
        return Ok(None);
    };
    serde_json::from_str(text).map(Some).map_err(|error| {
        Error::corrupt(
            path,
            format!("holds a run that cannot be read ({error})"),
            "give the run file that the weights were trained with",
        )
    })
}
