//! `mup2 sweep status`: how far a sweep is.

use crate::arguments::{StatusFormat, SweepStatusArguments};
use crate::built_in::KINDS;
use crate::progress::clock;
use crate::terminal::print;
use mup2_scaling::error::one_line;
use mup2_sweep::SweepStatus;
use mup2_sweep::results::ResultStore;
use mup2_sweep::status;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

/// Between two looks of `--watch`.
const INTERVAL: Duration = Duration::from_secs(2);
/// Failures that are told in words; the JSON has all.
const MOST_FAILURES: usize = 5;

pub fn run(arguments: &SweepStatusArguments) -> anyhow::Result<ExitCode> {
    let mut lines_above = 0;
    loop {
        // Read again each time: a sweep may be extended while it is watched.
        let (store, manifest) = ResultStore::open(&arguments.directory, KINDS)?;
        let status = status(&manifest.sweep, &store)?;
        let text = match arguments.format {
            StatusFormat::Table => table(&status),
            StatusFormat::Json => format!("{}\n", serde_json::to_string(&status)?),
        };
        if std::io::stdout().is_terminal() && lines_above > 0 {
            // Up to the first line of the last look, and clear what is below.
            print(&format!("\u{1b}[{lines_above}A\u{1b}[J{text}"))?;
        } else {
            print(&text)?;
        }
        lines_above = text.lines().count();
        if !arguments.watch || status.is_finished() {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(INTERVAL);
    }
}

fn table(status: &SweepStatus) -> String {
    let settled = status.done + status.diverged;
    let share = 100.0 * settled as f64 / status.total.max(1) as f64;
    let mut text = format!(
        "{}: {settled} of {} runs settled ({share:.1} %)\n",
        one_line(&status.name),
        status.total
    );
    for (name, count) in [
        ("done", status.done),
        ("diverged", status.diverged),
        ("running", status.running),
        ("failed", status.failed),
        ("missing", status.missing),
    ] {
        text += &format!("  {name:<9}{count:>8}\n");
    }
    if status.undecided > 0 {
        let most = status.carried_at_most;
        text += &format!(
            "  of the missing, {} are in rungs still to be decided",
            status.undecided
        );
        text += &match most {
            0 => "\n".to_owned(),
            _ => format!("; the narrowest widths' best points may add up to {most}\n"),
        };
    }
    if let Some(seconds) = status.eta_seconds {
        let eta = clock(Duration::from_secs_f64(seconds));
        text += &format!("  {:<9}{eta:>8}\n", "ETA");
    }
    for failure in status.failures.iter().take(MOST_FAILURES) {
        text += &format!(
            "  run {} failed: {}\n",
            failure.id,
            one_line(&failure.reason)
        );
    }
    let more = status.failures.len().saturating_sub(MOST_FAILURES);
    if more > 0 {
        text += &format!("  and {more} more\n");
    }
    text
}
