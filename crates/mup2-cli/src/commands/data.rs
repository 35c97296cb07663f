//! `mup2 data fetch`: downloads, verifies and unpacks a dataset.

use crate::arguments::{DataArguments, DataCommand};
use crate::progress::bar;
use mup2::data::{self, DatasetName};
use std::process::ExitCode;

pub fn run(arguments: &DataArguments) -> anyhow::Result<ExitCode> {
    let DataCommand::Fetch(arguments) = &arguments.command;
    let name: DatasetName = arguments.name.parse()?;
    let directory = match &arguments.dir {
        Some(directory) => directory.clone(),
        None => data::data_directory(name)?,
    };
    let bar = bar(
        0,
        "{msg} {bar:30.cyan/dim} {binary_bytes}/{binary_total_bytes} · {binary_bytes_per_sec} · ETA {eta}",
    )?;
    let fetched = data::fetch(name, &directory, &mut |progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.received_bytes);
        bar.set_message(progress.file.to_owned());
    });
    bar.finish_and_clear();
    fetched?;
    eprintln!("{name} is in {}", directory.display());
    Ok(ExitCode::SUCCESS)
}
