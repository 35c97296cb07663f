//! `mup2 check`: measures on a real network whether every layer is effectively perturbed.

use crate::arguments::{CheckArguments, CheckFormat, mlp_overrides, parse_exponents};
use crate::dataset;
use crate::device;
use crate::interrupt::cancel_on_signal;
use crate::progress::bar;
use crate::terminal::{print, table_options};
use mup2_report::check::{html, read_points, terminal_table};
use mup2_scaling::check::CheckReport;
use mup2_scaling::error::Error;
use mup2_scaling::{BaseOptimizer, CustomExponents, Parameterization, Perturbation};
use mup2_train::check::{CheckOptions, check, default_run, default_steps, default_widths};
use mup2_train::config::{ModelKind, OptimizerName, RunSpec, parse_run, read_run};
use std::process::ExitCode;

pub fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    if let Some(path) = &arguments.points {
        // Of the run, the scheme alone is asked for.
        let scheme = spec(arguments)?.scheme();
        let name = match (scheme.parameterization, scheme.perturbation) {
            (Parameterization::Mup, Perturbation::Mup2) => "mup2".to_owned(),
            (parameterization, perturbation) => format!("{parameterization}-{perturbation}"),
        };
        let report = read_points(path)?.judge(&name, &scheme, arguments.tolerance)?;
        return show(arguments, &report);
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

fn show(arguments: &CheckArguments, report: &CheckReport) -> anyhow::Result<ExitCode> {
    print(&match arguments.format {
        CheckFormat::Table => terminal_table(report, table_options().colour),
        CheckFormat::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        CheckFormat::Html => html(report),
    })?;
    Ok(if report.pass {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
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
    if let Some(scheme) = arguments.scheme {
        spec.set_scheme(scheme);
    }
    let scaling = &mut spec.scaling;
    replace(&mut scaling.parameterization, arguments.param);
    replace(&mut scaling.perturbation, arguments.perturb);
    scaling.denominator = arguments.denominator.or(scaling.denominator);
    let exponents = parse_exponents(&arguments.exponents)?;
    if exponents != CustomExponents::default() {
        scaling.exponents = exponents;
    }
    replace(&mut spec.sam.rule, arguments.rule);
    replace(&mut spec.sam.rho, arguments.rho);
    replace(
        &mut spec.optimizer.name,
        arguments.optimizer.map(|optimizer| match optimizer {
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
