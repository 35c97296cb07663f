//! Successive halving as a value: its rungs.

use super::search::Search;
use crate::error::{Error, Result};

/// Epochs of the first rung, unless they are given.
const FIRST_EPOCHS: usize = 1;
/// Of so many points one goes on, unless it is given.
const FACTOR: usize = 3;

/// Successive halving (Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and
/// Hyperparameter Optimization", 2016): all points are trained for a few epochs, the best of them
/// go on for some more, and so on to the whole length of a run.
///
/// Each stage is a rung, and a point's training up to a rung is a run of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halving {
    rungs: Vec<usize>,
    factor: usize,
}

impl Halving {
    /// What the keys of `search` mean for runs of `epochs` epochs.
    ///
    /// Each rung is `factor` times as long as the one before it, and the last one has all epochs: it
    /// is longer than that where `epochs` is no such multiple, since a rung just before the end would
    /// prune points whose whole training is nearly paid for.
    pub(super) fn of(search: &Search, epochs: usize) -> Self {
        let factor = search.factor.unwrap_or(FACTOR);
        let first = search.first_epochs.unwrap_or(FIRST_EPOCHS);
        let lengths = std::iter::successors(Some(first), |rung| rung.checked_mul(factor));
        let is_early = |rung: &usize| rung.checked_mul(factor).is_some_and(|next| next <= epochs);
        let rungs = lengths.take_while(is_early).chain([epochs]).collect();
        Self { rungs, factor }
    }

    /// Epochs that a run has had at the end of each rung, ascending; the last are all.
    pub fn rungs(&self) -> &[usize] {
        &self.rungs
    }

    /// One of so many points goes on.
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// How many of `points` go on: that share, rounded up, and so at least one.
    pub fn promoted(&self, points: usize) -> usize {
        points.div_ceil(self.factor)
    }

    /// The rungs that a run of `epochs` epochs has behind it, the longest first.
    pub fn before(&self, epochs: usize) -> impl Iterator<Item = usize> {
        let earlier = self.rungs.iter().rev().copied();
        earlier.filter(move |rung| *rung < epochs)
    }

    /// Checks the keys for runs of `epochs` epochs, which stand at `key`; `place` names the file.
    ///
    /// # Errors
    /// When a key is out of its range, or no rung would come before the whole length.
    pub(super) fn validate(search: &Search, epochs: usize, key: &str, place: &str) -> Result<()> {
        let factor = search.factor.unwrap_or(FACTOR);
        if !(2..=1000).contains(&factor) {
            return Err(Error::invalid(
                format!("{place}: search.factor"),
                format!("is {factor}"),
                "whole numbers from 2 to 1000",
            ));
        }
        let first = search.first_epochs.unwrap_or(FIRST_EPOCHS);
        let longest = epochs / factor;
        if (1..=longest).contains(&first) {
            return Ok(());
        }
        let allowed = match longest {
            0 => format!("`{key}` of at least `search.factor`"),
            _ => format!("whole numbers from 1 to {longest}, which is epochs / factor"),
        };
        Err(Error::invalid(
            format!("{place}: search.first_epochs"),
            format!(
                "is {first} with `search.factor` = {factor} and `{key}` = {epochs}, which leaves no \
                 rung to prune at"
            ),
            allowed,
        ))
    }
}
