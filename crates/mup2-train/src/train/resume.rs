//! Keeping a training in the middle, and taking it up again to the same bits.

use super::RunResult;
use super::average::Average;
use super::setup::Setup;
use super::share::Share;
use super::trained::TrainedWeights;
use super::weights::{
    effective_weights, replaced, running_layers, running_statistics, stored_weights,
    with_effective_weights,
};
use crate::checkpoint::{
    CHECKPOINT_FORMAT, Checkpoint, CheckpointDirectory, TrainingState, Weights, read_weights,
};
use crate::config::RunSpec;
use crate::error::{Error, Result};
use crate::model::Network;
use crate::publish::read_regular;
use crate::step::parameters;
use burn::tensor::Bytes;
use mup2_sweep::config::RunId;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// A training that took less than this since its last checkpoint is not worth another one when it
/// is interrupted.
const LEAST_WORK: Duration = Duration::from_secs(1);

/// How a training is kept; nothing here changes its result.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpointing {
    /// Where.
    pub directory: CheckpointDirectory,
    /// At most this much work is lost when the process is killed; an interruption loses none.
    pub interval: Duration,
    /// Whether to go on from a checkpoint that is there.
    pub resume: bool,
    /// The same training cut short, the longest first: where to start from when it has no
    /// checkpoint of its own.
    pub earlier: Vec<Earlier>,
    /// Whether the checkpoints stay behind when the training is over, the last one with all its
    /// epochs: for a longer training to start from, or until its result is safe.
    pub keep: bool,
}

/// Weights to start a training from. Their digest is part of the run ([`TrainSpec::start`]).
///
/// [`TrainSpec::start`]: crate::config::TrainSpec::start
#[derive(Debug, Clone, PartialEq)]
pub struct StartWeights {
    /// SHA-256 of their file.
    pub digest: String,
    /// The weights that act, by mup2's names.
    pub weights: BTreeMap<String, Weights>,
}

impl StartWeights {
    /// Reads a file of weights with mup2's names.
    ///
    /// # Errors
    /// As [`read_weights`]'s.
    pub fn read(path: &Path) -> Result<Self> {
        let digest = Sha256::digest(read_regular(path)?);
        Ok(Self {
            digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            weights: read_weights(path)?,
        })
    }
}

/// What a training writes beside its result, and what it starts from; none of it by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keeping {
    /// The weights to start from, of which the run has the digest.
    pub start: Option<StartWeights>,
    /// Checkpoints, to go on from.
    pub checkpoints: Option<Checkpointing>,
    /// The weights of the best and of the last evaluation.
    pub weights: Option<TrainedWeights>,
}

/// A training that another one begins with ([`RunSpec::is_beginning_of`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    /// What was trained.
    pub spec: RunSpec,
    /// Where its checkpoints are, if it has left any.
    pub directory: CheckpointDirectory,
}

/// A training at the beginning of a step.
pub(super) struct Position {
    pub result: RunResult,
    pub loss_sum: f64,
}

/// The clock of one training's checkpoints.
pub(super) struct Keeper<'a> {
    checkpointing: Option<&'a Checkpointing>,
    weights: Option<&'a TrainedWeights>,
    start: Option<&'a StartWeights>,
    last: Instant,
    /// Steps of the checkpoint on disk, if it is known to be of this run.
    kept: Option<usize>,
}

impl<'a> Keeper<'a> {
    /// Of several processes the first one keeps.
    pub fn new(keeping: &'a Keeping, share: &Share) -> Self {
        let keeps = share.is_first();
        Self {
            checkpointing: keeping.checkpoints.as_ref().filter(|_| keeps),
            weights: keeping.weights.as_ref().filter(|_| keeps),
            start: keeping.start.as_ref(),
            last: Instant::now(),
            kept: None,
        }
    }

    /// Goes on from the newest usable checkpoint, if there is one and it is wanted, in all
    /// processes. Returns what to tell the user.
    ///
    /// # Errors
    /// When a checkpoint exists but cannot be read, or does not fit the model; when what the training
    /// would write has the name of a file that is not of this run.
    pub fn resume(
        &mut self,
        setup: &mut Setup,
        position: &mut Position,
        share: &Share,
    ) -> Result<Vec<String>> {
        let (checkpoint, mut notes) = self.newest(position)?;
        notes.extend(self.prepare(position, checkpoint.is_some())?);
        let checkpoint = checkpoint_of_first(checkpoint, &position.result.id, share)?;
        let start = self.start_of(&position.result.spec)?;
        match (checkpoint, start) {
            (Some(checkpoint), _) => restore(checkpoint, setup, position)?,
            (None, Some(start)) => begin_from(start, setup, position.result.spec.train.ema_decay)?,
            (None, None) => {}
        }
        Ok(notes)
    }

    /// The weights to start from: those that the run names.
    fn start_of(&self, spec: &RunSpec) -> Result<Option<&'a StartWeights>> {
        let given = self.start.map(|start| start.digest.as_str());
        if given == spec.train.start.as_deref() {
            return Ok(self.start);
        }
        let name = |digest: Option<&str>| match digest {
            Some(digest) => format!("weights of SHA-256 {digest}"),
            None => "random weights".to_owned(),
        };
        Err(Error::invalid(
            "train.start",
            format!(
                "names {}, but {} were given",
                name(spec.train.start.as_deref()),
                name(given)
            ),
            "the file that the run names, by `mup2 train --init FILE`",
        ))
    }

    /// Makes sure that only what is of this run is replaced. Returns what to tell the user.
    fn prepare(&self, position: &Position, resumed: bool) -> Result<Vec<String>> {
        let spec = &position.result.spec;
        if let Some(weights) = self.weights {
            weights.check(spec, resumed)?;
        }
        let Some(checkpointing) = self.checkpointing else {
            return Ok(Vec::new());
        };
        let id = &position.result.id;
        let mut notes = checkpointing.directory.prepare(id)?;
        if !checkpointing.resume && checkpointing.directory.last(id).exists() {
            notes.push(format!(
                "{} is a checkpoint of this run; without an order to resume, training starts anew and \
                 replaces it",
                checkpointing.directory.last(id).display()
            ));
        }
        Ok(notes)
    }

    /// The checkpoint to go on from, and what to tell the user.
    fn newest(&mut self, position: &Position) -> Result<(Option<Checkpoint>, Vec<String>)> {
        let Some(wanted) = self
            .checkpointing
            .filter(|checkpointing| checkpointing.resume)
        else {
            return Ok((None, Vec::new()));
        };
        let (checkpoint, refused) = wanted.directory.load(&position.result.id)?;
        let mut notes: Vec<String> = refused.iter().map(ToString::to_string).collect();
        if let Some(checkpoint) = checkpoint {
            let steps = checkpoint.state.result.steps;
            notes.push(format!("resumed after step {steps}"));
            self.kept = Some(steps);
            return Ok((Some(checkpoint), notes));
        }
        for earlier in &wanted.earlier {
            let (checkpoint, refused) = earlier.directory.load(&RunId::of(&earlier.spec))?;
            notes.extend(refused.iter().map(ToString::to_string));
            let Some(mut checkpoint) = checkpoint else {
                continue;
            };
            let (id, steps) = (checkpoint.state.id.clone(), checkpoint.state.result.steps);
            if let Err(refused) = lengthen(&mut checkpoint.state.result, &position.result) {
                notes.push(refused.to_string());
                continue;
            }
            checkpoint.state.id = position.result.id.clone();
            notes.push(format!("went on after step {steps} of run {id}"));
            return Ok((Some(checkpoint), notes));
        }
        if !wanted.earlier.is_empty() {
            notes.push("no run cut short has left a checkpoint: trained from the start".to_owned());
        }
        notes.extend(others(&wanted.directory, &position.result));
        Ok((None, notes))
    }

    /// Writes the weights that were just evaluated, where they are wanted; the evaluation is the
    /// last of `position`.
    ///
    /// # Errors
    /// When they cannot be written, which is no end of the training; here and below.
    pub fn keep_weights(
        &self,
        setup: &Setup,
        position: &Position,
        evaluated: &Network,
    ) -> Result<()> {
        let Some(wanted) = self.weights else {
            return Ok(());
        };
        let weights = effective_weights(evaluated, &setup.config, &setup.binding.table)?;
        wanted.save(&weights, &position.result)
    }

    /// Writes a checkpoint if it is time.
    pub fn keep(&mut self, setup: &Setup, position: &Position, interrupted: bool) -> Result<()> {
        let Some(checkpointing) = self.checkpointing else {
            return Ok(());
        };
        let due = match interrupted {
            true => LEAST_WORK.min(checkpointing.interval),
            false => checkpointing.interval,
        };
        if self.last.elapsed() < due || position.result.steps == 0 {
            return Ok(());
        }
        self.last = Instant::now();
        self.kept = Some(position.result.steps);
        save(checkpointing, setup, position)
    }

    /// The run has trained all its epochs: its checkpoints have served, or the last one is left.
    ///
    /// # Errors
    /// When that one cannot be written.
    pub fn complete(&self, setup: &Setup, position: &Position) -> Result<()> {
        match self.checkpointing {
            Some(checkpointing) if checkpointing.keep => match self.kept {
                Some(kept) if kept == position.result.steps => Ok(()),
                _ => save(checkpointing, setup, position),
            },
            _ => {
                self.finish(&position.result.id);
                Ok(())
            }
        }
    }

    /// The run has its result; its checkpoints have served, unless they are to be kept.
    pub fn finish(&self, id: &RunId) {
        if let Some(checkpointing) = self.checkpointing.filter(|wanted| !wanted.keep) {
            checkpointing.directory.remove(id);
        }
    }
}

/// Puts the weights that the run starts from in place of the random ones.
fn begin_from(start: &StartWeights, setup: &mut Setup, ema_decay: f64) -> Result<()> {
    setup.model = with_effective_weights(
        setup.model.clone(),
        &setup.config,
        &setup.binding.table,
        start.weights.clone(),
    )?;
    setup.average = Average::new(ema_decay, &setup.model);
    Ok(())
}

/// The checkpoint that the first process has found: the others may not see its directory.
fn checkpoint_of_first(
    found: Option<Checkpoint>,
    id: &RunId,
    share: &Share,
) -> Result<Option<Checkpoint>> {
    if share.is_whole() {
        return Ok(found);
    }
    let bytes = match &found {
        Some(checkpoint) => checkpoint.to_bytes()?,
        None => Vec::new(),
    };
    let bytes = share.broadcast(bytes)?;
    if share.is_first() || bytes.is_empty() {
        return Ok(found);
    }
    Checkpoint::from_bytes(&bytes, id, Path::new("the checkpoint of rank 0")).map(Some)
}

fn save(checkpointing: &Checkpointing, setup: &Setup, position: &Position) -> Result<()> {
    checkpointing.directory.save(&checkpoint(setup, position)?)
}

impl Earlier {
    /// The trainings in `directory` that `longer` begins with, the longest first.
    pub fn of(longer: &RunSpec, directory: &CheckpointDirectory) -> Vec<Self> {
        let mut earlier: Vec<Self> = directory
            .runs()
            .into_iter()
            .filter(|state| state.result.spec.is_beginning_of(longer))
            .map(|state| Self {
                spec: state.result.spec,
                directory: directory.clone(),
            })
            .collect();
        earlier.sort_by_key(|earlier| std::cmp::Reverse(earlier.spec.train.epochs));
        earlier
    }
}

/// What to say of a directory that has checkpoints, but none that `wanted` can go on from.
fn others(directory: &CheckpointDirectory, wanted: &RunResult) -> Option<String> {
    let runs = directory.runs();
    let others: Vec<&RunResult> = runs
        .iter()
        .map(|state| &state.result)
        .filter(|result| result.id != wanted.id)
        .collect();
    let place = directory.path().display();
    let of_other_length = others.iter().find(|other| {
        let mut spec = other.spec.clone();
        spec.train.epochs = wanted.spec.train.epochs;
        RunId::of(&spec) == wanted.id
    });
    if let Some(other) = of_other_length {
        return Some(format!(
            "trained from the start: {place} has the same training with {} epochs (run {}), but the \
             schedules of learning rate and radius depend on the number of epochs; one can go on where \
             both are constant, or where the shorter run has `train.schedule_epochs` of the longer one",
            other.spec.train.epochs, other.id
        ));
    }
    let list: Vec<String> = others
        .iter()
        .map(|other| format!("{} (after step {})", other.id, other.steps))
        .collect();
    (!list.is_empty()).then(|| {
        format!(
            "trained from the start: {place} has no checkpoint of this run {}, only of {}, which stay",
            wanted.id,
            list.join(", ")
        )
    })
}

/// Makes the result so far of a run cut short that of the longer run, to the bits that it would have
/// had itself: the last epoch of the shorter one was evaluated for being the last.
///
/// # Errors
/// When the longer run does not begin with the shorter one.
fn lengthen(result: &mut RunResult, longer: &RunResult) -> Result<()> {
    if !result.spec.is_beginning_of(&longer.spec) {
        return Err(Error::invalid(
            "checkpoint",
            format!(
                "is of run {}, with which {} does not begin",
                result.id, longer.id
            ),
            "one of the same run with fewer epochs",
        ));
    }
    let train = &longer.spec.train;
    let last = result.epochs.last();
    // A shorter run in its middle has no last evaluation yet.
    let is_whole =
        last.is_some_and(|last| last.step.is_none() && last.epoch == result.spec.train.epochs);
    let steps_per_epoch = result.steps / result.spec.train.epochs;
    result.epochs.retain(|metrics| {
        let by_steps = is_whole && train.evaluates_after_steps(metrics.epoch * steps_per_epoch);
        let by_epochs = metrics.epoch.is_multiple_of(train.evaluate_every);
        !is_whole || metrics.step.is_some() || by_steps || by_epochs
    });
    result.id = longer.id.clone();
    result.spec = longer.spec.clone();
    Ok(())
}

fn checkpoint(setup: &Setup, position: &Position) -> Result<Checkpoint> {
    let ids = parameters(&setup.model)
        .into_iter()
        .map(|parameter| (parameter.name, parameter.id.val()))
        .collect();
    Ok(Checkpoint {
        state: TrainingState {
            format: CHECKPOINT_FORMAT,
            id: position.result.id.clone(),
            result: position.result.clone(),
            loss_sum: position.loss_sum,
            sam_steps: setup.sam.steps(),
            parameters: ids,
        },
        weights: all_weights(setup)?,
        optimizer: setup.optimizer.to_bytes()?.to_vec(),
    })
}

/// What the paths of averaged weights begin with.
const AVERAGE: &str = "average.";

fn all_weights(setup: &Setup) -> Result<BTreeMap<String, Weights>> {
    let mut weights = stored_weights(&setup.model)?;
    if let Some(average) = &setup.average {
        let averaged = stored_weights(&average.model)?.into_iter();
        weights.extend(averaged.map(|(name, values)| (format!("{AVERAGE}{name}"), values)));
    }
    Ok(weights)
}

fn restore(checkpoint: Checkpoint, setup: &mut Setup, position: &mut Position) -> Result<()> {
    let Checkpoint {
        state,
        weights,
        optimizer,
    } = checkpoint;
    let refuse = |problem: String| {
        Error::invalid(
            "checkpoint",
            problem,
            "one that this version of mup2 has made",
        )
    };
    for parameter in parameters(&setup.model) {
        let shape = weights.get(&parameter.name).map(|weights| &weights.shape);
        if shape != Some(&parameter.shape) || !state.parameters.contains_key(&parameter.name) {
            let name = &parameter.name;
            return Err(refuse(format!(
                "has no `{name}` of shape {:?}",
                parameter.shape
            )));
        }
    }
    for layer in running_layers(&setup.model) {
        if running_statistics(&weights, &layer).is_none() {
            return Err(refuse(format!("has no running statistics of `{layer}`")));
        }
    }
    if let Some(average) = &mut setup.average {
        let averaged: BTreeMap<String, Weights> = weights
            .iter()
            .filter_map(|(name, values)| {
                Some((name.strip_prefix(AVERAGE)?.to_owned(), values.clone()))
            })
            .collect();
        if averaged.is_empty() {
            return Err(refuse("has no averaged weights".to_owned()));
        }
        average.model = replaced(average.model.clone(), averaged, BTreeMap::new());
    }
    setup.model = replaced(setup.model.clone(), weights, state.parameters);
    // The optimizer knows parameters by their ids, which are now those of the checkpoint.
    setup.rebind()?;
    setup
        .optimizer
        .load(Bytes::from_bytes_vec(optimizer))
        .map_err(|error| refuse(format!("has an unreadable optimizer ({error})")))?;
    setup.sam.set_steps(state.sam_steps);
    position.result = state.result;
    position.loss_sum = state.loss_sum;
    Ok(())
}

impl Setup {
    /// Binds optimizer and SAM to the ids of the model's parameters.
    fn rebind(&mut self) -> Result<()> {
        (self.optimizer, self.sam) = self.binding.bind(&self.model)?;
        Ok(())
    }
}

/// The first epoch that is not trained yet, from 1, and how many of its steps are.
pub(super) fn place(steps: usize, steps_per_epoch: usize) -> (usize, usize) {
    (steps / steps_per_epoch + 1, steps % steps_per_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_steps_tells_the_place_in_the_data() {
        assert_eq!(place(0, 10), (1, 0));
        assert_eq!(place(9, 10), (1, 9));
        assert_eq!(place(10, 10), (2, 0));
    }
}
