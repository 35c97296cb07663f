//! `mup2 evaluate`: the accuracy of weights, ours or PyTorch's.

use super::weights::run_of;
use crate::arguments::{EvaluateArguments, WeightNames};
use crate::dataset;
use crate::device;
use crate::terminal::print;
use mup2::built_in::describe;
use mup2::checkpoint::read_weights;
use mup2::train::{evaluate_weights, ours};
use std::process::ExitCode;

pub fn run(arguments: &EvaluateArguments) -> anyhow::Result<ExitCode> {
    let run = arguments.run.as_deref();
    let spec = run_of(&arguments.weights, run, &arguments.overrides)?;
    let mut weights = read_weights(&arguments.weights)?;
    device::announce(arguments.device)?;
    let data = dataset::open(&spec.data)?;
    eprintln!("{}: {}", spec.data.dataset, describe(&data));
    if arguments.names == WeightNames::Pytorch {
        weights = ours(&spec, data.train.shape, data.classes, &weights)?;
    }
    let accuracies = evaluate_weights(&spec, &data, arguments.device, weights)?;
    let mut text = String::new();
    for (split, accuracy) in [
        ("train", accuracies.train),
        ("validation", accuracies.validation),
        ("test", accuracies.test),
    ] {
        if let Some(accuracy) = accuracy {
            text.push_str(&format!("{split:10} {:6.2} %\n", accuracy * 100.0));
        }
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
