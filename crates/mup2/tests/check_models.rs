//! `mup2 check` beyond the multilayer perceptron: with the runs that it makes when nobody says otherwise.
//!
//! The wide networks that a ResNet and a Vision Transformer need to show their limit take minutes; those
//! tests are ignored unless asked for: `cargo test --release --test check_models -- --ignored`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use mup2::check::{
    CheckOptions, CheckReport, TensorFinding, Verdict, check, default_run, default_steps,
    default_widths,
};
use mup2::config::{ModelKind, TrainingDevice, parse_run};
use mup2::data::load;
use mup2::train::Cancel;

fn checked(kind: ModelKind, changes: &[&str]) -> CheckReport {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let spec = parse_run(default_run(kind), "test", &changes).unwrap();
    let data = load(&spec.data).unwrap();
    let options = CheckOptions {
        widths: default_widths(kind),
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
fn assert_passes(kind: ModelKind, changes: &[&str]) {
    let report = checked(kind, changes);
    let open: Vec<(&str, Verdict, Option<f64>)> = report
        .tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.verdict, tensor.effect_slope))
        .filter(|(_, verdict, _)| {
            !matches!(
                verdict,
                Verdict::Effective | Verdict::Flat | Verdict::Unperturbed
            )
        })
        .collect();
    assert!(report.pass, "{kind} {changes:?}: {open:?}");
}

/// Plain SAM in the standard parameterization: fails, and most tensors' perturbations vanish.
fn assert_plain_sam_fails(kind: ModelKind) {
    let report = checked(
        kind,
        &[
            "scaling.parameterization=\"sp\"",
            "scaling.perturbation=\"naive\"",
        ],
    );
    assert!(!report.pass, "{kind}");
    let vanishing = |tensor: &&TensorFinding| tensor.verdict == Verdict::Vanishing;
    let count = report.tensors.iter().filter(vanishing).count();
    assert!(
        2 * count > report.tensors.len(),
        "{kind}: {count} of {}",
        report.tensors.len()
    );
}

#[test]
fn a_recurrent_network_passes_in_mup2() {
    assert_passes(ModelKind::Gru, &[]);
}

#[test]
fn a_recurrent_network_fails_with_plain_sam() {
    assert_plain_sam_fails(ModelKind::Gru);
}

#[test]
#[ignore = "minutes"]
fn a_recurrent_network_passes_under_elementwise_asam() {
    assert_passes(ModelKind::Gru, &["sam.rule=\"asam\""]);
}

#[test]
#[ignore = "minutes"]
fn a_residual_network_passes_in_mup2_and_fails_with_plain_sam() {
    assert_passes(ModelKind::ResNet, &[]);
    assert_plain_sam_fails(ModelKind::ResNet);
}

#[test]
#[ignore = "minutes"]
fn a_vision_transformer_passes_in_mup2_and_fails_with_plain_sam() {
    assert_passes(ModelKind::Vit, &[]);
    assert_plain_sam_fails(ModelKind::Vit);
}
