//! The `[train]` table: how long a training is, what a step sees, and what is evaluated.

use super::range;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The `[train]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSpec {
    /// Passes over the training set; at least 1.
    pub epochs: usize,
    /// Images per step; at least 1. A last, smaller batch of an epoch is dropped.
    pub batch_size: usize,
    /// Parts of equal size that a batch is computed in, one after the other, so that a large batch
    /// needs the memory of a small one; a divisor of the batch size.
    pub micro_batches: usize,
    /// Evaluates after every k-th epoch, and always after the last; at least 1.
    pub evaluate_every: usize,
    /// Evaluates after every k-th step of the run too; at least 1, by epochs alone unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate_every_steps: Option<usize>,
    /// The epochs that the schedules of learning rate and radius are laid out for, at least `epochs`,
    /// which they are unless given: with more the run is the beginning of a longer one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_epochs: Option<usize>,
    /// SHA-256, in 64 hexadecimal digits, of the file of weights that training starts from in place of
    /// random ones; `mup2 train --init FILE` sets it, so that the run's id says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Share of each target that is spread evenly over all classes, from 0 to below 1 (Szegedy et
    /// al. 2016).
    pub label_smoothing: f64,
    /// Evaluates a moving average of the weights, `average ← decay·average + (1 − decay)·weights`
    /// after each step; from 0, which evaluates the weights themselves, to below 1.
    pub ema_decay: f64,
    /// Training batches that the statistics of batch normalization are taken from anew before each
    /// evaluation; 0 evaluates with the running ones.
    pub recalibrate_batches: usize,
}

impl TrainSpec {
    /// The epochs that the schedules are laid out for.
    pub fn schedule_length(&self) -> usize {
        self.schedule_epochs.unwrap_or(self.epochs)
    }

    /// Whether a training that has taken `steps` steps is evaluated for that.
    pub fn evaluates_after_steps(&self, steps: usize) -> bool {
        self.evaluate_every_steps
            .is_some_and(|every| steps.is_multiple_of(every))
    }

    /// Checks every value; `key` makes the place of a key below `train`.
    ///
    /// # Errors
    /// The first value that is out of its range.
    pub(super) fn validate(&self, key: &dyn Fn(&str) -> String) -> Result<()> {
        let most = 1_000_000;
        let schedule = self.schedule_length();
        range::whole(key("epochs"), self.epochs, 1, most)?;
        range::whole(key("batch_size"), self.batch_size, 1, 1 << 20)?;
        range::whole(key("evaluate_every"), self.evaluate_every, 1, most)?;
        if let Some(steps) = self.evaluate_every_steps {
            range::whole(key("evaluate_every_steps"), steps, 1, 1 << 40)?;
        }
        range::whole(key("schedule_epochs"), schedule, self.epochs, most)?;
        range::whole(
            key("recalibrate_batches"),
            self.recalibrate_batches,
            0,
            most,
        )?;
        range::fraction(key("label_smoothing"), self.label_smoothing)?;
        range::fraction(key("ema_decay"), self.ema_decay)?;
        if let Some(start) = &self.start {
            let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            if start.len() != 64 || !start.chars().all(is_digit) {
                return Err(Error::invalid(
                    key("start"),
                    format!("is {start:?}"),
                    "a SHA-256 in 64 hexadecimal digits, which `mup2 train --init FILE` sets",
                ));
            }
        }
        let (parts, batch) = (self.micro_batches, self.batch_size);
        if parts == 0 || !batch.is_multiple_of(parts) {
            let allowed = format!("divisors of the batch size {batch}");
            return Err(Error::invalid(
                key("micro_batches"),
                format!("is {parts}"),
                allowed,
            ));
        }
        Ok(())
    }
}

impl Default for TrainSpec {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 64,
            micro_batches: 1,
            evaluate_every: 1,
            evaluate_every_steps: None,
            schedule_epochs: None,
            start: None,
            label_smoothing: 0.0,
            ema_decay: 0.0,
            recalibrate_batches: 0,
        }
    }
}
