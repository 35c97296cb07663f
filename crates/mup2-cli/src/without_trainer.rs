//! In place of `built_in.rs` in a program without the trainer: a sweep is one of a command, or refused.

use crate::arguments::WorkerArguments;
use crate::commands::sweep::SweepRequest;
use mup2_report::doctor::Theory;
use mup2_scaling::error::Error;
use mup2_sweep::command::COMMAND;
use mup2_sweep::config::{Given, GridOfRuns, Kind, SweepSpec};
use mup2_sweep::results::Fingerprint;
use std::process::ExitCode;

/// What a sweep's runs may be.
pub const KINDS: &[Kind] = &[REFUSED, COMMAND];

/// Sweeps of the built-in trainer: those with a `[run]` table, or with none at all.
const REFUSED: Kind = Kind {
    key: "run",
    is_default: true,
    further_axes: true,
    read: refuse,
};

fn refuse(given: Given) -> Result<GridOfRuns, Error> {
    Err(Error::NotBuilt {
        place: given.place.to_owned(),
        problem: "is a sweep of the built-in trainer, without which this program was built".to_owned(),
        advice: "use a program with the trainer (`cargo build --release`), or a sweep with a `[command]` table".to_owned(),
    })
}

/// No sweep is the trainer's.
pub fn run_sweep(_request: &SweepRequest) -> Option<anyhow::Result<ExitCode>> {
    None
}

/// There is no option that a command could not take.
pub fn refuse_options(_workers: &WorkerArguments) -> Result<(), Error> {
    Ok(())
}

/// Results of commands depend on nothing beside their specs.
pub fn fingerprint(_sweep: &SweepSpec) -> anyhow::Result<Option<Fingerprint>> {
    Ok(None)
}

/// Nobody knows the tensors of a command.
pub fn theories(_sweep: &SweepSpec) -> Result<Vec<Theory>, Error> {
    Ok(Vec::new())
}
