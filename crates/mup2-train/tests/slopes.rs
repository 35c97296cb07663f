//! The measured effect of each layer's perturbation against width: METHOD section 8, on a real
//! network, in f64.
//!
//! The same experiment as `scripts/reference/effect_slopes.py` (NumPy): a three-layer ReLU network
//! without biases in µP, base width 1, five SAM steps on fresh random batches, then the RMS of
//! ε^l x^(l-1) on one more batch; the slope of its logarithm over log width.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mup2::step::{AsamOptions, BaseOptimizerConfig, Sam, SamConfig, Sgd, build_optimizer};
use mup2_scaling::error::Result;
use mup2_scaling::random::stream;
use mup2_scaling::{AsamBias, Denominator, Parameterization, Perturbation, Rule, Scheme, scale};
use mup2_train::config::ModelSpec;
use mup2_train::data::ImageShape;
use mup2_train::model::{Mlp, Network, NetworkConfig};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

const INPUTS: usize = 32;
const CLASSES: usize = 10;
const BATCH: usize = 64;
const STEPS: usize = 5;
const LEARNING_RATE: f64 = 0.1;
const WIDTHS: [usize; 5] = [64, 128, 256, 512, 1024];
const SEEDS: u64 = 3;

struct Batch {
    x: Tensor<2>,
    labels: Tensor<2, Int>,
}

impl Batch {
    /// The same batch at every width.
    fn draw(seed: u64, index: usize, device: &Device) -> Self {
        let mut stream = stream(seed, &format!("slopes/batch-{index}"));
        let x: Vec<f64> = (0..BATCH * INPUTS)
            .map(|_| StandardNormal.sample(&mut stream))
            .collect();
        let labels: Vec<i64> = (0..BATCH)
            .map(|_| i64::from(stream.next_u32() % CLASSES as u32))
            .collect();
        let x = TensorData::new(x, [BATCH, INPUTS]);
        Self {
            x: Tensor::from_data(x, (device, DType::F64)),
            labels: Tensor::from_data(TensorData::new(labels, [BATCH, 1]), device),
        }
    }

    fn gradient(&self, model: &Mlp) -> Result<(Tensor<1>, GradientsParams)> {
        let log_likelihood = log_softmax(model.forward(self.x.clone()), 1);
        let loss = log_likelihood.gather(1, self.labels.clone()).mean().neg();
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        Ok((loss, gradients))
    }
}

/// The three weight matrices in the order of the layers.
#[derive(Default)]
struct Matrices(Vec<Tensor<2>>);

impl ModuleVisitor for Matrices {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val().without_autodiff();
        let [rows, columns] = value.dims()[..] else {
            panic!("a matrix")
        };
        self.0.push(value.reshape([rows, columns]));
    }
}

fn matrices(model: &Mlp) -> Vec<Tensor<2>> {
    let mut found = Matrices::default();
    model.visit(&mut found);
    found.0
}

/// log RMS(ε^l x^(l-1)) of the three layers after training.
fn log_effects(scheme: &Scheme, rho: f64, width: usize, seed: u64) -> Vec<f64> {
    let device = Device::flex().autodiff();
    let model = ModelSpec {
        width,
        base_width: 1,
        ..ModelSpec::default()
    };
    let images = ImageShape {
        channels: INPUTS,
        height: 1,
        width: 1,
    };
    let config = NetworkConfig::new(&model, scheme.parameterization, images, CLASSES).unwrap();
    let table = scale(scheme, &config.tensor_shapes()).unwrap();
    let network = config.init(&table, seed, &device, DType::F64).unwrap();
    let Network::Mlp(mut model) = network else {
        panic!("not an MLP");
    };
    let sam_config = SamConfig {
        rule: scheme.rule,
        asam: AsamOptions {
            eta: 0.01,
            bias: AsamBias::One,
        },
        every: 1,
        ascent_steps: 1,
        clip_norm: None,
        seed,
    };
    let sgd = Sgd {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
    };
    let mut sam = Sam::new(sam_config, &model, &table).unwrap();
    let mut optimizer = build_optimizer(BaseOptimizerConfig::Sgd(sgd), &model, &table).unwrap();
    for step in 0..STEPS {
        let batch = Batch::draw(seed, step, &device);
        let report;
        (model, report) = sam
            .step(&mut optimizer, model, LEARNING_RATE, rho, |model| {
                batch.gradient(model)
            })
            .unwrap();
        assert!(!report.diverged);
    }
    let batch = Batch::draw(seed, STEPS, &device);
    let (_, gradients) = batch.gradient(&model).unwrap();
    let weights = matrices(&model);
    let perturbation = sam.perturbation(&model, gradients, rho).unwrap();
    let perturbed = matrices(&perturbation.apply(model));
    let mut x = batch.x.without_autodiff();
    let mut effects = Vec::new();
    for (weight, perturbed) in weights.into_iter().zip(perturbed) {
        let effect = x.clone().matmul(perturbed - weight.clone());
        let mean_square = effect.square().mean().into_scalar::<f64>();
        effects.push(0.5 * mean_square.ln());
        x = relu(x.matmul(weight));
    }
    effects
}

/// Least-squares slopes over log width, of means over seeds.
fn slopes(scheme: &Scheme, rho: f64) -> [f64; 3] {
    let means: Vec<Vec<f64>> = WIDTHS
        .iter()
        .map(|&width| {
            let runs: Vec<Vec<f64>> = (0..SEEDS)
                .map(|seed| log_effects(scheme, rho, width, seed))
                .collect();
            let mean = |layer| runs.iter().map(|run| run[layer]).sum::<f64>() / SEEDS as f64;
            (0..3).map(mean).collect()
        })
        .collect();
    let logs: Vec<f64> = WIDTHS.iter().map(|&width| (width as f64).ln()).collect();
    let center = logs.iter().sum::<f64>() / logs.len() as f64;
    let variance: f64 = logs.iter().map(|log| (log - center).powi(2)).sum();
    [0, 1, 2].map(|layer| {
        let pairs = logs.iter().zip(&means);
        pairs
            .map(|(log, mean)| (log - center) * mean[layer])
            .sum::<f64>()
            / variance
    })
}

fn scheme(perturbation: Perturbation, rule: Rule, denominator: Denominator) -> Scheme {
    let mut scheme = Scheme::new(Parameterization::Mup, perturbation);
    scheme.rule = rule;
    scheme.denominator = Some(denominator);
    scheme
}

fn assert_slopes(found: [f64; 3], expected: [f64; 3], tolerance: f64, what: &str) {
    for (found_slope, expected_slope) in found.iter().zip(expected) {
        let error = (found_slope - expected_slope).abs();
        assert!(
            error <= tolerance,
            "{what}: {found:.2?}, not {expected:?} ± {tolerance}"
        );
    }
}

/// Whether every layer's own perturbation neither vanishes nor blows up.
fn is_effective(slopes: [f64; 3]) -> bool {
    slopes.iter().all(|slope| slope.abs() <= 0.1)
}

#[test]
fn mup2_perturbs_every_layer_effectively_with_either_denominator() {
    for denominator in [Denominator::Coupled, Denominator::Decoupled] {
        let found = slopes(&scheme(Perturbation::Mup2, Rule::Sam, denominator), 0.05);
        assert_slopes(found, [0.0, 0.01, -0.03], 0.1, "mup2");
        assert!(is_effective(found));
    }
}

#[test]
fn naive_global_and_first_layer_scalings_fail_the_test_that_mup2_passes() {
    let measure = |perturbation| {
        let found = slopes(&scheme(perturbation, Rule::Sam, Denominator::Coupled), 0.05);
        assert!(!is_effective(found), "{perturbation}: {found:?}");
        found
    };
    // Naive is unstable, so its slopes are not asymptotic: METHOD measured the first as −1.35.
    let naive = measure(Perturbation::Naive);
    assert_slopes(naive, [-1.35, -0.45, 0.39], 0.2, "naive against METHOD");
    assert_slopes(naive, [-1.5, -0.5, 0.5], 0.15, "naive against the theory");
    assert_slopes(
        measure(Perturbation::Global),
        [-1.99, -0.99, -0.02],
        0.1,
        "global",
    );
    assert_slopes(
        measure(Perturbation::FirstLayer),
        [0.0, -1.0, -1.0],
        0.1,
        "first layer",
    );
    assert_slopes(
        measure(Perturbation::Balanced),
        [-1.0, -0.5, 0.0],
        0.1,
        "balanced",
    );
}

#[test]
fn elementwise_asam_is_effective_as_derived_and_vanishes_unscaled() {
    let found = slopes(
        &scheme(Perturbation::Mup2, Rule::Asam, Denominator::Coupled),
        0.5,
    );
    assert_slopes(found, [0.0, -0.02, 0.0], 0.1, "derived");
    let found = slopes(
        &scheme(Perturbation::Naive, Rule::Asam, Denominator::Coupled),
        0.5,
    );
    assert_slopes(found, [-0.5, -0.52, -0.5], 0.1, "unscaled");
    // The sign of one public code base.
    let found = slopes(
        &scheme(Perturbation::Global, Rule::Asam, Denominator::Coupled),
        0.5,
    );
    assert_slopes(found, [-1.0, -1.0, -1.0], 0.1, "wrong sign");
}

#[test]
fn layerwise_asam_is_effective_as_derived_and_not_unscaled() {
    let found = slopes(
        &scheme(Perturbation::Mup2, Rule::AsamLayer, Denominator::Coupled),
        0.01,
    );
    assert_slopes(found, [0.0, 0.01, -0.03], 0.1, "derived");
    let found = slopes(
        &scheme(Perturbation::Naive, Rule::AsamLayer, Denominator::Coupled),
        0.01,
    );
    // Unstable, so not asymptotic: measured −0.40 at the readout, METHOD −0.54, the theory −0.5.
    assert_slopes(found, [-0.42, 0.54, -0.54], 0.15, "unscaled against METHOD");
    assert_slopes(
        found,
        [-0.5, 0.5, -0.5],
        0.12,
        "unscaled against the theory",
    );
}

#[test]
fn a_random_direction_is_effective_as_derived() {
    let found = slopes(
        &scheme(Perturbation::Mup2, Rule::Random, Denominator::Decoupled),
        0.5,
    );
    assert_slopes(found, [0.0, 0.0, 0.0], 0.1, "derived");
}
