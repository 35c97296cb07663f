//! `mup2 evaluate`: the accuracy of weights, ours or PyTorch's.

use super::weights::run_of;
use crate::arguments::{EvaluateArguments, WeightNames};
use crate::dataset;
use crate::device;
use crate::terminal::{print, say};
use mup2_train::built_in::describe;
use mup2_train::checkpoint::{read_shapes, read_weights};
use mup2_train::train::{
    check_weight_shapes, classes_of_weights, evaluate_weights, normalization_of_weights, ours,
};
use std::process::ExitCode;

pub fn run(arguments: &EvaluateArguments) -> anyhow::Result<ExitCode> {
    let run = arguments.run.as_deref();
    let spec = run_of(&arguments.weights, run, &arguments.overrides)?;
    let shapes = read_shapes(&arguments.weights)?;
    device::announce(arguments.device)?;
    let data = dataset::open(&spec.data)?;
    say(format_args!("{}: {}", spec.data.dataset, describe(&data)));
    let names = classes_of_weights(&arguments.weights)?;
    let mut data = match (names.is_empty(), data.class_names.is_empty()) {
        (false, false) => data.with_classes(&names)?,
        (true, false) => {
            let names = data.class_names.join(", ");
            say(format_args!(
                "the weights do not name their classes: their outputs are taken for {names}"
            ));
            data
        }
        (_, true) => data,
    };
    // The network saw images by the training's own mean and deviation, whatever those of these are.
    let channels = data.train.shape.channels;
    if let Some(normalization) = normalization_of_weights(&arguments.weights, channels)? {
        data.normalization = normalization;
    }
    // The run is what a file says of itself; nothing is allocated by it alone.
    if arguments.names == WeightNames::Mup2 {
        check_weight_shapes(&spec, &data, &shapes)?;
    }
    let mut weights = read_weights(&arguments.weights)?;
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
