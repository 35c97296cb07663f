//! `mup2 export`: the results of a sweep as tables for other programs.

use crate::arguments::ExportArguments;
use crate::built_in::KINDS;
use crate::terminal::{print, say};
use mup2_sweep::export::{Format, export};
use mup2_sweep::results::ResultStore;
use std::process::ExitCode;

pub fn run(arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    let (store, manifest) = ResultStore::open(&arguments.directory, KINDS)?;
    let out = arguments.out.as_deref().unwrap_or(&arguments.directory);
    let formats = [
        (arguments.csv, Format::Csv),
        (arguments.parquet, Format::Parquet),
    ];
    for (_, format) in formats.into_iter().filter(|(wanted, _)| *wanted) {
        let exported = export(&manifest.sweep, &store, out, format)?;
        for file in &exported.files {
            print(&format!("{}\n", file.display()))?;
        }
        say(format_args!(
            "{} runs, {} metric points",
            exported.runs, exported.metrics
        ));
    }
    Ok(ExitCode::SUCCESS)
}
