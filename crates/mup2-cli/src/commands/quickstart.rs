//! `mup2 quickstart`: a small figure 1 of the paper, from nothing to report.html.

use super::sweep::{SweepRequest, run_sweep};
use crate::arguments::{QuickstartArguments, WorkerArguments};
use crate::terminal::print;
use mup2_sweep::Selected;
use mup2_sweep::config::parse_sweep;
use mup2_train::built_in::KINDS;
use mup2_train::config::TrainingDevice;
use std::process::ExitCode;

/// The sweep, which a user can print, change and run as her own.
const SWEEP: &str = include_str!("../../quickstart.toml");

pub fn run(arguments: &QuickstartArguments) -> anyhow::Result<ExitCode> {
    if arguments.print_sweep {
        print(SWEEP)?;
        return Ok(ExitCode::SUCCESS);
    }
    let sweep = parse_sweep(SWEEP, "quickstart.toml", &[], KINDS)?;
    run_sweep(&SweepRequest {
        sweep,
        out: &arguments.out,
        workers: &WorkerArguments {
            device: TrainingDevice::Flex,
            workers: arguments.workers,
            stack: None,
        },
        gpus: &[],
        selected: Selected::default(),
        command: "mup2 quickstart",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mup2_train::built_in::run_of;

    #[test]
    fn the_quickstart_compares_four_schemes_over_four_widths_a_factor_of_16_apart() {
        let sweep = parse_sweep(SWEEP, "quickstart.toml", &[], KINDS).unwrap();
        assert_eq!(
            sweep.grid.scheme,
            ["sp-naive", "mup-naive", "mup-global", "mup2"]
        );
        let widths = &sweep.grid.width;
        assert!(widths.len() >= 4);
        assert_eq!(widths[0], run_of(&sweep).unwrap().model.base_width);
        assert!(widths[widths.len() - 1] >= 16 * widths[0]);
    }
}
