//! `mup2 sweep run`: trains what is missing, then reports.

use super::commands::quoted;
use super::{existing, read};
use crate::arguments::{SweepRunArguments, WorkerArguments};
use crate::built_in;
use crate::commands::report::write_report;
use crate::interrupt::cancel_on_signal;
use crate::progress::SweepProgress;
use crate::terminal::{print, say, table_options};
use mup2_report::report::terminal_table;
use mup2_scaling::error::Error;
use mup2_scaling::workers::TRIAL_THREAD;
use mup2_sweep;
use mup2_sweep::command::{Commands, command_of};
use mup2_sweep::config::SweepSpec;
use mup2_sweep::known_runs;
use mup2_sweep::results::{Fingerprint, ResultStore};
use mup2_sweep::{RunOptions, Selected, Trainer};
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
    let request = SweepRequest {
        sweep,
        out: &arguments.out,
        workers: &arguments.workers,
        gpus: &arguments.gpus,
        selected: arguments.selection.selected(),
        command: &command,
    };
    match arguments.dry_run {
        true => dry_run(&request),
        false => run_sweep(&request),
    }
}

/// A sweep to run, and where.
pub struct SweepRequest<'a> {
    pub sweep: SweepSpec,
    pub out: &'a Path,
    pub workers: &'a WorkerArguments,
    /// Devices of the workers of a command.
    pub gpus: &'a [String],
    pub selected: Selected,
    /// What the report names as its origin.
    pub command: &'a str,
}

/// Runs a sweep with a progress bar and ends with its report.
pub fn run_sweep(request: &SweepRequest) -> anyhow::Result<ExitCode> {
    built_in::run_sweep(request).unwrap_or_else(|| run_commands(request))
}

/// Commands are run one after the other, or one on each GPU, unless more workers are asked for: how many
/// cores each of them takes is its own affair.
fn run_commands(request: &SweepRequest) -> anyhow::Result<ExitCode> {
    let (sweep, start) = (&request.sweep, Instant::now());
    built_in::refuse_options(request.workers)?;
    let trainer = Commands::new(sweep, request.gpus)?;
    check_selected(request)?;
    let workers = match request.workers.workers {
        Some(workers) => usize::from(workers),
        None => request.gpus.len().max(1),
    };
    let store = ResultStore::create(request.out, sweep, &Fingerprint::default())?;
    eprintln!("{}: a command, {}", sweep.name, in_words(workers));
    work(request, &trainer, &store, workers, start)
}

pub fn only_for_commands(flag: &str, other: &str) -> Error {
    let problem = "is for sweeps of a command";
    Error::invalid(flag, problem, format!("`{other}` for the built-in trainer"))
}

/// Before a directory is made; a promoted run is known to one that exists.
pub fn check_selected(request: &SweepRequest) -> Result<(), Error> {
    let known = known_runs(&request.sweep, existing(request.out)?.as_ref())?;
    request.selected.runs(&request.sweep, &known)?;
    Ok(())
}

pub fn in_words(workers: usize) -> String {
    let plural = if workers == 1 { "" } else { "s" };
    format!("{workers} worker{plural}")
}

pub fn work(
    request: &SweepRequest,
    trainer: &dyn Trainer,
    store: &ResultStore,
    workers: usize,
    start: Instant,
) -> anyhow::Result<ExitCode> {
    let sweep = &request.sweep;
    let cancel = cancel_on_signal()?;
    leave_trial_panics_to_the_report();
    let mut progress = SweepProgress::new(sweep)?;
    let options = RunOptions {
        workers,
        selected: request.selected.clone(),
    };
    let outcome = mup2_sweep::run(sweep, trainer, store, &options, &cancel, |event| {
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
    let minimized = sweep.runs.metric().filter(|metric| metric.minimize);
    if let Some(metric) = minimized {
        // A report compares accuracies.
        let (name, directory) = (metric.name, request.out.display());
        eprintln!(
            "{done}\nno report: less of `{name}` is better; mup2 export {directory} --csv has all numbers"
        );
    } else if request.selected.is_everything() {
        let report = write_report(sweep, store, request.command)?;
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

/// Prints the commands of the runs that are missing, a shell line each, and runs none.
fn dry_run(request: &SweepRequest) -> anyhow::Result<ExitCode> {
    let sweep = &request.sweep;
    if command_of(sweep).is_none() {
        return Err(only_for_commands("--dry-run", "mup2 sweep plan").into());
    }
    let trainer = Commands::new(sweep, request.gpus)?;
    let store = existing(request.out)?;
    let known = known_runs(sweep, store.as_ref())?;
    let mut text = String::new();
    for run in request.selected.runs(sweep, &known)? {
        let result = match &store {
            Some(store) => store.result(&run.id)?,
            None => None,
        };
        if result.is_none_or(|result| !request.selected.is_settled_by(&result)) {
            let words = trainer.words(&run);
            let words = words.iter().map(|word| quoted(Path::new(word)));
            text += &words.collect::<Result<Vec<_>, _>>()?.join(" ");
            text.push('\n');
        }
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
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
