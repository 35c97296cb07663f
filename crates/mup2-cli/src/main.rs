//! `mup2`: tune sharpness-aware training on a small network, train the big one once.

#[cfg(feature = "train")]
mod allocator;
mod arguments;
#[cfg(feature = "train")]
mod board;
#[cfg_attr(not(feature = "train"), path = "without_trainer.rs")]
mod built_in;
mod commands;
#[cfg(feature = "train")]
mod dataset;
#[cfg(feature = "train")]
mod device;
mod encoded;
mod interrupt;
#[cfg(feature = "train")]
mod processes;
mod progress;
mod terminal;

use arguments::{Arguments, Command};
use clap::Parser;
use mup2_scaling::error::Error;
use std::process::ExitCode;
use terminal::say;

fn main() -> ExitCode {
    #[cfg(feature = "train")]
    allocator::configure();
    let outcome = match encoded::arguments() {
        Ok(words) => run(Arguments::parse_from(words).command),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => report_error(&error),
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        #[cfg(feature = "train")]
        Command::Quickstart(arguments) => commands::quickstart::run(&arguments),
        #[cfg(feature = "train")]
        Command::Train(arguments) => commands::train::run(&arguments),
        #[cfg(feature = "train")]
        Command::Evaluate(arguments) => commands::evaluate::run(&arguments),
        #[cfg(feature = "train")]
        Command::Weights(arguments) => commands::weights::run(&arguments),
        Command::Sweep(arguments) => commands::sweep::run(&arguments),
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Scale(arguments) => commands::scale::run(&arguments),
        Command::ConvertRho(arguments) => commands::convert_rho::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Doctor(arguments) => commands::doctor::run(&arguments),
        Command::Phases(arguments) => commands::phases::run(&arguments),
        Command::Export(arguments) => commands::export::run(&arguments),
        #[cfg(feature = "train")]
        Command::Bench(arguments) => commands::bench::run(&arguments),
        #[cfg(feature = "train")]
        Command::Data(arguments) => commands::data::run(&arguments),
        Command::Spec(arguments) => commands::spec::run(&arguments),
    }
}

/// One sentence on stderr; 130 for an interruption, as shells use it, and 2 for everything else.
fn report_error(error: &anyhow::Error) -> ExitCode {
    // Whoever reads stdout through a pipe may close it early; that is no error of ours.
    if let Some(io) = error.downcast_ref::<std::io::Error>()
        && io.kind() == std::io::ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS;
    }
    // Our errors name their cause themselves, so the chain would say it twice.
    say(format_args!("mup2: {error}"));
    match error.downcast_ref::<Error>() {
        Some(Error::Interrupted) => ExitCode::from(130),
        _ => ExitCode::from(2),
    }
}
