//! Which runs of a sweep a process is to do.

use super::known::KnownRuns;
use crate::config::{PlannedRun, RunId, SweepSpec};
use crate::error::{Error, Result};
use crate::results::{RunResult, RunStatus};
use std::collections::HashSet;
use std::str::FromStr;

/// One of N parts of a sweep, written `I/N` with I from 1 to N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("`{text}` is not a part I/N with 1 ≤ I ≤ N ≤ 1000000");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let index: usize = index.parse().map_err(|_| wrong())?;
        let count: usize = count.parse().map_err(|_| wrong())?;
        if (1..=count).contains(&index) && count <= 1_000_000 {
            Ok(Self { index, count })
        } else {
            Err(wrong())
        }
    }
}

/// Which results are to be made again; failed runs are in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rerun {
    /// Runs that broke.
    Failed,
    /// Runs that diverged.
    Diverged,
    /// One run, whatever became of it.
    Run(RunId),
}

impl FromStr for Rerun {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "failed" => Ok(Self::Failed),
            "diverged" => Ok(Self::Diverged),
            id => {
                let wrong = |_| format!("`{id}` is none of `failed`, `diverged` and a run's id");
                id.parse().map(Self::Run).map_err(wrong)
            }
        }
    }
}

/// What a process is to do of a sweep; by default all that is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// One part only.
    pub shard: Option<Shard>,
    /// These runs only; all if empty.
    pub only: Vec<RunId>,
    /// Results to make again.
    pub rerun: Vec<Rerun>,
}

impl Selected {
    /// Whether the selection is the whole sweep.
    pub fn is_everything(&self) -> bool {
        self.shard.is_none() && self.only.is_empty()
    }

    /// Those of the `known` runs of `sweep` that are selected, in their order.
    ///
    /// # Errors
    /// When an id is given that is not known, or a part of a search by halving.
    pub fn runs(&self, sweep: &SweepSpec, known: &KnownRuns) -> Result<Vec<PlannedRun>> {
        if self.shard.is_some() {
            refuse_halving(sweep, "--shard")?;
        }
        let mut runs = known.runs.clone();
        let known: HashSet<&RunId> = runs.iter().map(|run| &run.id).collect();
        let reruns = self.rerun.iter().filter_map(|rerun| match rerun {
            Rerun::Run(id) => Some(("--rerun", id)),
            Rerun::Failed | Rerun::Diverged => None,
        });
        let only = self.only.iter().map(|id| ("--only", id));
        if let Some((flag, id)) = reruns.chain(only).find(|(_, id)| !known.contains(id)) {
            return Err(Error::invalid(
                format!("{flag} {id}"),
                format!("is no run of sweep `{}`", sweep.name),
                "an id that `mup2 sweep plan` lists",
            ));
        }
        drop(known);
        if let Some(Shard { index, count }) = self.shard {
            // Dealt like cards, so that every part gets expensive and cheap runs.
            let mut place = 0;
            runs.retain(|_| {
                place += 1;
                (place - 1) % count == index - 1
            });
        }
        if !self.only.is_empty() {
            runs.retain(|run| self.only.contains(&run.id));
        }
        Ok(runs)
    }

    /// Whether a published result makes its run needless.
    pub fn is_settled_by(&self, result: &RunResult) -> bool {
        !self.reruns(result) && !matches!(result.status, RunStatus::Failed { .. })
    }

    /// Whether a result is to be made again although it is valid.
    pub fn reruns(&self, result: &RunResult) -> bool {
        self.rerun.iter().any(|rerun| match rerun {
            Rerun::Failed => matches!(result.status, RunStatus::Failed { .. }),
            Rerun::Diverged => result.status == RunStatus::Diverged,
            Rerun::Run(id) => result.id == *id,
        })
    }
}

/// Refuses what needs all runs of a sweep beforehand; `place` asked for it.
///
/// # Errors
/// For a search by halving.
pub fn refuse_halving(sweep: &SweepSpec, place: &str) -> Result<()> {
    match sweep.halving() {
        None => Ok(()),
        Some(_) => Err(Error::invalid(
            place,
            "cannot deal out a search by halving, whose results decide its runs",
            "several processes of `mup2 sweep run` on the same --out, which share the search without it",
        )),
    }
}

/// The distinct runs of full length of a sweep, the most expensive first, so that the last worker to
/// finish does not hold a long run.
pub(super) fn planned_runs(sweep: &SweepSpec) -> Vec<PlannedRun> {
    let mut runs = sweep.distinct_runs();
    runs.sort_by(|a, b| b.cost().total_cmp(&a.cost()));
    runs
}
