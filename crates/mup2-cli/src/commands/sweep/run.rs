//! `mup2 sweep run`: trains what is missing, then reports.

use super::{existing, read};
use crate::arguments::SweepRunArguments;
use crate::commands::report::write_report;
use crate::dataset;
use crate::device;
use crate::interrupt::cancel_on_signal;
use crate::progress::SweepProgress;
use crate::terminal::{print, say, table_options};
use mup2::one_core::TRIAL_THREAD;
use mup2_report::report::terminal_table;
use mup2_scaling::error::Error;
use mup2_train::config::{SweepSpec, TrainingDevice};
use mup2_train::results::ResultStore;
use mup2_train::sweep::{self, RunOptions, Selected, describe, known_runs};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

pub fn run(arguments: &SweepRunArguments) -> anyhow::Result<ExitCode> {
    let sweep = read(&arguments.sweep)?;
    let command = format!(
        "mup2 sweep run {} --out {}",
        arguments.sweep.spec.display(),
        arguments.out.display()
    );
    run_sweep(&SweepRequest {
        sweep,
        out: &arguments.out,
        device: arguments.device,
        workers: arguments.workers,
        stack: arguments.stack,
        selected: arguments.selection.selected(),
        command: &command,
    })
}

/// A sweep to run, and where.
pub struct SweepRequest<'a> {
    pub sweep: SweepSpec,
    pub out: &'a Path,
    pub device: TrainingDevice,
    pub workers: Option<u16>,
    /// Trials that a GPU trains at once.
    pub stack: Option<u16>,
    pub selected: Selected,
    /// What the report names as its origin.
    pub command: &'a str,
}

/// Runs a sweep with a progress bar and ends with its report.
pub fn run_sweep(request: &SweepRequest) -> anyhow::Result<ExitCode> {
    let sweep = &request.sweep;
    let start = Instant::now();
    device::check_stack(request.device, request.stack, sweep)?;
    // A device that is missing would break every run.
    device::announce(request.device)?;
    let data = dataset::open(&sweep.run.data)?;
    sweep::check_data(sweep, &data)?;
    // Before a directory is made; a promoted run is known to one that exists.
    let known = known_runs(sweep, existing(request.out)?.as_ref())?;
    request.selected.runs(sweep, &known)?;
    let store = ResultStore::create(request.out, sweep, &data.digest, request.device)?;
    let workers = device::workers(request.device, request.workers)?;
    let stack = device::stack(request.device, workers, request.stack)?;
    say(format_args!(
        "{}: {} ({}), {workers} worker{}",
        sweep.name,
        sweep.run.data.dataset,
        describe(&data),
        if workers == 1 { "" } else { "s" },
    ));
    if let Some(stacks) = device::describe(stack) {
        say(format_args!("trials at once: {stacks}"));
    }
    let cancel = cancel_on_signal()?;
    leave_trial_panics_to_the_report();
    let mut progress = SweepProgress::new(sweep.selection)?;
    let options = RunOptions {
        workers,
        selected: request.selected.clone(),
        stack,
    };
    let outcome = sweep::run(sweep, &data, &store, &options, &cancel, |event| {
        progress.update(&event);
    });
    progress.finish();
    if matches!(outcome, Err(Error::Interrupted)) {
        say("what was finished is kept; run the same command again to go on");
    }
    let outcome = outcome?;
    let tally = outcome.tally;
    let done = format!(
        "{} runs trained in {:.0} s ({} completed, {} diverged, {} failed in all)",
        outcome.trained,
        start.elapsed().as_secs_f64(),
        tally.completed,
        tally.diverged,
        tally.failed,
    );
    if request.selected.is_everything() {
        let report = write_report(sweep, &store, request.command)?;
        print(&terminal_table(&report, &table_options()))?;
        let page = request.out.join("report.html");
        say(format_args!("\n{done}\nreport: {}", page.display()));
    } else {
        // A part knows nothing of the others, and a thousand parts would write a thousand reports.
        let directory = request.out.display();
        say(format_args!(
            "{done}\nthis was a part; when all are done: mup2 report {directory}"
        ));
    }
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
