//! Trials that are trained at once, as one stacked model, go the ways that they go alone. On the device that the
//! variable MUP2_TEST_DEVICE names, if the tests were built with its feature.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use mup2_scaling::error::Error;
use mup2_scaling::workers::{Cancel, one_core_pool};
use mup2_sweep::results::RunStatus;
use mup2_train::config::{RunSpec, TrainingDevice, parse_run};
use mup2_train::data::{Dataset, load};
use mup2_train::train::{Keeping, RunResult, train_resumably, train_stack};

/// What one trial alone and one of a stack may differ by, relative: other orders of the same sums, which a
/// few steps of SAM amplify.
const TOLERANCE: f64 = 1e-4;

const MLP: &[&str] = &["model.width=24", "model.base_width=8"];
/// Whole images and small steps: on a few pixels batch normalization makes another network of the last bit.
const RESNET: &[&str] = &[
    "model.kind=resnet",
    "model.width=4",
    "model.base_width=2",
    "data.average_pool=1",
    "data.train_limit=64",
    "train.evaluate_every_steps=2",
    "optimizer.lr=0.002",
    "sam.rho=0.015625",
];
const VIT: &[&str] = &[
    "model.kind=vit",
    "model.width=16",
    "model.base_width=8",
    "model.vit.patch=7",
    "model.vit.depth=2",
    "model.vit.heads=2",
];
const GRU: &[&str] = &["model.kind=gru", "model.width=16", "model.base_width=8"];

fn device() -> TrainingDevice {
    let asked = std::env::var("MUP2_TEST_DEVICE");
    asked.map_or(TrainingDevice::Flex, |name| name.parse().unwrap())
}

/// Mesa's software Vulkan takes ten seconds to evaluate a residual network: its script asks for fewer trials, fewer steps and
/// one evaluation an epoch of what is no perceptron.
fn is_slow() -> bool {
    std::env::var_os("MUP2_TEST_BRIEFLY").is_some()
}

/// 128 images of 14 × 14 pixels in batches of 32, evaluated after each of the eight steps.
fn run(overrides: &[&[&str]]) -> RunSpec {
    let small = [
        "data.train_limit=128",
        "data.average_pool=2",
        "train.batch_size=32",
        "train.epochs=2",
        "train.evaluate_every_steps=1",
        "optimizer.lr=0.05",
        "optimizer.schedule=\"cosine\"",
        "sam.rho=0.1",
    ];
    let all = small.iter().chain(overrides.iter().copied().flatten());
    let all: Vec<String> = all.map(|text| (*text).to_owned()).collect();
    parse_run("", "test", &all).unwrap()
}

/// Four trials of two seeds; one of them has no perturbation.
fn trials(spec: &RunSpec) -> Vec<RunSpec> {
    let settings = [(0, 1.0, 1.0), (3, 0.5, 1.0), (0, 0.5, 0.0), (3, 1.0, 2.0)];
    let trial = |(seed, lr, rho): (u64, f64, f64)| {
        let mut trial = spec.clone();
        trial.seed = seed;
        trial.optimizer.lr *= lr;
        trial.sam.rho *= rho;
        trial
    };
    settings.into_iter().map(trial).collect()
}

fn stacked(specs: &[RunSpec], data: &Dataset) -> Vec<RunResult> {
    let train = || train_stack(specs, data, device(), &Cancel::default(), |_, _| {}).unwrap();
    one_core_pool().unwrap().install(train)
}

fn alone(spec: &RunSpec, data: &Dataset) -> RunResult {
    let (cancel, keeping) = (Cancel::default(), Keeping::default());
    let train = || train_resumably(spec, data, device(), &cancel, &keeping, |_| {}).unwrap();
    one_core_pool().unwrap().install(train)
}

/// Asks that both went the same way, and tells how far apart their losses came.
fn distance(one: &RunResult, other: &RunResult) -> f64 {
    assert_eq!(
        (&one.id, &one.status, one.steps, one.epochs.len()),
        (&other.id, &other.status, other.steps, other.epochs.len())
    );
    let pairs = one.epochs.iter().zip(&other.epochs);
    let distances = pairs.map(|(one, other)| {
        assert_eq!((one.epoch, one.step), (other.epoch, other.step));
        // An image on the border between two classes may fall on either side.
        assert!((one.test_accuracy - other.test_accuracy).abs() < 0.05);
        (one.train_loss / other.train_loss - 1.0).abs()
    });
    distances.fold(0.0, f64::max)
}

/// A stack of four has the trajectories of the same four alone.
fn compare(overrides: &[&[&str]]) {
    compare_some(4, overrides);
}

/// As [`compare`], with two trials and two steps where more take minutes.
fn compare_briefly(overrides: &[&[&str]]) {
    if is_slow() {
        let brief: &[&str] = &["data.train_limit=32", "train.evaluate_every_steps=1000"];
        compare_some(2, &[&overrides.concat(), brief]);
    } else {
        compare(overrides);
    }
}

/// As [`compare`], with so many of the four.
fn compare_some(count: usize, overrides: &[&[&str]]) {
    let spec = run(overrides);
    let data = load(&spec.data).unwrap();
    let mut specs = trials(&spec);
    specs.truncate(count);
    let results = stacked(&specs, &data);
    for (result, spec) in results.iter().zip(&specs) {
        assert!(result.epochs.len() > 1, "{result:?}");
        let distance = distance(result, &alone(spec, &data));
        assert!(distance < TOLERANCE, "{distance:e} with {overrides:?}");
    }
}

#[test]
fn each_trial_of_a_stack_of_perceptrons_goes_the_way_that_it_goes_alone() {
    compare(&[MLP]);
    compare(&[MLP, &["model.bias=true", "model.residual=true"]]);
}

#[test]
fn each_trial_of_a_stack_of_residual_networks_goes_the_way_that_it_goes_alone() {
    let group: &[&str] = &["model.resnet.norm=\"group\"", "model.resnet.groups=2"];
    compare_briefly(&[RESNET]);
    compare_briefly(&[RESNET, group]);
}

#[test]
fn each_trial_of_a_stack_of_transformers_goes_the_way_that_it_goes_alone() {
    let masks: &[&str] = &["model.vit.dropout=0.2", "model.vit.stochastic_depth=0.2"];
    compare_briefly(&[VIT, masks]);
    compare_briefly(&[VIT, &["model.vit.pool=\"mean\"", "model.vit.qk_norm=true"]]);
}

#[test]
fn each_trial_of_a_stack_of_recurrent_networks_goes_the_way_that_it_goes_alone() {
    compare_briefly(&[GRU]);
}

#[test]
fn trials_are_alike_under_every_rule_and_with_either_optimizer() {
    let adamw: &[&str] = &[
        "optimizer.name=\"adamw\"",
        "optimizer.lr=0.002",
        "optimizer.weight_decay=0.1",
    ];
    let momentum: &[&str] = &[
        "optimizer.momentum=0.9",
        "optimizer.nesterov=true",
        "optimizer.weight_decay=0.01",
        "optimizer.lr=0.01",
    ];
    for rule in ["sam", "asam", "asam-layer", "random"] {
        let rule = format!("sam.rule=\"{rule}\"");
        compare(&[MLP, &[rule.as_str()], adamw]);
        compare(&[MLP, &[rule.as_str(), "sam.ascent_steps=2"], momentum]);
    }
    compare_briefly(&[VIT, &["sam.rule=\"sam-on\"", "sam.every=2"]]);
}

#[test]
fn trials_are_alike_with_what_else_happens_to_images_gradients_and_weights() {
    compare(&[
        MLP,
        &[
            "data.label_noise=0.2",
            "train.label_smoothing=0.1",
            "augment.mixup=0.4",
            "optimizer.clip_norm=0.5",
            "train.ema_decay=0.5",
            "scaling.weight_multipliers=true",
        ],
    ]);
}

#[test]
fn a_stack_of_one_is_the_trial_to_the_bit() {
    if device() != TrainingDevice::Flex {
        return;
    }
    let adamw: &[&str] = &["optimizer.name=\"adamw\"", "optimizer.lr=0.002"];
    let decay: &[&str] = &["optimizer.weight_decay=0.1", "optimizer.momentum=0.0"];
    let momentum: &[&str] = &["optimizer.momentum=0.9", "optimizer.weight_decay=0.01"];
    for overrides in [
        [MLP, momentum, &["sam.rule=\"asam-layer\""]],
        [MLP, adamw, decay],
        [RESNET, momentum, &[]],
        [VIT, adamw, &["sam.rule=\"asam\""]],
        [VIT, &["model.vit.dropout=0.2"], &["train.ema_decay=0.5"]],
        [GRU, &["optimizer.clip_norm=0.1"], &["sam.rule=\"random\""]],
    ] {
        let spec = run(&overrides);
        let data = load(&spec.data).unwrap();
        let results = stacked(std::slice::from_ref(&spec), &data);
        assert_eq!(results, [alone(&spec, &data)]);
    }
}

#[test]
fn a_trial_that_diverges_leaves_the_stack_and_the_others_go_on_with_their_state() {
    let momentum: &[&str] = &["optimizer.momentum=0.9", "train.ema_decay=0.5"];
    let adamw: &[&str] = &["optimizer.name=\"adamw\"", "optimizer.lr=0.002"];
    let kinds = [[MLP, momentum], [VIT, adamw], [RESNET, momentum]];
    let kinds = if is_slow() { &kinds[..1] } else { &kinds[..] };
    for overrides in kinds {
        let spec = run(overrides);
        let data = load(&spec.data).unwrap();
        let mut specs = trials(&spec);
        specs[1].optimizer.lr = 1e30;
        let results = stacked(&specs, &data);
        assert_eq!(results[1].status, RunStatus::Diverged);
        assert!(results[1].steps < results[0].steps);
        for (result, spec) in results.iter().zip(&specs) {
            let distance = distance(result, &alone(spec, &data));
            assert!(distance < TOLERANCE, "{distance:e} with {overrides:?}");
        }
    }
}

#[test]
fn a_stack_of_which_every_trial_diverges_ends() {
    let spec = run(&[MLP, &["optimizer.lr=1e30"]]);
    let data = load(&spec.data).unwrap();
    let specs = trials(&spec);
    for (result, spec) in stacked(&specs, &data).iter().zip(&specs) {
        assert_eq!(result.status, RunStatus::Diverged);
        assert_eq!(result.steps, alone(spec, &data).steps);
    }
}

#[test]
fn runs_that_are_no_stack_are_refused() {
    let spec = run(&[MLP]);
    let data = load(&spec.data).unwrap();
    let refused = |specs: &[RunSpec]| {
        let trained = train_stack(specs, &data, device(), &Cancel::default(), |_, _| {});
        let error = trained.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
        error.to_string()
    };
    let wider = run(&[MLP, &["model.width=32"]]);
    assert!(refused(&[spec.clone(), wider]).contains("several kinds"));
    for override_ in [
        "train.micro_batches=2",
        "train.recalibrate_batches=1",
        "sharpness.every_epochs=1",
    ] {
        assert!(refused(&[run(&[MLP, &[override_]])]).contains("cannot be stacked"));
    }
}

#[test]
fn a_stack_ends_at_the_next_step_when_it_is_cancelled() {
    let spec = run(&[MLP]);
    let data = load(&spec.data).unwrap();
    let cancel = Cancel::default();
    cancel.cancel();
    let trained = train_stack(&trials(&spec), &data, device(), &cancel, |_, _| {});
    assert!(matches!(trained, Err(Error::Interrupted)));
}
