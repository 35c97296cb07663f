//! The loop over epochs and steps of one run.

use super::batch::Batch;
use super::evaluate::accuracy;
use super::resume::{Checkpointing, Keeper, Position, place};
use super::setup::setup;
use super::sharpness::sharpness_after;
use crate::config::{RunId, RunSpec};
use crate::data::{BatchOrder, Dataset, noisy_labels};
use crate::error::{Error, Result};
use crate::model::{Network, Pass};
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
#[derive(Debug, Clone, PartialEq)]
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
    /// Something that the user should know, such as a refused checkpoint.
    Note(String),
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
    progress: impl FnMut(Progress),
) -> Result<RunResult> {
    train_resumably(spec, data, cancel, None, progress)
}

/// As [`train`], keeping checkpoints: an interrupted or killed training goes on from the last one,
/// to the same bits as an undisturbed one.
///
/// # Errors
/// As [`train`]'s, and when a checkpoint exists but belongs to another run or cannot be read. A
/// checkpoint that cannot be written is told by [`Progress::Note`].
pub fn train_resumably(
    spec: &RunSpec,
    data: &Dataset,
    cancel: &Cancel,
    checkpointing: Option<&Checkpointing>,
    mut progress: impl FnMut(Progress),
) -> Result<RunResult> {
    let mut keeper = Keeper::new(checkpointing);
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
    let mut setup = setup(spec, data, steps_per_epoch, &device)?;
    let mut position = Position {
        result: RunResult {
            format: RESULT_FORMAT,
            id: RunId::of(spec),
            mup2_version: env!("CARGO_PKG_VERSION").to_owned(),
            spec: spec.clone(),
            status: RunStatus::Completed,
            steps: 0,
            epochs: Vec::new(),
        },
        loss_sum: 0.0,
    };
    for note in keeper.resume(&mut setup, &mut position)? {
        progress(Progress::Note(note));
    }
    let total = spec.train.epochs * steps_per_epoch;
    let (first_epoch, mut done) = place(position.result.steps, steps_per_epoch);
    for epoch in first_epoch..=spec.train.epochs {
        let permutation = order.epoch(epoch as u64 - 1);
        for indices in order.batches(&permutation).skip(std::mem::take(&mut done)) {
            let cancelled = cancel.is_cancelled();
            if let Some(note) = keeper.keep(&setup, &position, cancelled) {
                progress(Progress::Note(note));
            }
            if cancelled {
                return Err(Error::Interrupted);
            }
            let batch = Batch::new(&data.train, &labels, indices, data, &device);
            let steps = position.result.steps;
            let mut seen = None;
            let (next, report) = setup.sam.step(
                &mut setup.optimizer,
                setup.model,
                spec.optimizer.lr * setup.learning_rate.at(steps),
                spec.sam.rho * setup.radius.at(steps),
                |model| {
                    let mut pass = Pass::training(spec.seed, steps as u64);
                    if seen.is_some() {
                        return batch.gradient(model, &mut pass);
                    }
                    // The statistics of batch normalization are those of the weights, not of the
                    // perturbed ones: only the first pass moves them.
                    let mut pass = pass.observing();
                    let gradient = batch.gradient(model, &mut pass);
                    seen = Some(pass.into_statistics());
                    gradient
                },
            );
            setup.model = next;
            setup.model.absorb(&seen.unwrap_or_default());
            if report.diverged {
                position.result.status = RunStatus::Diverged;
                return Ok(ended(position, &keeper));
            }
            position.result.steps += 1;
            position.loss_sum += report.loss;
            progress(Progress::Step {
                step: position.result.steps,
                total,
                loss: report.loss,
            });
        }
        if !weights_are_finite(&setup.model) {
            position.result.status = RunStatus::Diverged;
            return Ok(ended(position, &keeper));
        }
        let loss_sum = std::mem::take(&mut position.loss_sum);
        if epoch.is_multiple_of(spec.train.evaluate_every) || epoch == spec.train.epochs {
            let model = &setup.model;
            let on = |images| accuracy(model, images, &data.normalization, &evaluation_device);
            let steps = position.result.steps;
            let sharpness = sharpness_after(epoch, spec, data, &labels, &setup, steps, &device)?;
            let metrics = EpochMetrics {
                epoch,
                train_loss: loss_sum / steps_per_epoch as f64,
                validation_accuracy: on(&data.validation),
                test_accuracy: on(&data.test).unwrap_or(0.0),
                sharpness,
            };
            position.result.epochs.push(metrics.clone());
            progress(Progress::Epoch(metrics));
        }
    }
    Ok(ended(position, &keeper))
}

/// The result of a training that needs its checkpoints no more.
fn ended(position: Position, keeper: &Keeper) -> RunResult {
    keeper.finish();
    position.result
}

/// Whether the last update of an epoch left finite weights; within an epoch the next loss tells.
fn weights_are_finite(model: &Network) -> bool {
    weight_norm(model).is_finite()
}
