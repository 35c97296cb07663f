//! `mup2 quickstart`: a small figure 1 of the paper, from nothing to report.html.

use super::sweep::{SweepRequest, run_sweep};
use crate::arguments::QuickstartArguments;
use crate::terminal::print;
use mup2::config::parse_sweep;
use std::process::ExitCode;

/// The sweep, which a user can print, change and run as her own.
const SWEEP: &str = include_str!("../../quickstart.toml");

pub fn run(arguments: &QuickstartArguments) -> anyhow::Result<ExitCode> {
    if arguments.print_sweep {
        print(SWEEP)?;
        return Ok(ExitCode::SUCCESS);
    }
    let sweep = parse_sweep(SWEEP, "quickstart.toml", &[])?;
    run_sweep(&SweepRequest {
        sweep,
        out: &arguments.out,
        workers: arguments.workers,
        command: "mup2 quickstart",
    })
}
