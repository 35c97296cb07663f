//! What the settings of a training do, seen from its results and trained weights.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use mup2_scaling::workers::Cancel;
use mup2_sweep::config::RunId;
use mup2_train::checkpoint::{Weights, read_weights};
use mup2_train::config::{RunSpec, TrainingDevice, parse_run};
use mup2_train::data::load;
use mup2_train::train::{
    Keeping, RunResult, TrainedWeights, evaluate_weights, ours, run_of_weights, theirs, train,
    train_resumably,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

const MLP: &[&str] = &["model.width=16", "model.base_width=16"];
const RESNET: &[&str] = &["model.kind=resnet", "model.width=4", "model.base_width=4"];

/// 128 images of 7 × 7 pixels in batches of 32, one epoch.
fn run(model: &[&str], more: &[&str]) -> RunSpec {
    let small = [
        "data.train_limit=128",
        "data.average_pool=4",
        "train.batch_size=32",
        "train.epochs=1",
    ];
    let overrides: Vec<String> = small
        .iter()
        .chain(model)
        .chain(more)
        .map(|text| (*text).to_owned())
        .collect();
    parse_run("", "test", &overrides).unwrap()
}

fn result(spec: &RunSpec) -> RunResult {
    train(spec, &load(&spec.data).unwrap(), &Cancel::default(), |_| {}).unwrap()
}

/// The weights of the last evaluation, and what the run found.
fn trained(spec: &RunSpec) -> (BTreeMap<String, Weights>, RunResult) {
    let directory = tempfile::tempdir().unwrap();
    let weights = TrainedWeights::new(directory.path());
    let keeping = Keeping {
        start: None,
        checkpoints: None,
        weights: Some(weights.clone()),
    };
    let data = load(&spec.data).unwrap();
    let result = train_resumably(
        spec,
        &data,
        TrainingDevice::Flex,
        &Cancel::default(),
        &keeping,
        |_| {},
    )
    .unwrap();
    (read_weights(&weights.last()).unwrap(), result)
}

fn loss(spec: &RunSpec) -> f64 {
    result(spec).epochs[0].train_loss
}

#[test]
fn a_batch_in_parts_is_the_same_step_within_rounding() {
    // Batch normalization sees parts, so this holds for models without it.
    for kind in [
        MLP,
        &["model.kind=gru", "model.width=8", "model.base_width=8"],
    ] {
        let whole = loss(&run(kind, &[]));
        let parts = loss(&run(kind, &["train.micro_batches=4"]));
        assert!((whole - parts).abs() < 1e-5 * whole, "{whole} {parts}");
    }
}

#[test]
fn a_perturbation_of_each_part_is_another_step_and_that_of_one_part_is_the_same_run() {
    let micro = "sam.perturbation_batch=micro";
    let (four, rho) = ("train.micro_batches=4", "sam.rho=0.5");
    let whole = loss(&run(MLP, &[four, rho]));
    let parts = loss(&run(MLP, &[four, rho, micro]));
    assert!((whole - parts).abs() > 1e-4 * whole, "{whole} {parts}");
    assert_eq!(RunId::of(&run(MLP, &[micro])), RunId::of(&run(MLP, &[])));
    assert_ne!(
        RunId::of(&run(MLP, &[four, micro])),
        RunId::of(&run(MLP, &[four]))
    );
    // Without a perturbation nothing differs.
    let sgd = "sam.rho=0";
    assert_eq!(
        loss(&run(MLP, &[four, sgd, micro])),
        loss(&run(MLP, &[four, sgd]))
    );
}

#[test]
fn only_the_pass_at_the_weights_moves_running_statistics() {
    let one_step = "data.train_limit=32";
    let of = |more: &[&str]| trained(&run(RESNET, &[&[one_step], more].concat())).0;
    let (sgd, sam) = (of(&["sam.rho=0"]), of(&["sam.rho=0.5"]));
    let two_steps = of(&["sam.rho=0.5", "sam.ascent_steps=2"]);
    for layer in ["stem_norm", "stages.3.1.norms.1"] {
        for part in ["running_mean", "running_variance"] {
            let name = format!("{layer}.{part}");
            // The first pass of all three is the same one.
            assert_eq!(sgd[&name], sam[&name], "{name}");
            assert_eq!(sgd[&name], two_steps[&name], "{name}");
        }
    }
    assert_ne!(sgd["stem.weight"], sam["stem.weight"]);
    let means = &sgd["stem_norm.running_mean"].values;
    assert!(means.iter().any(|mean| *mean != 0.0));
}

#[test]
fn the_average_of_the_weights_is_what_its_decay_says() {
    let one_step = "data.train_limit=32";
    let of = |more: &[&str]| trained(&run(MLP, &[&[one_step], more].concat())).0;
    let (start, end) = (of(&["optimizer.lr=1e-30"]), of(&["optimizer.lr=0.5"]));
    let average = of(&["optimizer.lr=0.5", "train.ema_decay=0.75"]);
    for (name, weights) in &average {
        let (start, end) = (&start[name].values, &end[name].values);
        for (index, found) in weights.values.iter().enumerate() {
            let expected = 0.75 * start[index] + 0.25 * end[index];
            assert!((found - expected).abs() < 1e-6, "{name}[{index}]");
        }
    }
}

#[test]
fn statistics_taken_anew_are_those_of_the_last_weights() {
    let spec = run(RESNET, &["train.epochs=2"]);
    let anew = run(RESNET, &["train.epochs=2", "train.recalibrate_batches=4"]);
    let ((running, _), (recalibrated, _)) = (trained(&spec), trained(&anew));
    assert_eq!(running["stem.weight"], recalibrated["stem.weight"]);
    let name = "stem_norm.running_mean";
    assert_ne!(running[name], recalibrated[name]);
    // After 8 steps of momentum 0.1 running means are 57 % of the way from 0; those anew are there.
    let size = |values: &[f32]| values.iter().map(|value| value.abs()).sum::<f32>();
    assert!(size(&running[name].values) < 0.8 * size(&recalibrated[name].values));
}

#[test]
fn smoothed_and_mixed_targets_of_an_undecided_network_cost_the_logarithm_of_the_classes() {
    // With a zero readout all classes are equally likely, whatever the targets are.
    let undecided = ["model.readout_zero_init=true", "optimizer.lr=1e-30"];
    for more in [
        &["train.label_smoothing=0.3"][..],
        &["augment.mixup=1.0"],
        &["augment.cutmix=1.0", "train.label_smoothing=0.1"],
    ] {
        let found = loss(&run(MLP, &[&undecided[..], more].concat()));
        assert!((found - 10f64.ln()).abs() < 1e-5, "{found}");
    }
    // With a decided one they cost something else.
    let plain = loss(&run(MLP, &[]));
    assert!(loss(&run(MLP, &["train.label_smoothing=0.3"])) > plain + 0.01);
}

#[test]
fn augmentation_changes_the_training_and_is_the_same_each_time() {
    let spec = run(MLP, &["augment.crop_padding=1", "augment.flip=true"]);
    assert_eq!(result(&spec), result(&spec));
    assert_ne!(loss(&spec), loss(&run(MLP, &[])));
    assert_ne!(RunId::of(&spec), RunId::of(&run(MLP, &[])));
}

#[test]
fn trained_weights_know_their_run_and_evaluate_to_its_accuracy() {
    let directory = tempfile::tempdir().unwrap();
    let weights = TrainedWeights::new(&directory.path().join("weights"));
    let keeping = Keeping {
        start: None,
        checkpoints: None,
        weights: Some(weights.clone()),
    };
    let spec = run(RESNET, &["train.epochs=4", "optimizer.lr=0.2"]);
    let data = load(&spec.data).unwrap();
    let result = train_resumably(
        &spec,
        &data,
        TrainingDevice::Flex,
        &Cancel::default(),
        &keeping,
        |_| {},
    )
    .unwrap();
    assert_eq!(run_of_weights(&weights.best()).unwrap(), Some(spec.clone()));
    let of = |path: PathBuf| {
        evaluate_weights(
            &spec,
            &data,
            TrainingDevice::Flex,
            read_weights(&path).unwrap(),
        )
        .unwrap()
    };
    let last = result.epochs.last().unwrap();
    assert_eq!(of(weights.last()).test, Some(last.test_accuracy));
    assert_eq!(of(weights.last()).validation, last.validation_accuracy);
    let best = result
        .epochs
        .iter()
        .map(|metrics| metrics.validation_accuracy.unwrap())
        .fold(0.0, f64::max);
    assert_eq!(of(weights.best()).validation, Some(best));
    // There and back under PyTorch's names is the same file.
    let (shape, classes) = (data.train.shape, data.classes);
    let before = read_weights(&weights.best()).unwrap();
    let abroad = theirs(&spec, shape, classes, &before).unwrap();
    assert!(abroad.contains_key("layer4.1.bn2.running_var"));
    assert_eq!(ours(&spec, shape, classes, &abroad).unwrap(), before);
}

#[test]
fn evaluations_by_steps_come_within_epochs_and_change_no_bit_of_the_training() {
    let plain = result(&run(RESNET, &["data.train_limit=320", "train.epochs=3"]));
    let steps = plain.steps / 3;
    let every = format!("train.evaluate_every_steps={}", steps - 1);
    let often = result(&run(
        RESNET,
        &[
            "data.train_limit=320",
            "train.epochs=3",
            "train.evaluate_every=3",
            &every,
        ],
    ));
    let places: Vec<(usize, Option<usize>)> = often
        .epochs
        .iter()
        .map(|metrics| (metrics.epoch, metrics.step))
        .collect();
    assert!(steps > 3, "{steps}");
    let within = |epoch: usize| (epoch, Some(epoch * (steps - 1)));
    assert_eq!(places, [within(1), within(2), within(3), (3, None)]);
    let (last, expected) = (often.epochs.last().unwrap(), plain.epochs.last().unwrap());
    assert_eq!(last, expected);
    // An evaluation that falls on the end of an epoch is the epoch's.
    let every = format!("train.evaluate_every_steps={steps}");
    let ends = result(&run(
        RESNET,
        &[
            "data.train_limit=320",
            "train.epochs=3",
            "train.evaluate_every=3",
            &every,
        ],
    ));
    assert_eq!(ends.epochs, plain.epochs);
}

#[test]
fn weights_of_another_width_are_refused_by_name() {
    let (weights, _) = trained(&run(RESNET, &[]));
    let wider = run(RESNET, &["model.width=8"]);
    let data = load(&wider.data).unwrap();
    let error = evaluate_weights(&wider, &data, TrainingDevice::Flex, weights).unwrap_err();
    assert!(error.to_string().contains("weight `"), "{error}");
}
