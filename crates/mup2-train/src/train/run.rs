//! The loop over epochs and steps of one run.

use super::RunResult;
use super::device::open_device;
use super::evaluation::{Evaluated, Evaluation};
use super::feed::{Feed, StepBatch};
use super::resume::{Keeper, Keeping, Position, place};
use super::setup::{Setup, setup};
use super::share::Share;
use super::weights::checksum;
use crate::collective::{Collective, Solo};
use crate::config::{PerturbationBatch, RunSpec, TrainingDevice};
use crate::data::{BATCHES_AHEAD, BatchOrder, Dataset, Loader};
use crate::error::{Error, Result};
use crate::model::{Network, Pass};
use crate::step::{Sharing, StepReport, scale_gradients, weight_norm};
use mup2_scaling::workers::Cancel;
use mup2_sweep::config::RunId;
use mup2_sweep::results::{EpochMetrics, RunStatus};

/// What a run tells while it trains.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Training begins, at the start or where a checkpoint left it.
    Started {
        /// Steps that were done before.
        step: usize,
        /// Steps of the whole run.
        total: usize,
        /// Images of a step.
        batch_size: usize,
    },
    /// A step is done.
    Step {
        /// Steps done so far.
        step: usize,
        /// Steps of the whole run.
        total: usize,
        /// Training loss of the step.
        loss: f64,
    },
    /// The network was evaluated.
    Epoch(EpochMetrics),
    /// Something that the user should know, such as a refused checkpoint.
    Note(String),
}

/// Trains one run on the calling thread, on the processor.
///
/// The result depends on `spec` and `data` alone, bit for bit, if the surrounding rayon pool has
/// one thread.
///
/// # Errors
/// [`Error::Interrupted`] when cancelled; [`Error::Invalid`] when the spec does not suit the data
/// (a batch larger than the training set, a rule that perturbs nothing); [`Error::Corrupt`] or
/// [`Error::Io`] when an image on disk can no longer be read. A divergence is not an error but a
/// result.
pub fn train(
    spec: &RunSpec,
    data: &Dataset,
    cancel: &Cancel,
    progress: impl FnMut(Progress),
) -> Result<RunResult> {
    let device = TrainingDevice::Flex;
    train_resumably(spec, data, device, cancel, &Keeping::default(), progress)
}

/// As [`train`], on any device, keeping checkpoints, so that an interrupted or killed training goes
/// on from the last one, and trained weights. On the processor it goes on to the same bits as an
/// undisturbed one.
///
/// # Errors
/// As [`train`]'s and [`open_device`]'s, and when a checkpoint exists but belongs to another run or
/// cannot be read. A checkpoint that cannot be written is told by [`Progress::Note`].
pub fn train_resumably(
    spec: &RunSpec,
    data: &Dataset,
    device: TrainingDevice,
    cancel: &Cancel,
    keeping: &Keeping,
    progress: impl FnMut(Progress),
) -> Result<RunResult> {
    train_together(spec, data, device, cancel, keeping, &Solo, progress)
}

/// As [`train_resumably`], as one of the processes of `collective`, all of which call it alike:
/// each computes its share of the `train.micro_batches` parts of every batch.
///
/// All of them end with the same weights and the same result, which is that of one process within
/// rounding. Rank 0 alone keeps checkpoints and weights; it reads the checkpoint that all of them
/// go on from. What cancels one cancels all, at the same step.
///
/// # Errors
/// As [`train_resumably`]'s; when the number of parts is no multiple of the number of processes;
/// [`Error::Disagreement`] when the processes were given different runs or data, or compute
/// different bits. Any other error is that of one process, which must see to it that the others do
/// not wait for it.
pub fn train_together(
    spec: &RunSpec,
    data: &Dataset,
    device: TrainingDevice,
    cancel: &Cancel,
    keeping: &Keeping,
    collective: &dyn Collective,
    mut progress: impl FnMut(Progress),
) -> Result<RunResult> {
    let share = Share::new(spec, collective)?;
    agree_on_run(&share, spec, data, device)?;
    let mut keeper = Keeper::new(keeping, &share);
    let device = open_device(device)?.autodiff();
    let order = BatchOrder::new(spec.seed, data.train.len(), spec.train.batch_size)?;
    let feed = Feed::new(spec, data, &share, &device)?;
    let steps_per_epoch = order.batches_per_epoch();
    let mut setup = setup(spec, data, steps_per_epoch, &device)?;
    let mut position = Position {
        result: RunResult::before_training(spec),
        loss_sum: 0.0,
    };
    for note in keeper.resume(&mut setup, &mut position, &share)? {
        progress(Progress::Note(note));
    }
    agree_on_weights(&share, &setup, position.result.steps)?;
    let evaluation = Evaluation {
        spec,
        data,
        order: &order,
        share: &share,
        labels: feed.labels(),
        device: &device,
    };
    let total = spec.train.epochs * steps_per_epoch;
    progress(Progress::Started {
        step: position.result.steps,
        total,
        batch_size: spec.train.batch_size,
    });
    let (first_epoch, mut done) = place(position.result.steps, steps_per_epoch);
    for epoch in first_epoch..=spec.train.epochs {
        let permutation = order.epoch(epoch as u64 - 1);
        let batches = order.batches(&permutation).skip(std::mem::take(&mut done));
        let batches = batches.map(|batch| feed.loaded(batch));
        for loaded in Loader::new(&data.train, batches, BATCHES_AHEAD) {
            let cancelled = share.any(cancel.is_cancelled())?;
            let kept = keeper.keep(&setup, &position, cancelled);
            note(kept, "checkpoint was", &mut progress);
            if cancelled {
                return Err(Error::Interrupted);
            }
            let steps = position.result.steps;
            let batch = feed.batch(loaded?, epoch as u64 - 1, steps as u64);
            let report;
            (setup, report) = setup.step(spec, steps, batch)?;
            if report.diverged {
                position.result.status = RunStatus::Diverged;
                return Ok(ended(position, &keeper));
            }
            position.result.steps += 1;
            position.loss_sum += report.loss;
            let step = position.result.steps;
            let loss = report.loss;
            progress(Progress::Step { step, total, loss });
            let in_epoch = step - (epoch - 1) * steps_per_epoch;
            if in_epoch < steps_per_epoch && spec.train.evaluates_after_steps(step) {
                if !weights_are_finite(&setup.model) {
                    position.result.status = RunStatus::Diverged;
                    return Ok(ended(position, &keeper));
                }
                agree_on_weights(&share, &setup, step)?;
                let train_loss = position.loss_sum / in_epoch as f64;
                let metrics = evaluation.within(epoch, step, train_loss, &setup)?;
                record(metrics, &setup, &mut position, &keeper, &mut progress);
            }
        }
        if !weights_are_finite(&setup.model) {
            position.result.status = RunStatus::Diverged;
            return Ok(ended(position, &keeper));
        }
        let loss_sum = std::mem::take(&mut position.loss_sum);
        let by_steps = spec.train.evaluates_after_steps(position.result.steps);
        let by_epochs = epoch.is_multiple_of(spec.train.evaluate_every);
        if by_steps || by_epochs || epoch == spec.train.epochs {
            let train_loss = loss_sum / steps_per_epoch as f64;
            let steps = position.result.steps;
            agree_on_weights(&share, &setup, steps)?;
            let metrics = evaluation.after(epoch, steps, train_loss, &setup)?;
            record(metrics, &setup, &mut position, &keeper, &mut progress);
        }
    }
    let kept = keeper.complete(&setup, &position);
    note(kept, "checkpoint was", &mut progress);
    Ok(position.result)
}

impl Setup {
    /// One step on `batch`; a diverged one leaves the model as it was.
    ///
    /// # Errors
    /// When a process is gone.
    ///
    /// It takes the setup and gives it back: a second owner of the model would have every update
    /// write into fresh memory.
    fn step(
        mut self,
        spec: &RunSpec,
        steps: usize,
        mut batch: StepBatch,
    ) -> Result<(Self, StepReport)> {
        let share = batch.share();
        let learning_rate = spec.optimizer.lr * self.learning_rate.at(steps);
        let rho = spec.sam.rho * self.radius.at(steps);
        // Without a perturbation there is no batch for it: such runs are one by their id.
        let in_parts = spec.sam.rho != 0.0
            && share.of() > 1
            && spec.sam.perturbation_batch == PerturbationBatch::Micro;
        let (optimizer, model) = (&mut self.optimizer, self.model);
        let (next, report) = if let Some((batch, pass)) = batch.whole() {
            let gradient = |model: &Network, pass: &mut Pass| Ok(batch.gradient(model, pass));
            let passes = &mut Sharing::new(pass, gradient);
            self.sam
                .step_by(passes, optimizer, model, learning_rate, rho)?
        } else if in_parts {
            let (parts, of) = (share.parts(), share.of());
            let gradient = |model: &Network, part| batch.part_gradient(model, part);
            let (sum, report) = self
                .sam
                .gradients_in_parts(&model, rho, parts, of, gradient)?;
            let (sum, report) = share.sum_reported(&model, sum, report)?;
            let mean = scale_gradients(&model, sum, 1.0 / of as f64);
            let next = self
                .sam
                .descend(optimizer, model, learning_rate, mean, &report)?;
            (next, report)
        } else {
            let gradient = |model: &Network| batch.gradient(model);
            self.sam
                .step(optimizer, model, learning_rate, rho, gradient)?
        };
        self.model = next;
        let seen = batch.into_statistics();
        if !report.diverged {
            for seen in share.statistics(seen)? {
                self.model.absorb(&seen);
            }
            if let Some(average) = &mut self.average {
                average.follow(&self.model);
            }
        }
        Ok((self, report))
    }
}

/// # Errors
/// In all processes, when one of them was given another run, other data or another device.
fn agree_on_run(
    share: &Share,
    spec: &RunSpec,
    data: &Dataset,
    device: TrainingDevice,
) -> Result<()> {
    let (id, version, digest) = (RunId::of(spec), env!("CARGO_PKG_VERSION"), &data.digest);
    share.agree(
        || format!("{id} {version} {device} {digest}").into_bytes(),
        || "has another run, device, version of mup2 or other data than rank 0".to_owned(),
        "give all processes the same files and flags",
    )
}

/// # Errors
/// In all processes, when one of them has other weights after `steps` steps.
fn agree_on_weights(share: &Share, setup: &Setup, steps: usize) -> Result<()> {
    share.agree(
        || checksum(&setup.model).to_le_bytes().to_vec(),
        || format!("has other weights than rank 0 after {steps} steps, so it computes otherwise"),
        "use machines with the same processors; the last checkpoint may hold such weights",
    )
}

/// Adds an evaluation to the result, writes its weights where they are wanted, and tells of it.
fn record(
    evaluated: Evaluated,
    setup: &Setup,
    position: &mut Position,
    keeper: &Keeper,
    progress: &mut impl FnMut(Progress),
) {
    let Evaluated { metrics, model } = evaluated;
    position.result.epochs.push(metrics.clone());
    let kept = keeper.keep_weights(setup, position, &model);
    note(kept, "weights were", progress);
    progress(Progress::Epoch(metrics));
}

/// Tells of a file that could not be written: a training does not end for it.
fn note(written: Result<()>, what: &str, progress: &mut impl FnMut(Progress)) {
    if let Err(error) = written {
        progress(Progress::Note(format!("no {what} written: {error}")));
    }
}

/// The result of a training that nothing can go on from.
fn ended(position: Position, keeper: &Keeper) -> RunResult {
    keeper.finish(&position.result.id);
    position.result
}

/// Whether the last update of an epoch left finite weights; within an epoch the next loss tells.
fn weights_are_finite(model: &Network) -> bool {
    weight_norm(model).is_finite()
}
