//! `mup2 sweep`: grids of trainings.

mod commands;
mod plan;
mod run;
mod status;
mod submit;

pub use run::SweepRequest;
#[cfg(feature = "train")]
pub use run::{check_selected, in_words, only_for_commands, run_sweep, work};

use crate::arguments::{SweepArguments, SweepCommand, SweepFileArguments};
use crate::built_in::KINDS;
use mup2_scaling::error::Error;
use mup2_sweep::config::{SweepSpec, read_sweep};
use mup2_sweep::results::ResultStore;
use std::path::Path;
use std::process::ExitCode;

pub fn run(arguments: &SweepArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        SweepCommand::Run(arguments) => run::run(arguments),
        SweepCommand::Plan(arguments) => plan::run(arguments),
        SweepCommand::Status(arguments) => status::run(arguments),
        SweepCommand::Commands(arguments) => commands::run(arguments),
        SweepCommand::Submit(arguments) => submit::submit(arguments),
        SweepCommand::Cancel(arguments) => submit::cancel(arguments),
    }
}

/// The results directory, if it is one already.
fn existing(directory: &Path) -> Result<Option<ResultStore>, Error> {
    match directory.join("sweep.json").exists() {
        true => Ok(Some(ResultStore::open(directory, KINDS)?.0)),
        false => Ok(None),
    }
}

fn read(arguments: &SweepFileArguments) -> Result<SweepSpec, Error> {
    read_sweep(&arguments.spec, &arguments.overrides, KINDS)
}
