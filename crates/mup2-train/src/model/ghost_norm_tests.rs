//! Steps without the perturbed matrices against those with them, in f64: the same numbers.

use crate::config::{Architecture, MlpConfig, ModelSpec};
use crate::data::ImageShape;
use crate::model::{Network, NetworkConfig, Pass};
use crate::scaling::{
    AsamBias, Parameterization, Perturbation as Rules, Rule, ScalingTable, Scheme, scale,
};
use crate::step::{
    AsamOptions, BaseOptimizerConfig, Sam, SamConfig, ScaledOptimizer, Sgd, Sharing, StepReport,
    build_optimizer, flat_parameters, parameters,
};
use burn::module::ParamId;
use burn::tensor::{DType, Device, Tensor, TensorData};
use mup2::ghost_norm::*;
use std::collections::HashSet;
use std::sync::Arc;

/// An MLP on a batch of so few rows that every matrix but the readout's pays.
struct Case {
    rows: usize,
    config: NetworkConfig,
    table: ScalingTable,
    dtype: DType,
    sgd: Sgd,
    rho: f64,
}

/// How steps are computed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Steps {
    /// With gradients and perturbations of their own.
    Whole,
    /// By [`GhostNorm`], with dense gradients for the optimizer.
    Ghost,
    /// By [`GhostNorm`], with an optimizer that takes factors, as in a training.
    Factored,
}

const INPUTS: usize = 40;

fn case(bias: bool, dtype: DType) -> Case {
    let model = ModelSpec {
        width: 48,
        base_width: 12,
        output_multiplier: 2.0,
        architecture: Architecture::Mlp(MlpConfig {
            depth: 4,
            bias,
            residual: true,
            ..MlpConfig::default()
        }),
        ..ModelSpec::default()
    };
    let images = ImageShape {
        channels: 1,
        height: 1,
        width: INPUTS,
    };
    let config = NetworkConfig::new(&model, Parameterization::Mup, images, 3).unwrap();
    // In the a-form every matrix has a multiplier after its product.
    let scheme = Scheme {
        weight_multipliers: true,
        ..Scheme::new(Parameterization::Mup, Rules::Mup2)
    };
    Case {
        rows: 4,
        table: scale(&scheme, &config.tensor_shapes()).unwrap(),
        config,
        dtype,
        sgd: Sgd {
            momentum: 0.9,
            nesterov: false,
            weight_decay: 1e-3,
        },
        rho: 0.5,
    }
}

fn options(rule: Rule) -> SamConfig {
    SamConfig {
        rule,
        asam: AsamOptions {
            eta: 0.01,
            bias: AsamBias::One,
        },
        every: 1,
        ascent_steps: 1,
        clip_norm: None,
        seed: 0,
    }
}

impl Case {
    fn device() -> Device {
        Device::flex().autodiff()
    }

    fn images(&self, seed: f64) -> Tensor<4> {
        let count = self.rows * INPUTS;
        let values: Vec<f64> = (0..count)
            .map(|place| (place as f64 * 0.7 + seed).sin())
            .collect();
        let data = TensorData::new(values, [self.rows, 1, 1, INPUTS]);
        let data = data.convert_dtype(self.dtype);
        Tensor::from_data(data, (&Self::device(), self.dtype))
    }

    fn model(&self) -> Network {
        let device = Self::device();
        let model = self.config.init(&self.table, 5, &device, self.dtype);
        model.unwrap()
    }

    /// Loss and gradients.
    fn gradient(
        &self,
        model: &Network,
        step: usize,
        pass: &mut Pass,
    ) -> (Tensor<1>, ModelGradients) {
        let logits = model.forward(self.images(step as f64), pass);
        let loss = (logits.powi_scalar(2) + 1.0).log().mean();
        (loss.clone(), pass.gradients(loss.backward(), model))
    }

    /// The weights after a few steps, and what each step reported.
    fn train(&self, options: &SamConfig, steps: Steps) -> (Vec<f64>, Vec<StepReport>) {
        let mut model = self.model();
        let sgd = BaseOptimizerConfig::Sgd(self.sgd);
        let mut optimizer: ScaledOptimizer = match steps {
            Steps::Factored => ScaledOptimizer::new(sgd, &model, &self.table).unwrap(),
            _ => build_optimizer(sgd, &model, &self.table).unwrap().into(),
        };
        let mut sam = Sam::new(options.clone(), &model, &self.table).unwrap();
        let mut reports = Vec::new();
        for step in 0..5 {
            let mut pass = Pass::training(0, 0);
            let stepped = match steps {
                Steps::Whole => sam.step(&mut optimizer, model, 0.3, self.rho, |model| {
                    let (loss, gradients) = self.gradient(model, step, &mut pass);
                    Ok((loss, gradients.into_dense()))
                }),
                _ => {
                    let gradient =
                        |model: &Network, pass: &mut Pass| Ok(self.gradient(model, step, pass));
                    let passes = &mut Sharing::new(&mut pass, gradient);
                    sam.step_by(passes, &mut optimizer, model, 0.3, self.rho)
                }
            };
            let (next, report) = stepped.unwrap();
            model = next;
            reports.push(report);
        }
        let mut weights = flat_parameters(&model);
        let in_order = parameters(&model).into_iter();
        let weights = in_order.filter_map(|parameter| weights.remove(&parameter.name));
        let weights = weights.flat_map(|weights| {
            let values = weights.into_data();
            values.iter::<f64>().collect::<Vec<_>>()
        });
        (weights.collect(), reports)
    }
}

fn largest_difference(one: &[f64], other: &[f64]) -> f64 {
    assert_eq!(one.len(), other.len());
    let pairs = one.iter().zip(other);
    pairs
        .map(|(one, other)| (one - other).abs())
        .fold(0.0, f64::max)
}

#[test]
fn five_steps_without_perturbed_matrices_end_at_the_same_weights() {
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
        for bias in [false, true] {
            let case = case(bias, dtype);
            let (weights, reports) = case.train(&options(Rule::Sam), Steps::Ghost);
            let (expected, expected_reports) = case.train(&options(Rule::Sam), Steps::Whole);
            let off = largest_difference(&weights, &expected);
            assert!(off < tolerance, "{dtype:?}, bias {bias}: {off:e}");
            assert_ne!(weights, expected, "both went the same way");
            for (report, expected) in reports.iter().zip(expected_reports) {
                assert!((report.loss - expected.loss).abs() < tolerance);
                let norm = report.perturbation_norm / expected.perturbation_norm;
                assert!((norm - 1.0).abs() < tolerance, "{norm}");
            }
        }
    }
}

#[test]
fn what_is_no_multiple_of_the_gradient_is_perturbed_as_before_to_the_bit() {
    let several = SamConfig {
        ascent_steps: 2,
        ..options(Rule::Sam)
    };
    for options in [
        options(Rule::Asam),
        options(Rule::AsamLayer),
        options(Rule::Random),
        several,
    ] {
        let case = case(true, DType::F32);
        let (weights, reports) = case.train(&options, Steps::Ghost);
        assert_eq!(
            (weights, reports),
            case.train(&options, Steps::Whole),
            "{options:?}"
        );
    }
}

/// What is known of each matrix: its path, its gradient, and its factors if it has some.
fn matrices(
    case: &Case,
    model: &Network,
    purpose: Purpose,
) -> Vec<(String, Tensor<2>, Option<Factors>)> {
    let mut pass = Pass::training(0, 0);
    pass.as_mut().begin(purpose);
    let (_, mut gradients) = case.gradient(model, 0, &mut pass);
    let (_, dense) = case.gradient(model, 0, &mut Pass::training(0, 0));
    let dense = dense.into_dense();
    let parameters = parameters(model).into_iter();
    let matrices = parameters.filter(|parameter| parameter.shape.len() == 2);
    let known = matrices.map(|parameter| {
        let whole = dense.get(parameter.id).unwrap();
        let factors = match gradients.remove::<2>(parameter.id).unwrap() {
            Gradient::Factored(factors) => Some(factors),
            Gradient::Dense(gradient) => {
                assert_eq!(gradient.dims(), whole.dims());
                None
            }
        };
        (parameter.name, whole, factors)
    });
    known.collect()
}

fn factored(matrices: &[(String, Tensor<2>, Option<Factors>)]) -> Vec<&str> {
    let factored = matrices.iter().filter(|(_, _, factors)| factors.is_some());
    factored.map(|(name, _, _)| name.as_str()).collect()
}

#[test]
fn the_first_gradients_of_matrices_that_pay_are_factors_with_the_norms_of_the_gradients() {
    let case = case(true, DType::F32);
    let model = case.model();
    let ids = parameters(&model).into_iter().map(|parameter| parameter.id);
    let ids: HashSet<ParamId> = ids.collect();
    let matrices = matrices(&case, &model, Purpose::Ascent(Arc::new(ids)));
    assert_eq!(
        factored(&matrices),
        ["input.weight", "hidden.0.weight", "hidden.1.weight"]
    );
    for (name, whole, factors) in matrices {
        let Some(factors) = factors else { continue };
        let squared = GhostGradient::new(ParamId::new(), factors).squared_norm();
        let ratio = squared / crate::fused::squared_norm(whole);
        assert!((ratio - 1.0).abs() < 1e-5, "{name}: {ratio}");
    }
    // What is no candidate has a dense gradient.
    let none = self::matrices(&case, &model, Purpose::Ascent(Arc::default()));
    assert!(factored(&none).is_empty());
}

#[test]
fn steps_whose_last_gradients_stay_factors_end_with_the_same_bits() {
    let rules = [Rule::Sam, Rule::Asam, Rule::AsamLayer, Rule::Random];
    let every_other = SamConfig {
        every: 2,
        ascent_steps: 2,
        ..options(Rule::Sam)
    };
    let options = rules.map(options).into_iter().chain([every_other]);
    for options in options {
        for (momentum, nesterov, weight_decay) in [
            (0.0, false, 0.0),
            (0.0, false, 1e-3),
            (0.9, false, 0.0),
            (0.9, true, 1e-3),
        ] {
            for rho in [0.0, 0.5] {
                let mut case = case(true, DType::F32);
                (case.sgd, case.rho) = (
                    Sgd {
                        momentum,
                        nesterov,
                        weight_decay,
                    },
                    rho,
                );
                assert_eq!(
                    case.train(&options, Steps::Factored),
                    case.train(&options, Steps::Ghost),
                    "{options:?} {:?} {rho}",
                    case.sgd
                );
            }
        }
    }
}

#[test]
fn the_last_gradients_are_factors_of_the_same_bits_where_the_optimizer_takes_them() {
    let case = case(true, DType::F32);
    let model = case.model();
    let dense = matrices(&case, &model, Purpose::Descent { factored: false });
    assert!(factored(&dense).is_empty());
    let matrices = matrices(&case, &model, Purpose::Descent { factored: true });
    assert_eq!(
        factored(&matrices),
        ["input.weight", "hidden.0.weight", "hidden.1.weight"]
    );
    for (name, whole, factors) in matrices {
        if let Some(factors) = factors {
            assert_eq!(factors.product().into_data(), whole.into_data(), "{name}");
        }
    }
}

#[test]
fn an_optimizer_of_burns_has_factors_multiplied() {
    let case = case(true, DType::F32);
    let model = case.model();
    let mut pass = Pass::training(0, 0);
    pass.as_mut().begin(Purpose::Descent { factored: true });
    let (_, gradients) = case.gradient(&model, 0, &mut pass);
    let (_, whole) = case.gradient(&model, 0, &mut Pass::training(0, 0));
    let (gradients, whole) = (gradients.into_dense(), whole.into_dense());
    for parameter in parameters(&model) {
        if parameter.shape.len() == 2 {
            let [found, expected] =
                [&gradients, &whole].map(|all| all.get::<2>(parameter.id).unwrap());
            assert_eq!(
                found.into_data(),
                expected.into_data(),
                "{}",
                parameter.name
            );
        }
    }
}

#[test]
fn clipping_wants_whole_gradients_and_gets_them() {
    let clipped = SamConfig {
        clip_norm: Some(1e-3),
        ..options(Rule::Sam)
    };
    let case = case(true, DType::F32);
    let trained = case.train(&clipped, Steps::Factored);
    assert_eq!(trained, case.train(&clipped, Steps::Ghost));
    assert_ne!(trained, case.train(&options(Rule::Sam), Steps::Ghost));
}

#[test]
fn a_gradient_that_overflows_at_a_finite_loss_is_a_divergence() {
    let case = case(false, DType::F32);
    let model = case.model();
    let sgd = BaseOptimizerConfig::Sgd(case.sgd);
    let mut optimizer = ScaledOptimizer::new(sgd, &model, &case.table).unwrap();
    let mut sam = Sam::new(options(Rule::Sam), &model, &case.table).unwrap();
    let mut pass = Pass::training(0, 0);
    let gradient = |model: &Network, pass: &mut Pass| {
        let steep = model.forward(case.images(0.0), pass).mul_scalar(1e30);
        let backward = steep.clone().mul_scalar(1e30).sum().backward();
        let gradients = pass.gradients(backward, model);
        Ok((steep.mean().mul_scalar(0.0), gradients))
    };
    let passes = &mut Sharing::new(&mut pass, gradient);
    let (_, report) = sam
        .step_by(passes, &mut optimizer, model, 0.1, 0.1)
        .unwrap();
    assert!(report.diverged && report.loss.is_finite(), "{report:?}");
    assert!(!report.perturbation_norm.is_finite(), "{report:?}");
}

#[test]
fn a_zero_gradient_has_factors_of_norm_zero() {
    let case = case(false, DType::F32);
    let model = case.model();
    let ids = parameters(&model).into_iter().map(|parameter| parameter.id);
    let mut pass = Pass::training(0, 0);
    let candidates = Arc::new(ids.collect());
    pass.as_mut().begin(Purpose::Ascent(candidates));
    let logits = model.forward(case.images(0.0), &mut pass);
    let backward = logits.mul_scalar(0.0).sum().backward();
    let (_, factored) = pass.gradients(backward, &model).into_parts();
    assert_eq!(factored.len(), 3);
    for (id, factors) in factored {
        assert_eq!(GhostGradient::new(id, factors).squared_norm(), 0.0);
    }
}
