//! The built-in trainer's part in commands that also work without it; `without_trainer.rs` stands in
//! its place where it is not built.

use crate::arguments::WorkerArguments;
use crate::commands::sweep::{SweepRequest, check_selected, in_words, only_for_commands, work};
use crate::terminal::say;
use crate::{dataset, device};
use mup2_report::doctor::Theory;
use mup2_scaling::error::Error;
use mup2_scaling::{SchemeName, scale};
use mup2_sweep::config::SweepSpec;
use mup2_sweep::results::{Fingerprint, ResultStore};
use mup2_train::built_in::{BuiltIn, StackSize, check_data, describe, run_of};
use mup2_train::config::{RunSpec, TrainingDevice};
use mup2_train::data::ImageShape;
use mup2_train::train::tensor_shapes;
use std::process::ExitCode;
use std::time::Instant;

pub use mup2_train::built_in::KINDS;

/// The template of a run.
pub const RUN: &str = include_str!("../templates/run.toml");
/// The template of a sweep of the built-in trainer.
pub const SWEEP: &str = include_str!("../templates/sweep.toml");

/// Runs a sweep of the built-in trainer; nothing happens to one of a command.
pub fn run_sweep(request: &SweepRequest) -> Option<anyhow::Result<ExitCode>> {
    run_of(&request.sweep).map(|run| run_built_in(request, run))
}

fn run_built_in(request: &SweepRequest, run: &RunSpec) -> anyhow::Result<ExitCode> {
    let sweep = &request.sweep;
    let start = Instant::now();
    if !request.gpus.is_empty() {
        return Err(only_for_commands("--gpus", "--device").into());
    }
    device::check_stack(
        request.workers.device,
        request.workers.stack,
        run,
        sweep.halving().is_some(),
    )?;
    // A device that is missing would break every run.
    device::announce(request.workers.device)?;
    let data = dataset::open(&run.data)?;
    check_data(run, sweep.selection, &data)?;
    check_selected(request)?;
    let workers = device::workers(request.workers.device, request.workers.workers)?;
    let stack = device::stack(request.workers.device, workers, request.workers.stack)?;
    let trainer = BuiltIn::new(sweep, &data, request.workers.device, stack)?;
    let store = ResultStore::create(request.out, sweep, &trainer.fingerprint())?;
    say(format_args!(
        "{}: {} ({}), {}",
        sweep.name,
        run.data.dataset,
        describe(&data),
        in_words(workers),
    ));
    if let Some(stacks) = device::describe(stack) {
        say(format_args!("trials at once: {stacks}"));
    }
    work(request, &trainer, &store, workers, start)
}

/// Refuses what only the built-in trainer can do, for a sweep of a command.
pub fn refuse_options(workers: &WorkerArguments) -> Result<(), Error> {
    if !workers.device.is_processor() {
        let device = format!("--device {}", workers.device);
        return Err(only_for_built_in(
            &device,
            "`--gpus`, which the commands see",
        ));
    }
    if workers.stack.is_some() {
        return Err(only_for_built_in("--stack", "`--workers`"));
    }
    Ok(())
}

fn only_for_built_in(flag: &str, other: &str) -> Error {
    let problem = "is for the built-in trainer, and this is a sweep of a command";
    Error::invalid(flag, problem, other)
}

/// What the results of a sweep of the built-in trainer will depend on beside their specs; the data are
/// read.
pub fn fingerprint(sweep: &SweepSpec) -> anyhow::Result<Option<Fingerprint>> {
    let Some(run) = run_of(sweep) else {
        return Ok(None);
    };
    let data = dataset::open(&run.data)?;
    check_data(run, sweep.selection, &data)?;
    let trainer = BuiltIn::new(sweep, &data, TrainingDevice::Flex, StackSize::AtMost(1))?;
    Ok(Some(trainer.fingerprint()))
}

/// What the theory says of each scheme; nothing of a command, whose tensors nobody knows.
pub fn theories(sweep: &SweepSpec) -> Result<Vec<Theory>, Error> {
    let Some(run) = run_of(sweep) else {
        return Ok(Vec::new());
    };
    // What is no scheme was refused when the sweep was read.
    let schemes = sweep.grid.scheme.iter().flat_map(|name| name.parse());
    schemes.map(|scheme| theory(sweep, run, scheme)).collect()
}

/// What the theory says of a scheme at the sweep's widest width.
fn theory(sweep: &SweepSpec, run: &RunSpec, scheme: SchemeName) -> Result<Theory, Error> {
    let mut spec = run.clone();
    spec.set_scheme(scheme);
    spec.model.width = sweep.grid.width.iter().copied().max().unwrap_or(1);
    // The doctor reads exponents and width ratios, which depend on neither images nor classes.
    let images = ImageShape {
        channels: 1,
        height: 32,
        width: 32,
    };
    let shapes = tensor_shapes(&spec, images, 1)?;
    Ok(Theory {
        scheme: scheme.to_string(),
        base_width: spec.model.base_width,
        width: spec.model.width,
        table: scale(&spec.scheme(), &shapes)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mup2_sweep::config::parse_sweep;
    use mup2_train::config::parse_run;

    #[test]
    fn the_run_template_is_the_default_run() {
        assert_eq!(parse_run(RUN, "run.toml", &[]).unwrap(), RunSpec::default());
    }

    #[test]
    fn the_run_template_names_every_key() {
        let spec = serde_json::to_value(RunSpec::default()).unwrap();
        let mut tables = vec![&spec];
        while let Some(table) = tables.pop() {
            for (key, value) in table.as_object().unwrap() {
                let named = RUN.contains(&format!("{key} =")) || RUN.contains(&format!("{key}]"));
                assert!(named, "`{key}` is not in templates/run.toml");
                if value.is_object() {
                    tables.push(value);
                }
            }
        }
    }

    #[test]
    fn the_sweep_template_is_a_valid_sweep() {
        parse_sweep(SWEEP, "sweep.toml", &[], KINDS).unwrap();
    }
}
