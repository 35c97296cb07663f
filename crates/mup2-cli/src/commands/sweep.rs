//! `mup2 sweep run`: trains what is missing, then reports.

use super::report::write_report;
use crate::arguments::{SweepArguments, SweepCommand};
use crate::interrupt::cancel_on_signal;
use crate::progress::SweepProgress;
use crate::terminal::{print, table_options};
use mup2::config::{SweepSpec, read_sweep};
use mup2::data;
use mup2::report::terminal_table;
use mup2::results::ResultStore;
use mup2::sweep::{self, RunOptions, describe};
use mup2::train::TRIAL_THREAD;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

pub fn run(arguments: &SweepArguments) -> anyhow::Result<ExitCode> {
    let SweepCommand::Run(arguments) = &arguments.command;
    let sweep = read_sweep(&arguments.spec, &arguments.overrides)?;
    let command = format!(
        "mup2 sweep run {} --out {}",
        arguments.spec.display(),
        arguments.out.display()
    );
    run_sweep(&SweepRequest {
        sweep,
        out: &arguments.out,
        workers: arguments.workers,
        command: &command,
    })
}

/// A sweep to run, and where.
pub struct SweepRequest<'a> {
    pub sweep: SweepSpec,
    pub out: &'a Path,
    pub workers: Option<u16>,
    /// What the report names as its origin.
    pub command: &'a str,
}

/// Runs a sweep with a progress bar and ends with its report.
pub fn run_sweep(request: &SweepRequest) -> anyhow::Result<ExitCode> {
    let sweep = &request.sweep;
    let start = Instant::now();
    let data = data::load(&sweep.run.data)?;
    sweep::check_data(sweep, &data)?;
    let store = ResultStore::create(request.out, sweep, &data.digest)?;
    let workers = match request.workers {
        Some(workers) => usize::from(workers),
        None => std::thread::available_parallelism()?.get(),
    };
    eprintln!(
        "{}: {} ({}), {workers} worker{}",
        sweep.name,
        sweep.run.data.dataset,
        describe(&data),
        if workers == 1 { "" } else { "s" },
    );
    let cancel = cancel_on_signal()?;
    leave_trial_panics_to_the_report();
    let mut progress = SweepProgress::new(sweep.selection)?;
    let options = RunOptions { workers };
    let outcome = sweep::run(sweep, &data, &store, options, &cancel, |event| {
        progress.update(&event);
    });
    progress.finish();
    let outcome = outcome?;
    let report = write_report(sweep, &store, request.command)?;
    print(&terminal_table(&report, &table_options()))?;
    let tally = outcome.tally;
    eprintln!(
        "\n{} runs trained in {:.0} s ({} completed, {} diverged, {} failed in all)\nreport: {}",
        outcome.trained,
        start.elapsed().as_secs_f64(),
        tally.completed,
        tally.diverged,
        tally.failed,
        request.out.join("report.html").display(),
    );
    Ok(if tally.failed > 0 {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

/// A panic of a trial is caught and shown as a failed run; its backtrace would tear the bar.
fn leave_trial_panics_to_the_report() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() != Some(TRIAL_THREAD) {
            default(info);
        }
    }));
}
