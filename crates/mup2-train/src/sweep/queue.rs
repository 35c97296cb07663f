//! The runs that are left, shared by the worker threads, with an eye on other processes.

use super::plan::Selected;
use crate::config::{PlannedRun, RunId, RunSpec};
use crate::error::Result;
use crate::results::{Heartbeat, ResultStore, RunResult, RunStatus};
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What [`Queue::take`] gives.
pub(super) enum Taken {
    /// Runs to do at once, one unless they can be stacked, and the signs that they are being done.
    Runs(Vec<(PlannedRun, Heartbeat)>),
    /// A run that another process has finished since the work was planned.
    Settled(Box<PlannedRun>, Box<RunResult>),
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
    left: Mutex<Left>,
}

struct Left {
    runs: VecDeque<PlannedRun>,
    /// Runs whose result is valid and to be replaced.
    replaced: HashSet<RunId>,
    waiting: bool,
}

impl<'a> Queue<'a> {
    pub fn new(missing: Vec<PlannedRun>, store: &'a ResultStore, selected: &'a Selected) -> Self {
        Self {
            store,
            selected,
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

    /// The next run that nobody is at, and as many that can be stacked with it as `stack` says of a run.
    ///
    /// # Errors
    /// When a result file exists but cannot be read, and those of `stack`.
    pub fn take(&self, stack: impl Fn(&RunSpec) -> Result<usize>) -> Result<Taken> {
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
                    return Ok(Taken::Settled(Box::new(planned), Box::new(result)));
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
            let most = match planned.spec.can_be_stacked() {
                true => stack(&planned.spec)?,
                false => 1,
            };
            let mut together = vec![planned];
            if most > 1 {
                self.add_stackable(&mut together, &mut left.runs, most, &elsewhere)?;
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

    /// Moves runs from `left` to `together`, which has one, until there are as many as in each of the stacks, none
    /// of which is larger than `most`, that all runs of this kind make.
    fn add_stackable(
        &self,
        together: &mut Vec<PlannedRun>,
        left: &mut VecDeque<PlannedRun>,
        most: usize,
        elsewhere: &HashSet<RunId>,
    ) -> Result<()> {
        let Some(common) = together.first().map(|run| run.spec.stacked_with()) else {
            return Ok(());
        };
        let mut found = Vec::new();
        for (place, planned) in left.iter().enumerate() {
            let fits = planned.spec.stacked_with() == common && !elsewhere.contains(&planned.id);
            // What has a result is looked at one by one.
            if fits && self.store.result(&planned.id)?.is_none() {
                found.push(place);
            }
        }
        let all = found.len() + together.len();
        let size = all.div_ceil(all.div_ceil(most.max(1)));
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

    /// The results directory.
    pub fn store(&self) -> &ResultStore {
        self.store
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
