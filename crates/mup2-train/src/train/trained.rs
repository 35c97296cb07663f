//! The weights that a training leaves behind: those of its best and of its last evaluation.

use super::RunResult;
use crate::checkpoint::{Weights, write_weights};
use crate::config::RunSpec;
use crate::data::{Dataset, Normalization};
use crate::error::{Error, Result};
use mup2_sweep::config::RunId;
use mup2_sweep::results::EpochMetrics;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Key of the run that weights were trained in, in the metadata of their file.
const RUN: &str = "mup2_run";

/// Key of the names of the classes, in the order of the outputs, as a JSON list.
const CLASSES: &str = "classes";

/// Key of the mean and standard deviation of the training images' channels, as JSON.
const NORMALIZATION: &str = "normalization";

/// A directory with `best.safetensors` and `last.safetensors`: the weights that act, by mup2's names,
/// with the run's spec and the accuracies in the metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedWeights {
    directory: PathBuf,
    classes: Vec<String>,
    normalization: Option<Normalization>,
}

impl TrainedWeights {
    /// Weights in `directory`, which is made when the first are written.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            classes: Vec::new(),
            normalization: None,
        }
    }

    /// Of a training on `data`: the files then hold the names of the classes, in the order of the
    /// outputs, and what the images were normalized by.
    #[must_use]
    pub fn of_data(mut self, data: &Dataset) -> Self {
        self.classes.clone_from(&data.class_names);
        self.normalization = Some(data.normalization.clone());
        self
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

    /// Makes sure that only weights of the run `spec` are replaced, or of a training that it has gone
    /// on from, where `resumed`.
    ///
    /// # Errors
    /// When a file of another run or another program has the name of one that is to be written.
    pub fn check(&self, spec: &RunSpec, resumed: bool) -> Result<()> {
        let id = RunId::of(spec);
        for path in [self.best(), self.last()] {
            if std::fs::symlink_metadata(&path).is_err() {
                continue;
            }
            let refuse = |problem: String| {
                Err(Error::invalid(
                    path.display().to_string(),
                    problem,
                    format!(
                        "weights of run {id}, or no such file; move it away or take another directory"
                    ),
                ))
            };
            match run_of_weights(&path) {
                Ok(Some(found)) if RunId::of(&found) == id => {}
                Ok(Some(found)) if resumed && found.is_beginning_of(spec) => {}
                Ok(Some(found)) => {
                    return refuse(format!("has the weights of run {}", RunId::of(&found)));
                }
                Ok(None) => return refuse("does not say which run it is of".to_owned()),
                Err(Error::Corrupt { problem, .. } | Error::Invalid { problem, .. }) => {
                    return refuse(problem);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes `weights`, which the last evaluation of `result` is of.
    ///
    /// # Errors
    /// When the directory or a file cannot be written, or would replace one of another run.
    pub(super) fn save(
        &self,
        weights: &BTreeMap<String, Weights>,
        result: &RunResult,
    ) -> Result<()> {
        let Some((metrics, earlier)) = result.epochs.split_last() else {
            return Ok(());
        };
        // Another run may have written here since the training began.
        self.check(&result.spec, true)?;
        std::fs::create_dir_all(&self.directory).map_err(Error::io("make", &self.directory))?;
        let number = |value: f64| value.to_string();
        let mut metadata = BTreeMap::from([
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
        if !self.classes.is_empty() {
            let names = serde_json::to_string(&self.classes).unwrap_or_default();
            metadata.insert(CLASSES.to_owned(), names);
        }
        if let Some(normalization) = &self.normalization {
            let text = serde_json::to_string(normalization).unwrap_or_default();
            metadata.insert(NORMALIZATION.to_owned(), text);
        }
        write_weights(&self.last(), weights, &metadata)?;
        if earlier
            .iter()
            .all(|earlier| score(earlier) < score(metrics))
        {
            write_weights(&self.best(), weights, &metadata)?;
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
    let spec: RunSpec = serde_json::from_str(text).map_err(|error| {
        Error::corrupt(
            path,
            format!("holds a run that cannot be read ({error})"),
            "give the run file that the weights were trained with",
        )
    })?;
    // Anyone can write a file.
    spec.validate(&format!("the run in {}", path.display()))?;
    Ok(Some(spec))
}

/// The names of the classes in the metadata of a file of trained weights, in the order of the
/// outputs; none in files that do not name them.
///
/// # Errors
/// When the file cannot be read, or holds names that are none.
pub fn classes_of_weights(path: &Path) -> Result<Vec<String>> {
    let metadata = crate::checkpoint::read_metadata(path)?;
    let Some(text) = metadata.get(CLASSES) else {
        return Ok(Vec::new());
    };
    serde_json::from_str(text).map_err(|error| {
        Error::corrupt(
            path,
            format!("holds names of classes that cannot be read ({error})"),
            "train the weights again, or remove `classes` from their metadata",
        )
    })
}

/// What the training images of a file of weights were normalized by; none in files that do not say so.
///
/// # Errors
/// When the file cannot be read, or holds other numbers than a mean and a standard deviation above 0
/// of each of `channels`.
pub fn normalization_of_weights(path: &Path, channels: usize) -> Result<Option<Normalization>> {
    let metadata = crate::checkpoint::read_metadata(path)?;
    let Some(text) = metadata.get(NORMALIZATION) else {
        return Ok(None);
    };
    let parsed: Option<Normalization> = serde_json::from_str(text).ok();
    let fits = |found: &Normalization| {
        let counts = [found.mean.len(), found.std.len()] == [channels; 2];
        let finite = found.mean.iter().all(|mean| mean.is_finite());
        counts && finite && found.std.iter().all(|std| std.is_finite() && *std > 0.0)
    };
    match parsed.filter(fits) {
        Some(normalization) => Ok(Some(normalization)),
        None => Err(Error::corrupt(
            path,
            format!("holds no normalization of {channels} channels"),
            "give images like those of the training, or remove `normalization` from its metadata",
        )),
    }
}
