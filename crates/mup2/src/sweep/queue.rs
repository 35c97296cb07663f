//! The runs that are left, shared by the worker threads, with an eye on other processes.

use super::plan::Selected;
use crate::config::{PlannedRun, RunId};
use crate::error::Result;
use crate::results::{Heartbeat, ResultStore, RunResult, RunStatus};
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What [`Queue::take`] gives.
pub(super) enum Taken {
    /// A run to do, and the sign that it is being done.
    Run(Box<PlannedRun>, Heartbeat),
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

    /// The next run that nobody is at.
    ///
    /// # Errors
    /// When a result file exists but cannot be read.
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
            let heartbeat = self.store.begin(&planned.id);
            return Ok(Taken::Run(Box::new(planned), heartbeat));
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
