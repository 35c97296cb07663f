//! The training of a sweep's runs by the built-in trainer.

use super::runs::run_of;
use crate::checkpoint::CheckpointDirectory;
use crate::config::{RunSpec, TrainingDevice};
use crate::data::{BatchOrder, Dataset};
use crate::error::{Error, Result};
use crate::train::{
    Checkpointing, Earlier, Keeping, Progress, train_resumably, train_stack, trial_memory,
};
use mup2_scaling::workers::Cancel;
use mup2_sweep::config::{PlannedRun, Selection, SweepSpec};
use mup2_sweep::results::{Fingerprint, RunResult};
use mup2_sweep::{Job, Trainer};
use std::time::Duration;

/// At most this much of a long run is repeated when its process is killed.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// The built-in trainer with the data that all runs of a sweep share.
#[derive(Debug)]
pub struct BuiltIn<'a> {
    run: &'a RunSpec,
    data: &'a Dataset,
    device: TrainingDevice,
    stack: StackSize,
}

/// How many runs a worker trains at once, as one stacked model ([`train_stack`]). Stacked runs are
/// those alone within rounding, and to the bit only where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackSize {
    /// At most so many runs; 1 is each by itself.
    AtMost(usize),
    /// As many as are expected to fit into so many bytes of the device's memory.
    Memory(u64),
}

impl StackSize {
    /// The most runs like `spec` in one stack, at least 1.
    ///
    /// # Errors
    /// When the network of `spec` cannot be made.
    pub(super) fn most(self, spec: &RunSpec, data: &Dataset) -> Result<usize> {
        Ok(match self {
            Self::AtMost(most) => most.max(1),
            Self::Memory(bytes) => {
                let fitting = bytes / trial_memory(spec, data)?.max(1);
                usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
            }
        })
    }
}

impl<'a> BuiltIn<'a> {
    /// The trainer of `sweep`, for runs on `data`.
    ///
    /// # Errors
    /// When its runs are not the built-in trainer's.
    pub fn new(
        sweep: &'a SweepSpec,
        data: &'a Dataset,
        device: TrainingDevice,
        stack: StackSize,
    ) -> Result<Self> {
        let Some(run) = run_of(sweep) else {
            let problem = format!("has a `[{}]` table", sweep.runs.table().0);
            let place = format!("sweep `{}`", sweep.name);
            return Err(Error::invalid(
                place,
                problem,
                "a sweep of the built-in trainer",
            ));
        };
        Ok(Self {
            run,
            data,
            device,
            stack,
        })
    }

    /// What results depend on beside their specs.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            dataset_digest: self.data.digest.clone(),
            device: self.device.to_string(),
        }
    }

    fn spec(&self, run: &PlannedRun) -> RunSpec {
        self.run.at(&run.cell, run.epochs)
    }
}

impl Trainer for BuiltIn<'_> {
    fn train(&self, job: &Job) -> Result<RunResult> {
        let earlier = job.earlier.iter().map(|earlier| Earlier {
            directory: CheckpointDirectory::new(&earlier.checkpoints),
            spec: self.spec(&earlier.run),
        });
        let keeping = Keeping {
            start: None,
            checkpoints: Some(Checkpointing {
                directory: CheckpointDirectory::new(&job.checkpoints),
                interval: CHECKPOINT_INTERVAL,
                resume: true,
                earlier: earlier.collect(),
                keep: job.keep,
            }),
            weights: None,
        };
        let note = |progress| {
            if let Progress::Note(note) = progress {
                tracing::info!(run = %job.run.id, note);
            }
        };
        let spec = self.spec(job.run);
        let result = train_resumably(&spec, self.data, self.device, job.cancel, &keeping, note)?;
        Ok(result.with_spec_as_json())
    }

    fn most_at_once(&self, run: &PlannedRun) -> Result<usize> {
        let spec = self.spec(run);
        match spec.can_be_stacked() {
            true => self.stack.most(&spec, self.data),
            false => Ok(1),
        }
    }

    fn go_together(&self, one: &PlannedRun, other: &PlannedRun) -> bool {
        one.cell.width == other.cell.width
            && self.spec(one).stacked_with() == self.spec(other).stacked_with()
    }

    fn train_together(
        &self,
        runs: &[PlannedRun],
        cancel: &Cancel,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<RunResult>> {
        let specs: Vec<RunSpec> = runs.iter().map(|run| self.spec(run)).collect();
        let results = train_stack(&specs, self.data, self.device, cancel, progress)?;
        let results = results.into_iter();
        Ok(results.map(|result| result.with_spec_as_json()).collect())
    }
}

/// Checks what only the data can tell, before a directory is made.
///
/// # Errors
/// When a batch is larger than the training set, or hyperparameters are to be selected on a
/// validation split that is empty.
pub fn check_data(run: &RunSpec, selection: Selection, data: &Dataset) -> Result<()> {
    BatchOrder::new(0, data.train.len(), run.train.batch_size)?;
    if data.validation.is_empty() && selection != Selection::BestTest {
        return Err(Error::invalid(
            "selection",
            format!("is `{selection}`, but the validation split is empty"),
            "`run.data.validation_fraction` above 0, or `best-test`",
        ));
    }
    Ok(())
}

/// The description of a dataset's splits, for people.
pub fn describe(data: &Dataset) -> String {
    format!(
        "{} training, {} validation and {} test images of {}, {} classes",
        data.train.len(),
        data.validation.len(),
        data.test.len(),
        data.train.shape,
        data.classes
    )
}
