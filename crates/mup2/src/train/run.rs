//! The loop over epochs and steps of one run.

use super::batch::Batch;
use super::evaluate::accuracy;
use super::setup::{Setup, setup};
use crate::config::{RunId, RunSpec};
use crate::data::{BatchOrder, Dataset, noisy_labels};
use crate::error::{Error, Result};
use crate::model::Mlp;
use crate::results::{EpochMetrics, RESULT_FORMAT, RunResult, RunStatus};
use crate::step::weight_norm;
use burn::tensor::Device;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that ends training at the next step.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    /// Asks for the end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a run tells while it trains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// A step is done.
    Step {
        /// Steps done so far.
        step: usize,
        /// Steps of the whole run.
        total: usize,
        /// Training loss of the step.
        loss: f64,
    },
    /// An epoch was evaluated.
    Epoch(EpochMetrics),
}

/// Trains one run on the calling thread, on the CPU.
///
/// The result depends on `spec` and `data` alone, bit for bit, if the surrounding rayon pool has
/// one thread.
///
/// # Errors
/// [`Error::Interrupted`] when cancelled; [`Error::Invalid`] when the spec does not suit the data
/// (a batch larger than the training set, a rule that perturbs nothing). A divergence is not an
/// error but a result.
pub fn train(
    spec: &RunSpec,
    data: &Dataset,
    cancel: &Cancel,
    mut progress: impl FnMut(Progress),
) -> Result<RunResult> {
    let device = Device::flex().autodiff();
    let evaluation_device = Device::flex();
    let order = BatchOrder::new(spec.seed, data.train.len(), spec.train.batch_size)?;
    let labels = noisy_labels(
        &data.train.labels,
        data.classes,
        spec.data.label_noise,
        spec.seed,
    );
    let steps_per_epoch = order.batches_per_epoch();
    let Setup {
        mut model,
        mut optimizer,
        mut sam,
        learning_rate,
        radius,
        ..
    } = setup(spec, data, steps_per_epoch, &device)?;
    let mut result = RunResult {
        format: RESULT_FORMAT,
        id: RunId::of(spec),
        mup2_version: env!("CARGO_PKG_VERSION").to_owned(),
        spec: spec.clone(),
        status: RunStatus::Completed,
        steps: 0,
        epochs: Vec::new(),
    };
    let total = spec.train.epochs * steps_per_epoch;
    for epoch in 1..=spec.train.epochs {
        let permutation = order.epoch(epoch as u64 - 1);
        let mut loss_sum = 0.0;
        for indices in order.batches(&permutation) {
            if cancel.is_cancelled() {
                return Err(Error::Interrupted);
            }
            let batch = Batch::new(&data.train, &labels, indices, data, &device);
            let (next, report) = sam.step(
                &mut optimizer,
                model,
                spec.optimizer.lr * learning_rate.at(result.steps),
                spec.sam.rho * radius.at(result.steps),
                |model| batch.gradient(model),
            );
            model = next;
            if report.diverged {
                result.status = RunStatus::Diverged;
                return Ok(result);
            }
            result.steps += 1;
            loss_sum += report.loss;
            progress(Progress::Step {
                step: result.steps,
                total,
                loss: report.loss,
            });
        }
        if !weights_are_finite(&model) {
            result.status = RunStatus::Diverged;
            return Ok(result);
        }
        if epoch.is_multiple_of(spec.train.evaluate_every) || epoch == spec.train.epochs {
            let on = |images| accuracy(&model, images, &data.normalization, &evaluation_device);
            let metrics = EpochMetrics {
                epoch,
                train_loss: loss_sum / steps_per_epoch as f64,
                validation_accuracy: on(&data.validation),
                test_accuracy: on(&data.test).unwrap_or(0.0),
            };
            result.epochs.push(metrics);
            progress(Progress::Epoch(metrics));
        }
    }
    Ok(result)
}

/// Whether the last update of an epoch left finite weights; within an epoch the next loss tells.
fn weights_are_finite(model: &Mlp) -> bool {
    weight_norm(model).is_finite()
}
