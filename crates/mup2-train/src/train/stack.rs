//! The training of several runs at once as one stacked model, for devices that one run leaves idle.

use super::RunResult;
use super::batch::Batch;
use super::device::open_device;
use super::evaluate::accuracies;
use super::feed::Feed;
use super::share::Share;
use super::stack_setup::StackSetup;
use crate::collective::Solo;
use crate::config::{RunSpec, TrainingDevice};
use crate::data::{BATCHES_AHEAD, BatchOrder, Dataset, Loader};
use crate::error::{Error, Result};
use crate::model::{Network, Pass};
use crate::step::{Sharing, StepReport, weight_norms};
use burn::module::Module;
use burn::tensor::Device;
use mup2_scaling::workers::Cancel;
use mup2_sweep::results::{EpochMetrics, RunStatus};

/// Trains `specs`, which differ in learning rate, radius and seed alone, at once: one stacked model
/// with the trial as the leading axis of every parameter. The results are in the order of the
/// specs.
///
/// Each trial has the batches, masks and initialization of its own seed, so its trajectory is that
/// of [`super::train`] within rounding, and with one spec on the processor to the bit. A trial that
/// diverges leaves the stack at the next evaluation.
///
/// `progress` is told the steps done and those of the whole training, after each.
///
/// # Errors
/// As [`super::train`]'s and [`open_device`]'s, and when the specs cannot be stacked
/// ([`check_stack`]).
pub fn train_stack(
    specs: &[RunSpec],
    data: &Dataset,
    device: TrainingDevice,
    cancel: &Cancel,
    progress: impl FnMut(usize, usize),
) -> Result<Vec<RunResult>> {
    check_stack(specs)?;
    let Some(first) = specs.first() else {
        return Ok(Vec::new());
    };
    let device = open_device(device)?.autodiff();
    let share = Share::new(first, &Solo)?;
    let feeds = Feeds::new(specs, data, &share, &device)?;
    let steps_per_epoch = feeds.steps_per_epoch();
    let setup = StackSetup::new(specs, data, steps_per_epoch, &device)?;
    let mut training = StackTraining {
        spec: first,
        data,
        device: &device,
        losses: vec![0.0; specs.len()],
        results: specs.iter().map(RunResult::before_training).collect(),
    };
    training.run(setup, &feeds, cancel, progress)?;
    Ok(training.results)
}

/// Whether `specs` can be the trials of one stack.
///
/// # Errors
/// When they differ in more than learning rate, radius and seed, or do what a stack does not:
/// batches in parts, measures of sharpness, statistics of batch normalization taken anew.
pub fn check_stack(specs: &[RunSpec]) -> Result<()> {
    let Some(first) = specs.first() else {
        return Ok(());
    };
    let refuse = |key: &str, problem: &str| {
        let allowed = "runs that differ in `optimizer.lr`, `sam.rho` and `seed` alone, in whole batches, without sharpness and recalibration";
        Err(Error::invalid(key, problem, allowed))
    };
    if !first.can_be_stacked() {
        return refuse("stack", "has runs that cannot be stacked");
    }
    let common = first.stacked_with();
    if specs.iter().any(|spec| spec.stacked_with() != common) {
        return refuse("stack", "has runs of several kinds");
    }
    Ok(())
}

/// Where the batches of the trials come from: one feed for each seed, as trials with one seed see
/// the same.
struct Feeds<'a> {
    data: &'a Dataset,
    seeds: Vec<u64>,
    feeds: Vec<Feed<'a>>,
    orders: Vec<BatchOrder>,
}

impl<'a> Feeds<'a> {
    fn new(
        specs: &[RunSpec],
        data: &'a Dataset,
        share: &'a Share<'a>,
        device: &Device,
    ) -> Result<Self> {
        let mut new = Self {
            data,
            seeds: Vec::new(),
            feeds: Vec::new(),
            orders: Vec::new(),
        };
        for spec in specs {
            if !new.seeds.contains(&spec.seed) {
                let (examples, size) = (data.train.len(), spec.train.batch_size);
                new.orders.push(BatchOrder::new(spec.seed, examples, size)?);
                new.feeds.push(Feed::new(spec, data, share, device)?);
                new.seeds.push(spec.seed);
            }
        }
        Ok(new)
    }

    fn steps_per_epoch(&self) -> usize {
        let first = self.orders.first();
        first.map_or(0, BatchOrder::batches_per_epoch)
    }

    /// The orders of the images in an epoch, counted from 0.
    fn permutations(&self, epoch: u64) -> Vec<Vec<usize>> {
        self.orders.iter().map(|order| order.epoch(epoch)).collect()
    }

    /// The batches of an epoch, of every seed.
    fn loaders<'b>(
        &'b self,
        permutations: &'b [Vec<usize>],
    ) -> Vec<Loader<'b, impl Iterator<Item = &'b [usize]>>> {
        let batches = self.orders.iter().zip(permutations);
        batches
            .map(|(order, permutation)| {
                Loader::new(&self.data.train, order.batches(permutation), BATCHES_AHEAD)
            })
            .collect()
    }

    /// The batch of a step for the trials with these `seeds`; absent when the epoch is over.
    fn next<'b>(
        &self,
        loaders: &mut [Loader<'b, impl Iterator<Item = &'b [usize]>>],
        seeds: &[u64],
        epoch: u64,
        step: u64,
    ) -> Result<Option<Batch>> {
        let mut batches = Vec::with_capacity(loaders.len());
        for (feed, loader) in self.feeds.iter().zip(loaders) {
            let Some(loaded) = loader.next() else {
                return Ok(None);
            };
            batches.extend(feed.parts(loaded?, epoch, step));
        }
        let of_trials = seeds.iter().filter_map(|seed| {
            let place = self.seeds.iter().position(|other| other == seed)?;
            batches.get(place)
        });
        let of_trials: Vec<&Batch> = of_trials.collect();
        Ok(Some(Batch::stacked(&of_trials)))
    }
}

/// The runs of a stack on their way.
struct StackTraining<'a> {
    /// What all runs have in common, and the learning rate, radius and seed of the first.
    spec: &'a RunSpec,
    data: &'a Dataset,
    device: &'a Device,
    /// Sum of each run's losses since the epoch began.
    losses: Vec<f64>,
    results: Vec<RunResult>,
}

impl StackTraining<'_> {
    /// All epochs, or until every run has diverged.
    fn run(
        &mut self,
        mut setup: StackSetup,
        feeds: &Feeds,
        cancel: &Cancel,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<()> {
        let train = &self.spec.train;
        let steps_per_epoch = feeds.steps_per_epoch();
        let mut step = 0;
        for epoch in 1..=train.epochs {
            let permutations = feeds.permutations(epoch as u64 - 1);
            let mut loaders = feeds.loaders(&permutations);
            for in_epoch in 1..=steps_per_epoch {
                if cancel.is_cancelled() {
                    return Err(Error::Interrupted);
                }
                let seeds = setup.seeds();
                let place = (epoch as u64 - 1, step as u64);
                let Some(batch) = feeds.next(&mut loaders, &seeds, place.0, place.1)? else {
                    break;
                };
                let reports;
                (setup, reports) = setup.step(step, &batch)?;
                self.note(&setup, &reports);
                if self.ended(&setup) {
                    return Ok(());
                }
                step += 1;
                progress(step, train.epochs * steps_per_epoch);
                if in_epoch < steps_per_epoch && train.evaluates_after_steps(step) {
                    let Some(left) = self.without_diverged(setup)? else {
                        return Ok(());
                    };
                    setup = left;
                    self.evaluate(&setup, epoch, Some(step), in_epoch)?;
                }
            }
            let Some(left) = self.without_diverged(setup)? else {
                return Ok(());
            };
            setup = left;
            let by_epochs = epoch.is_multiple_of(train.evaluate_every);
            if by_epochs || train.evaluates_after_steps(step) || epoch == train.epochs {
                self.evaluate(&setup, epoch, None, steps_per_epoch)?;
            }
            self.losses.fill(0.0);
        }
        Ok(())
    }

    /// Takes in what a step saw.
    fn note(&mut self, setup: &StackSetup, reports: &[StepReport]) {
        for (trial, report) in setup.trials.iter().zip(reports) {
            let result = &mut self.results[trial.run];
            if result.status != RunStatus::Completed {
                continue;
            }
            if report.diverged {
                result.status = RunStatus::Diverged;
            } else {
                result.steps += 1;
                self.losses[trial.run] += report.loss;
            }
        }
    }

    /// Whether no trial of the stack goes on.
    fn ended(&self, setup: &StackSetup) -> bool {
        let mut trials = setup.trials.iter();
        trials.all(|trial| self.results[trial.run].status == RunStatus::Diverged)
    }

    /// The stack of those trials that have not diverged; absent if there is none.
    fn without_diverged(&mut self, setup: StackSetup) -> Result<Option<StackSetup>> {
        let norms = weight_norms(&setup.model, setup.trials.len());
        for (trial, norm) in setup.trials.iter().zip(norms) {
            if !norm.is_finite() {
                self.results[trial.run].status = RunStatus::Diverged;
            }
        }
        if self.ended(&setup) {
            return Ok(None);
        }
        let places = setup.trials.iter().enumerate();
        let goes_on = |run: usize| self.results[run].status == RunStatus::Completed;
        let kept: Vec<usize> = places
            .filter(|(_, trial)| goes_on(trial.run))
            .map(|(place, _)| place)
            .collect();
        setup.keep(&kept).map(Some)
    }

    /// Evaluates every trial; `in_epoch` steps of the epoch are done.
    fn evaluate(
        &mut self,
        setup: &StackSetup,
        epoch: usize,
        step: Option<usize>,
        in_epoch: usize,
    ) -> Result<()> {
        let model: Network = match &setup.average {
            Some(average) => average.model.clone(),
            None => setup.model.valid(),
        };
        let device = self.device.clone().inner();
        let normalization = &self.data.normalization;
        let trials = setup.trials.len();
        let on = |images| accuracies(&model, trials, images, normalization, &device);
        let (validation, test) = (on(&self.data.validation)?, on(&self.data.test)?);
        for ((trial, validation), test) in setup.trials.iter().zip(validation).zip(test) {
            self.results[trial.run].epochs.push(EpochMetrics {
                epoch,
                step,
                train_loss: self.losses[trial.run] / in_epoch as f64,
                validation_accuracy: validation,
                test_accuracy: test.unwrap_or(0.0),
                sharpness: None,
            });
        }
        Ok(())
    }
}

impl StackSetup {
    /// One step of every trial, the `step`-th from 0.
    ///
    /// # Errors
    /// As those of [`Sam::step`](crate::step::Sam::step).
    fn step(mut self, step: usize, batch: &Batch) -> Result<(Self, Vec<StepReport>)> {
        let radius = self.radius.at(step);
        let rho: Vec<f64> = self.trials.iter().map(|trial| trial.rho * radius).collect();
        let mut pass = Pass::training_stack(&self.seeds(), step as u64).observing();
        let gradient = |model: &Network, pass: &mut Pass| Ok(batch.gradient(model, pass));
        let (model, reports) = self.sam.step_by(
            &mut Sharing::new(&mut pass, gradient),
            &mut self.optimizer,
            self.model,
            self.learning_rate.at(step),
            &rho,
        )?;
        self.model = model;
        self.model.absorb(&pass.into_statistics());
        if let Some(average) = &mut self.average {
            average.follow(&self.model);
        }
        Ok((self, reports))
    }
}
