//! Sharpness as a metric of training: it changes no bit of the training, and measures what it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use mup2_scaling::workers::Cancel;
use mup2_sweep::results::SharpnessMetrics;
use mup2_train::config::parse_run;
use mup2_train::data::load;
use mup2_train::train::{RunResult, train};

fn trained(toml: &[&str]) -> RunResult {
    let small = [
        "data.train_limit=320",
        "data.average_pool=7",
        "model.width=16",
        "model.base_width=8",
        "train.epochs=2",
        "sharpness.samples=100",
        "sharpness.trace_vectors=3",
    ];
    let overrides: Vec<String> = small.iter().chain(toml).map(ToString::to_string).collect();
    let spec = parse_run("", "test", &overrides).unwrap();
    let data = load(&spec.data).unwrap();
    train(&spec, &data, &Cancel::default(), |_| {}).unwrap()
}

fn last(result: &RunResult) -> &SharpnessMetrics {
    result.epochs.last().unwrap().sharpness.as_ref().unwrap()
}

/// The same numbers, whatever else is in the result.
fn assert_same_training(one: &RunResult, other: &RunResult) {
    assert_eq!((&one.status, one.steps), (&other.status, other.steps));
    assert_eq!(one.epochs.len(), other.epochs.len());
    for (one, other) in one.epochs.iter().zip(&other.epochs) {
        assert_eq!(one.train_loss.to_bits(), other.train_loss.to_bits());
        assert_eq!(one.validation_accuracy, other.validation_accuracy);
        assert_eq!(one.test_accuracy, other.test_accuracy);
    }
}

#[test]
fn measuring_changes_no_bit_of_the_training() {
    for model in [
        &["model.kind=mlp", "optimizer.momentum=0.9"][..],
        &[
            "model.kind=resnet",
            "model.width=8",
            "train.epochs=2",
            "data.train_limit=128",
        ],
        &[
            "model.kind=vit",
            "model.vit.depth=1",
            "model.vit.heads=2",
            "model.vit.patch=2",
            "model.vit.dropout=0.1",
            "data.train_limit=128",
        ],
    ] {
        let off = trained(model);
        assert!(off.epochs.iter().all(|epoch| epoch.sharpness.is_none()));
        let on = [
            model,
            &["sharpness.every_epochs=1", "sharpness.power_iterations=4"],
        ]
        .concat();
        let on = trained(&on);
        assert!(on.epochs.iter().all(|epoch| epoch.sharpness.is_some()));
        assert_same_training(&off, &on);
    }
}

#[test]
fn it_is_measured_when_asked_for_and_holds_what_was_asked_for() {
    let result = trained(&[
        "train.epochs=3",
        "sharpness.every_epochs=2",
        "sharpness.per_layer=true",
        "model.activation=tanh",
    ]);
    let measured: Vec<bool> = result
        .epochs
        .iter()
        .map(|e| e.sharpness.is_some())
        .collect();
    assert_eq!(measured, [false, true, true]);
    let found = last(&result);
    let names: Vec<&str> = found
        .layers
        .iter()
        .map(|layer| layer.name.as_str())
        .collect();
    assert_eq!(names, ["input.weight", "hidden.0.weight", "readout.weight"]);
    let (whole, eigenvalue) = (found.whole, found.whole.eigenvalue.unwrap());
    // No block of a symmetric matrix has a larger eigenvalue than the whole.
    assert!(eigenvalue.value > 0.0, "{eigenvalue:?}");
    for layer in &found.layers {
        let block = layer.measures.eigenvalue.unwrap();
        assert!(block.most_positive < 1.05 * eigenvalue.value, "{layer:?}");
        let (part, all) = (layer.measures.sam.unwrap(), whole.sam.unwrap());
        assert!(part.value < 1.05 * all.value, "{layer:?}");
    }
    let sam = whole.sam.unwrap();
    assert_eq!(sam.radius, 0.0625);
    assert!(sam.one_step > 0.0 && sam.value >= sam.one_step, "{sam:?}");
    assert!(whole.trace.unwrap().stderr.unwrap() > 0.0);
    let none = [
        "sharpness.every_epochs=2",
        "sharpness.power_iterations=0",
        "sharpness.trace_vectors=0",
        "sam.rho=0",
    ];
    let found = last(&trained(&none)).clone();
    assert_eq!(found.whole, Default::default());
    assert_eq!(found.gradient_evaluations, 1);
}

#[test]
fn the_numbers_do_not_depend_on_the_batches_that_the_samples_come_in() {
    let measured = |batch_size: &str| {
        let still = [
            "optimizer.lr=1e-30",
            "train.epochs=1",
            "sharpness.every_epochs=1",
            "model.activation=tanh",
        ];
        last(&trained(&[&still[..], &[batch_size]].concat())).clone()
    };
    // 100 samples: two batches of 50, or 34 + 33 + 33.
    let (two, three) = (
        measured("train.batch_size=64"),
        measured("train.batch_size=40"),
    );
    assert!((two.loss - three.loss).abs() < 1e-5 * two.loss);
    let measures: [fn(&SharpnessMetrics) -> f64; 3] = [
        |found| found.whole.eigenvalue.unwrap().value,
        |found| found.whole.trace.unwrap().value,
        |found| found.whole.sam.unwrap().value,
    ];
    for measure in measures {
        let (two, three) = (measure(&two), measure(&three));
        assert!((two - three).abs() < 0.02 * two.abs(), "{two} {three}");
    }
}

#[test]
fn at_the_base_width_both_geometries_are_one() {
    let measured = |geometry: &str| {
        let keys = [
            "model.width=8",
            "train.epochs=1",
            "sharpness.every_epochs=1",
        ];
        let hessian = format!("sharpness.hessian_geometry={geometry}");
        let ball = format!("sharpness.ball_geometry={geometry}");
        last(&trained(&[&keys[..], &[&hessian, &ball]].concat())).whole
    };
    assert_eq!(measured("euclidean"), measured("multipliers"));
    let wide = |geometry: &str| {
        let keys = ["train.epochs=1", "sharpness.every_epochs=1"];
        let ball = format!("sharpness.ball_geometry={geometry}");
        last(&trained(&[&keys[..], &[&ball]].concat())).whole
    };
    assert_ne!(wide("euclidean").sam, wide("multipliers").sam);
}
