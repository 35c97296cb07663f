//! A training's curves for TensorBoard.

use mup2_scaling::error::Error;
use mup2_sweep::results::EpochMetrics;
use mup2_train::config::RunSpec;
use mup2_train::tensorboard::{EventWriter, Hyperparameter};
use mup2_train::train::Progress;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Writes what a training tells, from its start on.
pub struct Board {
    directory: PathBuf,
    writer: Option<EventWriter>,
    step: usize,
}

impl Board {
    /// Event files in `directory`, made when the training begins.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            writer: None,
            step: 0,
        }
    }

    /// Writes one piece of news. A problem is returned as what to tell the user: curves are not worth
    /// the end of a training.
    pub fn show(&mut self, progress: &Progress, spec: &RunSpec) -> Option<String> {
        let written = self.write(progress, spec);
        written
            .err()
            .map(|error| format!("no more curves for TensorBoard: {error}"))
    }

    fn write(&mut self, progress: &Progress, spec: &RunSpec) -> Result<(), Error> {
        if let Progress::Started { step, .. } = progress {
            // Steps that are repeated after a kill replace those that were written before it.
            let first = if *step == 0 { 0 } else { step + 1 };
            let mut writer = EventWriter::create(&self.directory, first)?;
            writer.hyperparameters(&hyperparameters(spec))?;
            writer.flush()?;
            self.writer = Some(writer);
            return Ok(());
        }
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        match progress {
            Progress::Step { step, loss, .. } => {
                self.step = *step;
                writer.scalar("loss/step", *step, *loss)
            }
            Progress::Epoch(metrics) => {
                for (tag, value) in curves(metrics) {
                    writer.scalar(tag, self.step, value)?;
                }
                writer.flush()
            }
            Progress::Note(_) | Progress::Started { .. } => Ok(()),
        }
    }
}

fn curves(metrics: &EpochMetrics) -> Vec<(&'static str, f64)> {
    let mut curves = vec![
        ("loss/epoch", metrics.train_loss),
        ("accuracy/test", metrics.test_accuracy),
    ];
    let validation = metrics.validation_accuracy;
    curves.extend(validation.map(|accuracy| ("accuracy/validation", accuracy)));
    curves
}

fn hyperparameters(spec: &RunSpec) -> BTreeMap<String, Hyperparameter> {
    let number = |value: usize| Hyperparameter::Number(value as f64);
    let text = |value: String| Hyperparameter::Text(value);
    BTreeMap::from([
        ("lr".to_owned(), Hyperparameter::Number(spec.optimizer.lr)),
        ("rho".to_owned(), Hyperparameter::Number(spec.sam.rho)),
        ("width".to_owned(), number(spec.model.width)),
        ("base_width".to_owned(), number(spec.model.base_width)),
        ("seed".to_owned(), Hyperparameter::Number(spec.seed as f64)),
        ("model".to_owned(), text(spec.model.kind().to_string())),
        ("rule".to_owned(), text(spec.sam.rule.to_string())),
        (
            "parameterization".to_owned(),
            text(spec.scaling.parameterization.to_string()),
        ),
        (
            "perturbation".to_owned(),
            text(spec.scaling.perturbation.to_string()),
        ),
    ])
}
