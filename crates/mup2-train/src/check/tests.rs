//! Every measured quantity against hand-made cases and LAPACK's numbers
//! (`scripts/reference/coordinate_check.py`).

use super::subject::subject_of_run;
use super::*;
use crate::config::{Architecture, MlpConfig, ModelKind, ModelSpec, TrainingDevice, parse_run};
use crate::data::{ImageShape, load};
use crate::error::Result;
use crate::model::{Mlp, Network, NetworkConfig, Trace};
use crate::scaling::check::{Extent, Measurement, Point, Slope, SlopeVerdict, slope, verdict};
use crate::scaling::{Parameterization, Perturbation, Rule, ScalingTable, Scheme, scale};
use crate::step::{
    BaseOptimizerConfig, PerturbationRecord, Recorded, Sam, SamConfig, Sgd, build_optimizer,
    flat_parameters,
};
use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use mup2::check::{Measured, ObservedStep, Origin, Weights, measure_all, spectral_norm};
use std::collections::HashMap;

/// The matrix of `scripts/reference/coordinate_check.py`.
fn matrix(rows: usize, columns: usize) -> Vec<f32> {
    let entry =
        |i: usize, j: usize| ((i * 7919 + j * 104_729 + i * j * 31) % 1009) as f64 / 1009.0 - 0.5;
    (0..rows * columns)
        .map(|index| entry(index / columns, index % columns) as f32)
        .collect()
}

#[test]
fn lanczos_iteration_finds_the_largest_singular_value_of_lapack() {
    let cases = [
        (3, 5, 0.7427114561788424),
        (40, 17, 3.6469098746778217),
        (17, 40, 3.2939694619206814),
        // The next one is 4.17: a slow case.
        (64, 64, 4.408834772818523),
    ];
    for (rows, columns, expected) in cases {
        let found = spectral_norm(&matrix(rows, columns), columns);
        assert!(
            found <= expected * (1.0 + 1e-5) && found >= expected * (1.0 - 1e-3),
            "{rows}x{columns}: {found}, not {expected}"
        );
    }
}

#[test]
fn the_spectral_norm_of_special_matrices_is_exact() {
    assert_eq!(spectral_norm(&[], 3), 0.0);
    assert_eq!(spectral_norm(&[0.0; 6], 3), 0.0);
    assert_eq!(spectral_norm(&[3.0, 4.0], 1), 5.0);
    assert_eq!(spectral_norm(&[3.0, 4.0], 2), 5.0);
    assert!(spectral_norm(&[1.0, f32::NAN, 1.0, 1.0], 2).is_nan());
    // Entries whose squares are below the smallest f32.
    let tiny = spectral_norm(&[3e-30, 0.0, 0.0, 4e-30], 2);
    assert!((tiny / 4e-30 - 1.0).abs() < 1e-3, "{tiny}");
}

/// (seed, width, value).
fn fitted(measurements: &[(u64, usize, f64)]) -> Option<Slope> {
    slope(
        measurements
            .iter()
            .map(|&(seed, width, value)| Measurement { seed, width, value }),
    )
}

fn assert_fit(measurements: &[(u64, usize, f64)], expected: (f64, f64)) {
    let fit = fitted(measurements).unwrap();
    assert!((fit.slope - expected.0).abs() < 1e-12, "{fit:?}");
    assert!((fit.stderr - expected.1).abs() < 1e-12, "{fit:?}");
}

/// Numbers of `scripts/reference/slope_fit.py`.
#[test]
fn the_fit_agrees_with_least_squares_with_an_intercept_a_seed() {
    let points = [
        (64, 1.0),
        (64, 1.1),
        (128, 0.7),
        (128, 0.8),
        (256, 0.5),
        (256, 0.45),
        (512, 0.36),
        (512, 0.33),
    ];
    let with_seeds = |seeds: usize| -> Vec<(u64, usize, f64)> {
        let seeds = (0..).map(|index| (index % seeds) as u64);
        let points = seeds.zip(points);
        points
            .map(|(seed, (width, value))| (seed, width, value))
            .collect()
    };
    assert_fit(&with_seeds(1), (-0.5474096086611889, 0.03196747959243101));
    assert_fit(&with_seeds(2), (-0.5474096086611896, 0.03491966429642725));
    let unbalanced = [
        (0, 64, 1.0),
        (0, 128, 0.7),
        (0, 256, 0.5),
        (1, 64, 3.0),
        (1, 512, 1.1),
    ];
    assert_fit(&unbalanced, (-0.4878751485318204, 0.006600036777427264));
}

#[test]
fn what_a_seed_does_to_all_its_widths_is_no_error_of_the_slope() {
    let of_seed = |seed: u64, factor: f64| {
        [(1, 1.0), (2, 2.1), (4, 3.9)].map(|(width, value)| (seed, width, factor * value))
    };
    let alike = fitted(&[of_seed(0, 1.0), of_seed(1, 1.0)].concat()).unwrap();
    let apart = fitted(&[of_seed(0, 1.0), of_seed(1, 100.0)].concat()).unwrap();
    assert!((alike.slope - apart.slope).abs() < 1e-12);
    assert!((alike.stderr - apart.stderr).abs() < 1e-12);
}

#[test]
fn values_without_a_logarithm_are_left_out_of_the_fit() {
    let with_holes = [
        (0, 1, 2.0),
        (0, 2, 0.0),
        (0, 2, 4.0),
        (0, 4, f64::NAN),
        (0, 4, 8.0),
        (0, 8, f64::INFINITY),
    ];
    let fit = fitted(&with_holes).unwrap();
    assert!((fit.slope - 1.0).abs() < 1e-12 && fit.stderr < 1e-12);
    assert_eq!(fitted(&[(0, 64, 1.0), (0, 64, 2.0), (0, 64, 3.0)]), None);
    assert_eq!(fitted(&[(0, 64, 1.0), (0, 128, 2.0)]), None);
    let one_width_a_seed = [(0, 64, 1.0), (1, 128, 2.0), (2, 256, 3.0)];
    assert_eq!(fitted(&one_width_a_seed), None);
}

#[test]
fn a_verdict_needs_both_a_slope_and_a_small_error() {
    let of = |slope, stderr| verdict(Some(Slope { slope, stderr }), 0.2);
    assert_eq!(of(0.1, 0.05), SlopeVerdict::Effective);
    assert_eq!(of(-0.1, 0.3), SlopeVerdict::Inconclusive);
    assert_eq!(of(-0.5, 0.1), SlopeVerdict::Vanishing);
    assert_eq!(of(0.5, 0.1), SlopeVerdict::Exploding);
    assert_eq!(of(0.5, 0.4), SlopeVerdict::Inconclusive);
    // Not 0, but not beyond the tolerance either.
    assert_eq!(of(0.3, 0.1), SlopeVerdict::Inconclusive);
    assert_eq!(verdict(None, 0.2), SlopeVerdict::Inconclusive);
}

fn device() -> Device {
    Device::flex().autodiff()
}

/// A network of two layers, 2-2-1, in which every preactivation stays positive: ReLU is then the
/// identity, and everything can be computed by hand.
fn two_layers() -> (Mlp, ScalingTable) {
    let model = ModelSpec {
        width: 2,
        base_width: 2,
        architecture: Architecture::Mlp(MlpConfig {
            depth: 2,
            ..MlpConfig::default()
        }),
        ..ModelSpec::default()
    };
    let images = ImageShape {
        channels: 2,
        height: 1,
        width: 1,
    };
    let config = NetworkConfig::new(&model, Parameterization::Mup, images, 1).unwrap();
    let scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let table = scale(&scheme, &config.tensor_shapes()).unwrap();
    let network = config.init(&table, 0, &device(), DType::F64).unwrap();
    let Network::Mlp(model) = network else {
        panic!("not an mlp: {network:?}");
    };
    let mut write = Write(vec![vec![1.0, 2.0], vec![1.0, 2.0, 3.0, 4.0]]);
    (model.map(&mut write), table)
}

/// Replaces parameters by given values, last one first.
struct Write(Vec<Vec<f64>>);

impl ModuleMapper for Write {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let values = self.0.pop().unwrap();
        param.map(|old| {
            let data = TensorData::new(values, old.shape());
            Tensor::from_data(data, (&device(), DType::F64)).require_grad()
        })
    }
}

fn sam(model: &Mlp, table: &ScalingTable, rule: Rule) -> Sam {
    Sam::new(SamConfig::new(rule), model, table).unwrap()
}

fn sgd() -> BaseOptimizerConfig {
    BaseOptimizerConfig::Sgd(Sgd {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
    })
}

/// The loss is the output itself, at x = (1, 1).
fn gradient(model: &Mlp, trace: &mut Trace) -> Result<(Tensor<1>, GradientsParams)> {
    let loss = model.forward_traced(input(), trace).sum();
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    Ok((loss, gradients))
}

fn input() -> Tensor<2> {
    Tensor::from_data(
        TensorData::new(vec![1.0, 1.0], [1, 2]),
        (&device(), DType::F64),
    )
}

fn assert_close(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() <= 1e-6 * expected.abs().max(1e-6),
        "{what}: {found}, not {expected}"
    );
}

/// One SAM step of the two layers, by hand. W₁ = [1 2; 3 4], W₂ = [1; 2], h₁ = (4, 6), y = 16.
/// ∇₁ = [1 2; 1 2], ∇₂ = [4; 6], ‖∇‖ = √62, so that with ρ = √62 ε = ∇. At W + ε: h̃₁ = (6, 10),
/// W̃₂ = [5; 8], ỹ = 110, ∇̃₁ = [5 8; 5 8], ∇̃₂ = [6; 10]. With η = 0.1: W₁' = [.5 1.2; 2.5 3.2],
/// W₂' = [.4; 1], h₁' = (3, 4.4), y' = 5.6.
#[test]
fn every_quantity_of_a_linear_network_of_two_layers_is_what_a_hand_computes() {
    let (model, table) = two_layers();
    let mut sam = sam(&model, &table, Rule::Sam);
    let mut optimizer = build_optimizer(sgd(), &model, &table).unwrap();
    let initial = flat_parameters(&model);
    let mut record = PerturbationRecord::default();
    let mut traces = Vec::new();
    let closure = |model: &Mlp| {
        let mut trace = Trace::recording();
        let result = gradient(model, &mut trace);
        traces.push(trace);
        result
    };
    let rho = 62f64.sqrt();
    let passes = &mut Recorded::new(&mut record, closure);
    let (updated, _) = sam
        .step_by(passes, &mut optimizer, model, 0.1, rho)
        .unwrap();
    let mut after = Trace::recording();
    updated.forward_traced(input(), &mut after);
    let fans = HashMap::from([
        ("input.weight".to_owned(), (2, 2)),
        ("readout.weight".to_owned(), (2, 1)),
    ]);
    let updated: Weights = flat_parameters(&updated);
    let origin = Origin {
        trace: &traces[0],
        weights: &initial,
        fans: &fans,
    };
    let points = ObservedStep {
        template: Point::default(),
        before: traces[0].clone(),
        perturbed: traces[1].clone(),
        weights: initial.clone(),
        updated,
        record,
    }
    .points(&origin, &after)
    .unwrap();
    let [first, second] = &points[..] else {
        panic!("{points:?}")
    };
    assert_eq!(first.tensor, "input.weight");
    assert_close(first.activation, 26f64.sqrt(), "RMS of (4, 6)");
    assert_close(first.effect, 10f64.sqrt(), "RMS of (2, 4)");
    assert_eq!(first.propagated, 0.0);
    assert!(first.cross < 1e-12);
    assert_close(first.total, 10f64.sqrt(), "total of the first layer");
    assert_close(first.gradient_norm, 10f64.sqrt(), "first gradient");
    assert_close(first.norm_share, 10.0 / 62.0, "first share");
    assert_close(first.frobenius, 10f64.sqrt(), "Frobenius norm of rank 1");
    assert_close(
        first.spectral,
        10f64.sqrt(),
        "spectral norm of rank 1, target 1",
    );
    assert_close(first.update_effect, 1.78f64.sqrt(), "RMS of (-1, -1.6)");
    assert_eq!(first.update_propagated, 0.0);
    assert_close(
        first.update_frobenius,
        1.78f64.sqrt(),
        "ΔW₁ = -0.1 [5 8; 5 8]",
    );
    assert_close(first.update_spectral, 1.78f64.sqrt(), "‖ΔW₁‖ of rank 1");

    assert_eq!(second.tensor, "readout.weight");
    assert_close(second.activation, 16.0, "y");
    assert_close(second.effect, 52.0, "4·4 + 6·6");
    assert_close(second.propagated, 10.0, "1·2 + 2·4");
    assert_close(second.cross, 32.0, "4·2 + 6·4");
    assert_close(second.total, 94.0, "110 - 16 = 52 + 10 + 32");
    assert_close(second.norm_share, 52.0 / 62.0, "second share");
    assert_close(second.spectral, 104f64.sqrt(), "√52 over √(1/2)");
    assert_close(second.frobenius, 52f64.sqrt(), "‖ε₂‖");
    assert_close(second.update_effect, 6.2, "-0.6·3 - 1·4.4");
    assert_close(second.update_propagated, 4.2, "1·(3 - 4) + 2·(4.4 - 6)");
    assert_close(second.update_frobenius, 1.36f64.sqrt(), "‖(0.6, 1)‖");
    assert_close(second.update_spectral, 2.72f64.sqrt(), "over √(1/2)");
}

fn bits(model: &Mlp) -> Vec<(String, Vec<u64>)> {
    let mut all: Vec<(String, Vec<u64>)> = flat_parameters(model)
        .into_iter()
        .map(|(name, value)| {
            let values: Vec<f64> = value.into_data().try_to_vec().unwrap();
            (name, values.into_iter().map(f64::to_bits).collect())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_model_that_was_perturbed_comes_back_bit_for_bit() {
    for rule in [Rule::Sam, Rule::Asam, Rule::AsamLayer, Rule::Random] {
        let (model, table) = two_layers();
        let sam = sam(&model, &table, rule);
        let before = bits(&model);
        let (_, gradients) = gradient(&model, &mut Trace::off()).unwrap();
        let perturbation = sam.perturbation(&model, gradients, 0.3).unwrap();
        let norm = perturbation.norm();
        let perturbed = perturbation.apply(model.clone());
        assert!(norm > 0.0);
        assert_ne!(bits(&perturbed), before, "{rule}: nothing was perturbed");
        assert_eq!(bits(&model), before, "{rule}");
    }
}

#[test]
fn a_recorded_step_is_the_plain_step_bit_for_bit_and_its_epsilon_the_difference_of_weights() {
    for rule in [Rule::Sam, Rule::Asam, Rule::AsamLayer, Rule::Random] {
        let (model, table) = two_layers();
        let mut plain = sam(&model, &table, rule);
        let mut optimizer = build_optimizer(sgd(), &model, &table).unwrap();
        let quiet = |model: &Mlp| gradient(model, &mut Trace::off());
        let (stepped, _) = plain
            .step(&mut optimizer, model.clone(), 0.01, 0.3, quiet)
            .unwrap();

        let mut recorded = sam(&model, &table, rule);
        let mut optimizer = build_optimizer(sgd(), &model, &table).unwrap();
        let mut record = PerturbationRecord::default();
        let before = flat_parameters(&model);
        let mut seen = Vec::new();
        let watched = |model: &Mlp| {
            seen.push(flat_parameters(model));
            gradient(model, &mut Trace::recording())
        };
        let passes = &mut Recorded::new(&mut record, watched);
        let (also, _) = recorded
            .step_by(passes, &mut optimizer, model, 0.01, 0.3)
            .unwrap();
        assert_eq!(bits(&also), bits(&stepped), "{rule}");
        for (name, weight) in before {
            let epsilon = record.get(&name).unwrap().epsilon.clone().unwrap();
            let moved = seen[1][&name].clone() - weight;
            let error: f64 = (moved - epsilon).abs().max().into_scalar();
            assert!(error < 1e-14, "{rule}, {name}: {error}");
        }
    }
}

#[test]
fn a_check_says_of_a_resnet_what_it_is() {
    let spec = parse_run(default_run(ModelKind::ResNet), "test", &[]).unwrap();
    let options = CheckOptions {
        widths: vec![24, 48],
        seeds: vec![0, 1],
        steps: 1,
        tolerance: 0.2,
        workers: 1,
        device: TrainingDevice::Flex,
    };
    let data = load(&spec.data).unwrap();
    let subject = subject_of_run(&spec, &data, &options);
    let model = subject.settings.iter().find(|(name, _)| name == "Model");
    assert_eq!(
        model.unwrap().1,
        "resnet-18 with a 3×3 stem, batch normalization"
    );
}

#[test]
fn a_training_that_panics_ends_the_check_and_is_named() {
    let extent = Extent {
        widths: &[8, 16, 32],
        seeds: &[0],
        steps: 1,
        tolerance: 0.2,
    };
    let measure = |width, _| match width {
        16 => panic!("no such network\nin detail"),
        _ => Ok(Measured::default()),
    };
    let result = measure_all(&extent, 2, &mut |_| {}, measure);
    let error = result.map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        "training at width 16: panic: no such network; allowed: a network that can be trained"
    );
}
