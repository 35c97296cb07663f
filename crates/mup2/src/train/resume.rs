//! Keeping a training in the middle, and taking it up again to the same bits.

use super::RunResult;
use super::setup::Setup;
use super::share::Share;
use super::trained::TrainedWeights;
use super::weights::{
    effective_weights, replaced, running_layers, running_statistics, stored_weights,
};
use crate::checkpoint::{
    CHECKPOINT_FORMAT, Checkpoint, CheckpointDirectory, TrainingState, Weights,
};
use crate::config::{RunId, RunSpec};
use crate::error::{Error, Result};
use crate::model::Network;
use crate::step::parameters;
use burn::tensor::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// A training that took less than this since its last checkpoint is not worth another one when it is
/// interrupted.
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
    /// The same training cut short, the longest first: where to start from when it has no checkpoint
    /// of its own.
    pub earlier: Vec<Earlier>,
    /// Whether a checkpoint stays behind after the last epoch, for a longer training to start from.
    pub keep: bool,
}

/// What a training writes beside its result; none of it by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keeping {
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
    last: Instant,
}

impl<'a> Keeper<'a> {
    /// Of several processes the first one keeps.
    pub fn new(keeping: &'a Keeping, share: &Share) -> Self {
        let keeps = share.is_first();
        Self {
            checkpointing: keeping.checkpoints.as_ref().filter(|_| keeps),
            weights: keeping.weights.as_ref().filter(|_| keeps),
            last: Instant::now(),
        }
    }

    /// Goes on from the newest usable checkpoint, if there is one and it is wanted, in all processes.
    /// Returns what to tell the user.
    ///
    /// # Errors
    /// When a checkpoint exists but cannot be read, or does not fit the model.
    pub fn resume(
        &self,
        setup: &mut Setup,
        position: &mut Position,
        share: &Share,
    ) -> Result<Vec<String>> {
        let (checkpoint, notes) = self.newest(position)?;
        if let Some(checkpoint) = checkpoint_of_first(checkpoint, &position.result.id, share)? {
            restore(checkpoint, setup, position)?;
        }
        Ok(notes)
    }

    /// The checkpoint to go on from, and what to tell the user.
    fn newest(&self, position: &Position) -> Result<(Option<Checkpoint>, Vec<String>)> {
        let Some(wanted) = self
            .checkpointing
            .filter(|checkpointing| checkpointing.resume)
        else {
            return Ok((None, Vec::new()));
        };
        let (checkpoint, refused) = wanted.directory.load(&position.result.id)?;
        let mut notes: Vec<String> = refused.iter().map(ToString::to_string).collect();
        if let Some(checkpoint) = checkpoint {
            notes.push(format!(
                "resumed after step {}",
                checkpoint.state.result.steps
            ));
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
        Ok((None, notes))
    }

    /// Writes the weights that were just evaluated, where they are wanted; the evaluation is the last
    /// of `position`. A failure is no end of the training: it is returned as what to tell the user.
    pub fn keep_weights(
        &self,
        setup: &Setup,
        position: &Position,
        evaluated: &Network,
    ) -> Option<String> {
        let wanted = self.weights?;
        let saved = effective_weights(evaluated, &setup.config, &setup.binding.table)
            .and_then(|weights| wanted.save(&weights, &position.result));
        saved
            .err()
            .map(|error| format!("no weights were written: {error}"))
    }

    /// Writes a checkpoint if it is time. A failure is no end of the training: it is returned as
    /// what to tell the user.
    pub fn keep(
        &mut self,
        setup: &Setup,
        position: &Position,
        interrupted: bool,
    ) -> Option<String> {
        let checkpointing = self.checkpointing?;
        let due = match interrupted {
            true => LEAST_WORK.min(checkpointing.interval),
            false => checkpointing.interval,
        };
        if self.last.elapsed() < due || position.result.steps == 0 {
            return None;
        }
        self.last = Instant::now();
        save(checkpointing, setup, position)
    }

    /// The run has trained all its epochs: its checkpoints have served, or the last one is left for a
    /// longer run. Returns what to tell the user.
    pub fn complete(&self, setup: &Setup, position: &Position) -> Option<String> {
        match self.checkpointing {
            Some(checkpointing) if checkpointing.keep => save(checkpointing, setup, position),
            _ => {
                self.finish();
                None
            }
        }
    }

    /// The run has its result; its checkpoints have served.
    pub fn finish(&self) {
        if let Some(checkpointing) = self.checkpointing {
            checkpointing.directory.remove();
        }
    }
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

/// Writes a checkpoint. A failure is no end of the training: it is returned as what to tell the user.
fn save(checkpointing: &Checkpointing, setup: &Setup, position: &Position) -> Option<String> {
    let saved = checkpoint(setup, position)
        .and_then(|checkpoint| checkpointing.directory.save(&checkpoint));
    saved
        .err()
        .map(|error| format!("no checkpoint was written: {error}"))
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
    let steps_per_epoch = result.steps / result.spec.train.epochs;
    result.epochs.retain(|metrics| {
        let by_steps = train.evaluates_after_steps(metrics.epoch * steps_per_epoch);
        metrics.step.is_some() || by_steps || metrics.epoch.is_multiple_of(train.evaluate_every)
    });
    result.id = longer.id.clone();
    result.spec = longer.spec.clone();
    Ok(())
}

fn checkpoint(setup: &Setup, position: &Position) -> Result<Checkpoint> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Error::invalid(what, error.to_string(), "a state that can be written")
    };
    let ids = parameters(&setup.model)
        .into_iter()
        .map(|parameter| (parameter.name, parameter.id.val()))
        .collect();
    let optimizer = setup
        .optimizer
        .into_bytes()
        .map_err(|error| failed("optimizer", &error))?;
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
        optimizer: optimizer.to_vec(),
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
    setup.optimizer = setup
        .optimizer
        .clone()
        .from_bytes(Bytes::from_bytes_vec(optimizer))
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
