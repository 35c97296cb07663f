//! `mup2 check`: measures on a real network whether every layer is effectively perturbed.

use super::check_points::{judge, show};
use crate::arguments::{CheckArguments, mlp_overrides, parse_exponents};
use crate::dataset;
use crate::device;
use crate::interrupt::cancel_on_signal;
use crate::progress::bar;
use mup2_scaling::error::Error;
use mup2_scaling::{BaseOptimizer, CustomExponents};
use mup2_train::check::{CheckOptions, check, default_run, default_steps, default_widths};
use mup2_train::config::{ModelKind, OptimizerName, RunSpec, parse_run, read_run};
use std::process::ExitCode;

pub fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    if let Some(path) = &arguments.points {
        return judge(path, arguments);
    }
    let spec = spec(arguments)?;
    let options = CheckOptions {
        widths: match &arguments.widths[..] {
            [] => default_widths(spec.model.kind(), spec.sam.rule),
            widths => widths.iter().map(|width| *width as usize).collect(),
        },
        seeds: (0..u64::from(arguments.seeds)).collect(),
        steps: match (arguments.steps, &arguments.spec) {
            (Some(steps), _) => usize::from(steps),
            (None, None) => default_steps(spec.model.kind()),
            // Large steps have transients that a few more leave behind.
            (None, Some(_)) => 16,
        },
        tolerance: arguments.tolerance,
        workers: device::workers(arguments.device, arguments.workers)?,
        device: arguments.device,
    };
    device::announce(arguments.device)?;
    let data = dataset::open(&spec.data)?;
    let cancel = cancel_on_signal()?;
    let bar = bar(
        0,
        "{bar:30.cyan/dim} {pos}/{len} trainings, {elapsed}, ETA {eta}",
    )?;
    let report = check(&spec, &data, &options, &cancel, |progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
    });
    bar.finish_and_clear();
    show(arguments, &report?)
}

/// The run file, or the default run, with the flags in place of its values.
fn spec(arguments: &CheckArguments) -> Result<RunSpec, Error> {
    let of_mlp = mlp_overrides(arguments.depth, arguments.bias);
    let overrides: Vec<String> = arguments.overrides.iter().cloned().chain(of_mlp).collect();
    let mut spec = match &arguments.spec {
        Some(path) => read_run(path, &overrides)?,
        None => {
            let kind = arguments.model.unwrap_or(ModelKind::Mlp);
            // Also here, since a base width decides which other values are allowed.
            let base_width = arguments.base_width;
            let base_width = base_width.map(|width| format!("model.base_width={width}"));
            let overrides: Vec<String> = base_width.into_iter().chain(overrides).collect();
            parse_run(default_run(kind), "mup2 check", &overrides)?
        }
    };
    let flags = &arguments.scheme;
    if let Some(scheme) = flags.scheme {
        spec.set_scheme(scheme);
    }
    let scaling = &mut spec.scaling;
    replace(&mut scaling.parameterization, flags.param);
    replace(&mut scaling.perturbation, flags.perturb);
    scaling.denominator = flags.denominator.or(scaling.denominator);
    let exponents = parse_exponents(&flags.exponents)?;
    if exponents != CustomExponents::default() {
        scaling.exponents = exponents;
    }
    replace(&mut spec.sam.rule, flags.rule);
    replace(&mut spec.sam.rho, arguments.rho);
    replace(
        &mut spec.optimizer.name,
        flags.optimizer.map(|optimizer| match optimizer {
            BaseOptimizer::Sgd => OptimizerName::Sgd,
            BaseOptimizer::Adam => OptimizerName::Adamw,
        }),
    );
    replace(&mut spec.optimizer.lr, arguments.lr);
    replace(&mut spec.data.dataset, arguments.dataset);
    let base_width = arguments.base_width.map(|width| width as usize);
    replace(&mut spec.model.base_width, base_width);
    replace(&mut spec.train.batch_size, arguments.batch_size);
    spec.validate("mup2 check")?;
    Ok(spec)
}

fn replace<T>(value: &mut T, flag: Option<T>) {
    if let Some(flag) = flag {
        *value = flag;
    }
}
