//! `mup2 check` beyond the multilayer perceptron: with the runs that it makes when nobody says otherwise.
//!
//! The wide networks that a ResNet and a Vision Transformer need under ASAM to show their limit take
//! minutes; those tests are ignored unless asked for: `just check-models`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use mup2_scaling::check::{CheckReport, SlopeVerdict, TensorFinding};
use mup2_scaling::workers::Cancel;
use mup2_train::check::{CheckOptions, check, default_run, default_steps, default_widths};
use mup2_train::config::{ModelKind, TrainingDevice, parse_run};
use mup2_train::data::load;

fn checked(kind: ModelKind, changes: &[&str]) -> CheckReport {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let spec = parse_run(default_run(kind), "test", &changes).unwrap();
    let data = load(&spec.data).unwrap();
    let options = CheckOptions {
        widths: default_widths(kind, spec.sam.rule),
        seeds: (0..3).collect(),
        steps: default_steps(kind),
        tolerance: 0.2,
        workers: 2,
        device: TrainingDevice::Flex,
    };
    check(&spec, &data, &options, &Cancel::default(), |_| {}).unwrap()
}

/// Every tensor that the rule perturbs is effectively perturbed; a tensor that the loss does not depend
/// on is flat.
fn assert_passes(kind: ModelKind, rule: &str) {
    let report = checked(kind, &[&format!("sam.rule=\"{rule}\"")]);
    let open: Vec<(&str, SlopeVerdict, Option<f64>)> = report
        .tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.verdict, tensor.effect_slope))
        .filter(|(_, verdict, _)| {
            !matches!(
                verdict,
                SlopeVerdict::Effective | SlopeVerdict::Flat | SlopeVerdict::Unperturbed
            )
        })
        .collect();
    assert!(report.pass, "{kind} {rule}: {open:?}");
}

/// The rule in the standard parameterization, with one radius for all: fails, and not for want of seeds.
fn assert_plain_scaling_fails(kind: ModelKind, rule: &str) {
    let changes = [
        &format!("sam.rule=\"{rule}\""),
        "scaling.parameterization=\"sp\"",
        "scaling.perturbation=\"naive\"",
    ];
    let report = checked(kind, &changes);
    assert!(!report.pass, "{kind} {rule}");
    let fails = |tensor: &&TensorFinding| {
        matches!(
            tensor.verdict,
            SlopeVerdict::Vanishing | SlopeVerdict::Exploding
        )
    };
    let perturbed = |tensor: &&TensorFinding| tensor.verdict != SlopeVerdict::Unperturbed;
    let count = report.tensors.iter().filter(fails).count();
    let of = report.tensors.iter().filter(perturbed).count();
    assert!(4 * count > of, "{kind} {rule}: {count} of {of}");
}

#[test]
fn a_recurrent_network_passes_in_mup2_under_sam_and_both_kinds_of_asam() {
    for rule in ["sam", "asam", "asam-layer"] {
        assert_passes(ModelKind::Gru, rule);
    }
}

#[test]
fn a_recurrent_network_fails_with_plain_sam() {
    assert_plain_scaling_fails(ModelKind::Gru, "sam");
}

#[test]
fn a_residual_network_passes_in_mup2_under_sam_layerwise_asam_and_sam_on() {
    for rule in ["sam", "asam-layer", "sam-on"] {
        assert_passes(ModelKind::ResNet, rule);
    }
}

#[test]
fn a_vision_transformer_passes_in_mup2_under_sam_and_sam_on() {
    for rule in ["sam", "sam-on"] {
        assert_passes(ModelKind::Vit, rule);
    }
}

#[test]
#[ignore = "minutes"]
fn a_residual_network_and_a_vision_transformer_pass_in_mup2_under_asam() {
    assert_passes(ModelKind::ResNet, "asam");
    assert_passes(ModelKind::Vit, "asam");
    assert_passes(ModelKind::Vit, "asam-layer");
}

#[test]
#[ignore = "minutes"]
fn a_residual_network_and_a_vision_transformer_fail_without_layerwise_scaling() {
    for kind in [ModelKind::ResNet, ModelKind::Vit] {
        for rule in ["sam", "asam", "asam-layer", "sam-on"] {
            assert_plain_scaling_fails(kind, rule);
        }
    }
}
