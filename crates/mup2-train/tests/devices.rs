//! Trainings on a GPU beside the same ones on the processor. The GPU is the device that the variable
//! MUP2_TEST_DEVICE names, wgpu without it.
#![cfg(any(feature = "wgpu", feature = "cuda"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::tensor::Tensor;
use mup2::fused::squared_norm;
use mup2_scaling::workers::Cancel;
use mup2_train::check::{CheckOptions, check};
use mup2_train::checkpoint::{CheckpointDirectory, Weights, read_weights};
use mup2_train::config::{RunSpec, TrainingDevice, parse_run};
use mup2_train::data::load;
use mup2_train::train::{
    Checkpointing, Keeping, Progress, RunResult, TrainedWeights, evaluate_weights, open_device,
    train_resumably,
};
use std::collections::BTreeMap;
use std::time::Duration;

const MLP: &[&str] = &["model.width=32", "model.base_width=8"];
/// Whole images and small steps. With those of [`run`], on the processor alone, a radius changed by one millionth
/// moves the loss after five steps by 9e-4 in three of eight trials, and by 1e-8 to 2e-5 in the others; with these,
/// by 2e-6 at most.
const RESNET: &[&str] = &[
    "model.kind=resnet",
    "model.width=4",
    "model.base_width=2",
    "data.average_pool=1",
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

fn gpu() -> TrainingDevice {
    let asked = std::env::var("MUP2_TEST_DEVICE");
    let device = asked.map_or(TrainingDevice::Wgpu, |name| name.parse().unwrap());
    assert!(!device.is_processor(), "MUP2_TEST_DEVICE is the processor");
    device
}

/// 160 images of 14 × 14 pixels in batches of 32: five steps of SAM.
fn run(model: &[&str], more: &[&str]) -> RunSpec {
    let small = [
        "data.train_limit=160",
        "data.average_pool=2",
        "train.batch_size=32",
        "train.epochs=1",
        "optimizer.lr=0.05",
        "sam.rho=0.1",
    ];
    let overrides: Vec<String> = small
        .iter()
        .chain(model)
        .chain(more)
        .map(|text| (*text).to_owned())
        .collect();
    parse_run("", "test", &overrides).unwrap()
}

struct Trained {
    result: RunResult,
    weights: BTreeMap<String, Weights>,
}

/// The run on `device`; interrupted after `pause` steps and gone on with where there is one.
fn trained(spec: &RunSpec, device: TrainingDevice, pause: Option<usize>) -> Trained {
    let directory = tempfile::tempdir().unwrap();
    let weights = TrainedWeights::new(directory.path());
    let keeping = Keeping {
        start: None,
        checkpoints: pause.map(|_| Checkpointing {
            directory: CheckpointDirectory::new(&directory.path().join("checkpoints")),
            interval: Duration::ZERO,
            resume: true,
            earlier: Vec::new(),
            keep: false,
        }),
        weights: Some(weights.clone()),
    };
    let data = load(&spec.data).unwrap();
    if let Some(pause) = pause {
        let cancel = Cancel::default();
        let watch = |progress| {
            if matches!(progress, Progress::Step { step, .. } if step == pause) {
                cancel.cancel();
            }
        };
        let interrupted = train_resumably(spec, &data, device, &cancel, &keeping, watch);
        assert!(interrupted.is_err());
    }
    let result = train_resumably(spec, &data, device, &Cancel::default(), &keeping, |_| {});
    Trained {
        result: result.unwrap(),
        weights: read_weights(&weights.last()).unwrap(),
    }
}

/// The largest difference of a tensor's entries, relative to its largest entry.
fn distance(one: &Trained, other: &Trained) -> f32 {
    assert!(one.weights.keys().eq(other.weights.keys()));
    let of = |(name, weights): (&String, &Weights)| {
        let pairs = weights.values.iter().zip(&other.weights[name].values);
        let largest = weights
            .values
            .iter()
            .fold(0.0_f32, |most, w| most.max(w.abs()));
        // Biases begin at 0, so all that a small one holds is five steps' rounding.
        pairs.fold(0.0_f32, |most, (a, b)| most.max((a - b).abs())) / largest.max(1e-2)
    };
    one.weights.iter().map(of).fold(0.0, f32::max)
}

/// Losses agree within `tolerance`, weights within `of_weights`.
///
/// A ResNet's weights are not compared: on the processor alone, a learning rate that differs by one
/// millionth moves the gains and biases of its first stages by up to their own size within five steps, where
/// the sign of a unit before its ReLU flips. `tests/pytorch.rs` compares its gradients.
fn assert_trains_alike(model: &[&str], more: &[&str], tolerance: f32, of_weights: Option<f32>) {
    let spec = run(model, more);
    let here = trained(&spec, TrainingDevice::Flex, None);
    let there = trained(&spec, gpu(), None);
    let (a, b) = (&here.result.epochs[0], &there.result.epochs[0]);
    let loss = (a.train_loss - b.train_loss).abs() / a.train_loss;
    let weights = distance(&here, &there);
    assert_eq!((here.result.steps, there.result.steps), (5, 5));
    println!(
        "{} {more:?}: loss {loss:.1e}, weights {weights:.1e}",
        spec.model.kind()
    );
    assert!(loss < f64::from(tolerance), "loss differs by {loss}");
    if let Some(most) = of_weights {
        assert!(weights < most, "weights differ by {weights}");
    }
    assert_eq!(here.result.id, there.result.id);
}

#[test]
fn five_steps_of_an_mlp_end_where_those_of_the_processor_do() {
    assert_trains_alike(MLP, &[], 1e-4, Some(1e-4));
}

#[test]
fn five_steps_of_a_resnet_end_where_those_of_the_processor_do() {
    assert_trains_alike(RESNET, &[], 1e-4, None);
}

#[test]
fn five_steps_of_a_vision_transformer_end_where_those_of_the_processor_do() {
    assert_trains_alike(VIT, &[], 1e-4, Some(1e-3));
}

#[test]
fn five_steps_of_a_gru_end_where_those_of_the_processor_do() {
    assert_trains_alike(GRU, &[], 1e-3, Some(1e-3));
}

#[test]
fn every_part_of_a_step_computes_on_the_device() {
    for more in [
        &["sam.rule=asam"][..],
        &["sam.perturbation_batch=micro", "train.micro_batches=2"],
        &["optimizer.momentum=0.9", "optimizer.weight_decay=0.01"],
        &["augment.mixup=0.2", "train.label_smoothing=0.1"],
        &["data.label_noise=0.4", "optimizer.clip_norm=0.5"],
    ] {
        assert_trains_alike(MLP, more, 1e-4, Some(1e-4));
    }
}

#[test]
fn a_training_goes_on_from_its_checkpoint_with_the_state_of_its_optimizer() {
    for optimizer in [
        &["optimizer.momentum=0.9"][..],
        &["optimizer.name=adamw", "optimizer.lr=0.01"],
    ] {
        let spec = run(MLP, optimizer);
        let whole = trained(&spec, gpu(), None);
        let in_two = trained(&spec, gpu(), Some(3));
        let difference = distance(&whole, &in_two);
        println!("{optimizer:?}: {difference:.1e}");
        assert!(difference < 1e-5, "{optimizer:?}: {difference}");
    }
}

#[test]
fn evaluation_of_averaged_and_recalibrated_weights_agrees() {
    let more = ["train.ema_decay=0.5", "train.recalibrate_batches=2"];
    assert_trains_alike(RESNET, &more, 1e-4, None);
    let spec = run(RESNET, &more);
    let data = load(&spec.data).unwrap();
    let weights = trained(&spec, TrainingDevice::Flex, None).weights;
    let on = |device| evaluate_weights(&spec, &data, device, weights.clone()).unwrap();
    let (here, there) = (on(TrainingDevice::Flex), on(gpu()));
    // An image whose two largest logits are equal within rounding may fall on either side.
    let differ = |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs();
    assert!(differ(here.test, there.test) < 0.002, "{here:?} {there:?}");
    assert!(differ(here.train, there.train) < 0.01, "{here:?} {there:?}");
}

#[test]
fn sharpness_agrees_within_a_per_cent() {
    let more = [
        "sharpness.every_epochs=1",
        "sharpness.samples=64",
        "sharpness.trace_vectors=2",
    ];
    let spec = run(MLP, &more);
    let of = |device| {
        let metrics = trained(&spec, device, None).result.epochs[0].clone();
        let whole = metrics.sharpness.unwrap().whole;
        [
            whole.eigenvalue.unwrap().value,
            whole.trace.unwrap().value,
            whole.sam.unwrap().value,
        ]
    };
    let (here, there) = (of(TrainingDevice::Flex), of(gpu()));
    println!("sharpness {here:?} {there:?}");
    for (here, there) in here.into_iter().zip(there) {
        assert!((here - there).abs() < 0.01 * here.abs(), "{here} {there}");
    }
}

#[test]
fn the_coordinate_check_passes_what_is_right_and_fails_what_is_wrong() {
    let of = |scheme: &str| {
        let scaling = format!("scaling.perturbation={scheme}");
        let spec = run(
            &["model.base_width=1"],
            &[
                "data.dataset=random",
                "optimizer.lr=0.005",
                "sam.rho=0.01",
                &scaling,
            ],
        );
        let options = CheckOptions {
            widths: vec![64, 128, 256],
            seeds: vec![0, 1],
            steps: 3,
            tolerance: 0.2,
            workers: 1,
            device: gpu(),
        };
        let data = load(&spec.data).unwrap();
        check(&spec, &data, &options, &Cancel::default(), |_| {}).unwrap()
    };
    assert!(of("mup2").pass);
    assert!(!of("naive").pass);
}

#[test]
fn norms_of_tensors_with_more_than_a_quarter_million_entries_are_whole() {
    let device = open_device(gpu()).unwrap();
    for count in [1000, 262_144, 500_001, 3_145_728] {
        let ones = Tensor::<1>::ones([count], &device);
        assert_eq!(squared_norm(ones), count as f64);
    }
}
