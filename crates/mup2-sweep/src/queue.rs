//! The runs that are left, shared by the worker threads, with an eye on other processes.

use super::plan::Selected;
use super::trainer::Trainer;
use crate::config::{PlannedRun, RunId};
use crate::error::Result;
use crate::results::{Heartbeat, ResultStore, RunResult, RunStatus};
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What [`Queue::take`] gives.
pub(super) enum Taken {
    /// Runs to do at once, one unless several go together, and the signs that they are being done.
    Runs(Vec<(PlannedRun, Heartbeat)>),
    /// A run that another process has finished since the work was planned.
    Settled(Box<(PlannedRun, RunResult)>),
    /// Nothing now: other processes are at the runs that are left.
    Wait {
        /// How many they are.
        runs: usize,
        /// Whether this is said for the first time.
        news: bool,
    },
    /// Nothing any more.
    None,
}

pub(super) struct Queue<'a> {
    store: &'a ResultStore,
    selected: &'a Selected,
    /// Who says which runs go together; nobody where each is trained by itself.
    together: Option<&'a dyn Trainer>,
    left: Mutex<Left>,
}

struct Left {
    runs: VecDeque<PlannedRun>,
    /// Runs whose result is valid and to be replaced.
    replaced: HashSet<RunId>,
    waiting: bool,
}

impl<'a> Queue<'a> {
    pub fn new(
        missing: Vec<PlannedRun>,
        store: &'a ResultStore,
        selected: &'a Selected,
        together: Option<&'a dyn Trainer>,
    ) -> Self {
        Self {
            store,
            selected,
            together,
            left: Mutex::new(Left {
                runs: missing.into(),
                replaced: HashSet::new(),
                waiting: false,
            }),
        }
    }

    /// Gives nothing any more.
    pub fn close(&self) {
        self.lock().runs.clear();
    }

    /// The next run that nobody is at, with those that are trained together with it.
    ///
    /// # Errors
    /// When a result file exists but cannot be read, and the trainer's.
    pub fn take(&self) -> Result<Taken> {
        let mut left = self.lock();
        let elsewhere: HashSet<RunId> = if left.runs.is_empty() {
            HashSet::new()
        } else {
            let runs = self.store.running_elsewhere().into_iter();
            runs.map(|run| run.id).collect()
        };
        for _ in 0..left.runs.len() {
            let Some(planned) = left.runs.pop_front() else {
                break;
            };
            let result = self.store.result(&planned.id)?;
            match result {
                Some(result) if self.selected.is_settled_by(&result) => {
                    return Ok(Taken::Settled(Box::new((planned, result))));
                }
                Some(result) if self.selected.reruns(&result) => {
                    left.replaced.insert(planned.id.clone());
                }
                _ => {}
            }
            if elsewhere.contains(&planned.id) {
                left.runs.push_back(planned);
                continue;
            }
            let mut together = vec![planned];
            if let Some(trainer) = self.together {
                self.add_fitting(trainer, &mut together, &mut left.runs, &elsewhere)?;
            }
            let begun = together.into_iter().map(|planned| {
                let heartbeat = self.store.begin(&planned.id);
                (planned, heartbeat)
            });
            return Ok(Taken::Runs(begun.collect()));
        }
        if left.runs.is_empty() {
            return Ok(Taken::None);
        }
        let news = !std::mem::replace(&mut left.waiting, true);
        Ok(Taken::Wait {
            runs: left.runs.len(),
            news,
        })
    }

    /// Moves runs from `left` to `together`, which has one, until there are as many as in each of the
    /// groups, none of which is larger than `trainer` allows for, that all runs of this kind make.
    fn add_fitting(
        &self,
        trainer: &dyn Trainer,
        together: &mut Vec<PlannedRun>,
        left: &mut VecDeque<PlannedRun>,
        elsewhere: &HashSet<RunId>,
    ) -> Result<()> {
        let Some(first) = together.first() else {
            return Ok(());
        };
        let most = trainer.most_at_once(first)?;
        if most <= 1 {
            return Ok(());
        }
        let mut found = Vec::new();
        for (place, planned) in left.iter().enumerate() {
            let fits = trainer.go_together(first, planned) && !elsewhere.contains(&planned.id);
            // What has a result is looked at one by one.
            if fits && self.store.result(&planned.id)?.is_none() {
                found.push(place);
            }
        }
        let all = found.len() + together.len();
        let size = all.div_ceil(all.div_ceil(most));
        // From the back, so that the places before stay what they are.
        let chosen = found.into_iter().take(size - together.len());
        let chosen: Vec<usize> = chosen.collect();
        let mut taken: Vec<PlannedRun> = Vec::with_capacity(chosen.len());
        for place in chosen.into_iter().rev() {
            taken.extend(left.remove(place));
        }
        together.extend(taken.into_iter().rev());
        Ok(())
    }

    /// Publishes a result, over the old one if it was asked to be made again.
    pub fn publish(&self, result: &RunResult) -> Result<()> {
        // A repeated run that breaks must not take a valid result with it.
        let failed = matches!(result.status, RunStatus::Failed { .. });
        if !failed && self.lock().replaced.contains(&result.id) {
            self.store.replace(result)
        } else {
            self.store.publish(result)
        }
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
