//! `mup2 phases`: what the theory says of every choice of perturbation exponents.

use crate::arguments::{PhasesArguments, PhasesFormat};
use crate::terminal::{print, table_options};
use mup2_report::phases::{html, svg, text};
use mup2_scaling::phases;
use std::process::ExitCode;

pub fn run(arguments: &PhasesArguments) -> anyhow::Result<ExitCode> {
    let diagram = phases(arguments.param, arguments.rule)?;
    print(&match arguments.format {
        PhasesFormat::Table => text(&diagram, table_options().colour),
        PhasesFormat::Json => format!("{}\n", serde_json::to_string_pretty(&diagram)?),
        PhasesFormat::Svg => svg(&diagram),
        PhasesFormat::Html => html(&diagram),
    })?;
    Ok(ExitCode::SUCCESS)
}
