//! `mup2 weights`: other names and layouts for the same weights.

use crate::arguments::{WeightNames, WeightsArguments};
use crate::terminal::say;
use mup2_scaling::error::Error;
use mup2_train::checkpoint::{read_metadata, read_weights, write_weights};
use mup2_train::config::{RunSpec, override_run, read_run};
use mup2_train::train::{ours, run_of_weights, theirs};
use std::path::Path;
use std::process::ExitCode;

pub fn run(arguments: &WeightsArguments) -> anyhow::Result<ExitCode> {
    let run = arguments.run.as_deref();
    let spec = run_of(&arguments.weights, run, &arguments.overrides)?;
    let weights = read_weights(&arguments.weights)?;
    let (image, classes) = (arguments.image, arguments.classes);
    let converted = match arguments.to {
        WeightNames::Pytorch => theirs(&spec, image, classes, &weights)?,
        WeightNames::Mup2 => ours(&spec, image, classes, &weights)?,
    };
    let metadata = read_metadata(&arguments.weights)?;
    write_weights(&arguments.out, &converted, &metadata)?;
    say(format_args!(
        "{}: {} tensors",
        arguments.out.display(),
        converted.len()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The run that weights belong to: a file's, or the one that mup2 has put into the weights' file.
pub fn run_of(weights: &Path, run: Option<&Path>, overrides: &[String]) -> Result<RunSpec, Error> {
    if let Some(run) = run {
        return read_run(run, overrides);
    }
    let spec = run_of_weights(weights)?.ok_or_else(|| {
        Error::invalid(
            weights.display().to_string(),
            "does not say which run it is of",
            "weights that `mup2 train --weights` has written, or `--run RUN.toml`",
        )
    })?;
    match overrides {
        [] => Ok(spec),
        _ => override_run(
            &spec,
            &format!("the run in {}", weights.display()),
            overrides,
        ),
    }
}
