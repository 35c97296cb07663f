//! Who trains the runs of a sweep.

use crate::config::PlannedRun;
use crate::error::{Error, Result};
use crate::results::RunResult;
use mup2_scaling::workers::Cancel;
use std::path::{Path, PathBuf};

/// Trains runs, one on each worker thread or several at once.
///
/// The pool sees to the rest: which runs are missing, heartbeats, publishing, what other processes do.
/// A result may depend on nothing but the run's spec and what the results directory's
/// [`Fingerprint`](crate::results::Fingerprint) names.
pub trait Trainer: Sync {
    /// Trains a run on the calling thread, whose rayon pool is one thread.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::error::Error::Interrupted) when cancelled. Any other error, and a
    /// panic, is that of this run alone; the pool records it as failed.
    fn train(&self, job: &Job) -> Result<RunResult>;

    /// How many runs like this one can be trained at once, at least 1.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn most_at_once(&self, _run: &PlannedRun) -> Result<usize> {
        Ok(1)
    }

    /// Whether two runs can be trained together.
    fn go_together(&self, _one: &PlannedRun, _other: &PlannedRun) -> bool {
        false
    }

    /// Trains several runs at once; `progress` is called with the steps done and those of each run. When it
    /// fails, the pool trains them one by one.
    ///
    /// # Errors
    /// As [`Trainer::train`]'s; of a trainer to which no runs go together, always.
    fn train_together(
        &self,
        _runs: &[PlannedRun],
        _cancel: &Cancel,
        _progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<RunResult>> {
        Err(Error::invalid(
            "trainer",
            "trains runs one by one",
            "one run at a time",
        ))
    }
}

/// A run to train, and where.
#[derive(Debug)]
pub struct Job<'a> {
    /// The run.
    pub run: &'a PlannedRun,
    /// Number of the worker, from 0.
    pub worker: usize,
    /// The results directory.
    pub results: &'a Path,
    /// Where the run may keep checkpoints. What is there stays until its result is published, and is
    /// there again when the run is tried once more. Two live copies of a run may both write there.
    pub checkpoints: PathBuf,
    /// The same run cut short, the longest first: where to start from when it has no checkpoint of its
    /// own.
    pub earlier: Vec<Earlier>,
    /// Whether its last checkpoint is kept for a longer run to start from.
    pub keep: bool,
    /// Ends the work when it is raised.
    pub cancel: &'a Cancel,
}

/// A run that another one begins with.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// The run.
    pub run: PlannedRun,
    /// Where its checkpoints are, if it has left any.
    pub checkpoints: PathBuf,
}
