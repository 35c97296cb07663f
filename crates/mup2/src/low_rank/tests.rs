//! Steps without the perturbed matrices against those with them, in f64: the same numbers.

use super::*;
use crate::config::{Architecture, MlpConfig, ModelSpec};
use crate::data::ImageShape;
use crate::error::Result;
use crate::model::{Network, NetworkConfig, Pass};
use crate::scaling::{
    AsamBias, Parameterization, Perturbation as Rules, Rule, ScalingTable, Scheme, scale,
};
use crate::step::{
    AsamOptions, BaseOptimizerConfig, Sam, SamConfig, Sgd, StepReport, build_optimizer,
    flat_parameters, parameters,
};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device, TensorData};
use proptest::prelude::*;

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
    /// As [`LowRank`] wants, but for the gradients that go to the optimizer.
    LowRank,
    /// Those too.
    InFactors,
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

    fn start(&self) -> Result<(Network, ModuleOptimizer)> {
        let model = self
            .config
            .init(&self.table, 5, &Self::device(), self.dtype)?;
        let sgd = BaseOptimizerConfig::Sgd(self.sgd);
        let optimizer = build_optimizer(sgd, &model, &self.table)?;
        Ok((model, optimizer))
    }

    /// Loss and gradients, and which parameters had none of their own in each pass.
    fn gradient(
        &self,
        model: &Network,
        step: usize,
        pass: &mut Pass,
    ) -> (Tensor<1>, GradientsParams) {
        let logits = model.forward(self.images(step as f64), pass);
        let loss = (logits.powi_scalar(2) + 1.0).log().mean();
        let gradients = loss.backward();
        pass.low_rank.read(&gradients);
        (loss, GradientsParams::from_grads(gradients, model))
    }

    /// The weights after a few steps, and what each step reported.
    fn train(&self, options: &SamConfig, steps: Steps) -> (Vec<f64>, Vec<StepReport>) {
        let (mut model, mut optimizer) = self.start().unwrap();
        let sam = Sam::new(options.clone(), &model, &self.table).unwrap();
        let mut sam = sam.descends_by_factors(steps == Steps::InFactors);
        let mut reports = Vec::new();
        for step in 0..5 {
            let (next, report) = if steps != Steps::Whole {
                sam.step_low_rank(&mut optimizer, model, 0.3, self.rho, |model, low_rank| {
                    let mut pass = Pass::training(0, 0).with_low_rank(std::mem::take(low_rank));
                    let gradient = self.gradient(model, step, &mut pass);
                    *low_rank = pass.low_rank;
                    gradient
                })
            } else {
                sam.step(&mut optimizer, model, 0.3, self.rho, |model| {
                    self.gradient(model, step, &mut Pass::training(0, 0))
                })
            };
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
            let (weights, reports) = case.train(&options(Rule::Sam), Steps::LowRank);
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
        let (weights, reports) = case.train(&options, Steps::LowRank);
        assert_eq!(
            (weights, reports),
            case.train(&options, Steps::Whole),
            "{options:?}"
        );
    }
}

#[test]
fn the_first_pass_leaves_out_the_gradients_of_matrices_that_pay_and_no_others() {
    let case = case(true, DType::F32);
    let (model, _) = case.start().unwrap();
    let parameters = parameters(&model);
    let candidates = parameters.iter().map(|parameter| parameter.id).collect();
    let low_rank = LowRank::observing(&Arc::new(candidates));
    let mut pass = Pass::training(0, 0).with_low_rank(low_rank);
    let (_, gradients) = case.gradient(&model, 0, &mut pass);
    let norms = pass.low_rank.squared_norms();
    let (_, whole) = case.gradient(&model, 0, &mut Pass::training(0, 0));
    let mut left_out = Vec::new();
    for parameter in &parameters {
        let known = norms.iter().find(|(id, _)| *id == parameter.id);
        if let Some((_, squared)) = known {
            let gradient: Tensor<2> = whole.get(parameter.id).unwrap();
            let expected = crate::fused::squared_norm(gradient);
            assert!(
                (squared / expected - 1.0).abs() < 1e-5,
                "{squared}, not {expected}"
            );
            assert!(gradients.get::<2>(parameter.id).is_none());
            left_out.push(parameter.name.as_str());
        } else if parameter.shape.len() == 2 {
            assert!(
                gradients.get::<2>(parameter.id).is_some(),
                "{}",
                parameter.name
            );
        } else {
            assert!(
                gradients.get::<1>(parameter.id).is_some(),
                "{}",
                parameter.name
            );
        }
    }
    assert_eq!(
        left_out,
        ["input.weight", "hidden.0.weight", "hidden.1.weight"]
    );
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
                    case.train(&options, Steps::InFactors),
                    case.train(&options, Steps::LowRank),
                    "{options:?} {:?} {rho}",
                    case.sgd
                );
            }
        }
    }
}

#[test]
fn the_gradients_that_an_optimizer_wants_whole_are_whole_and_the_others_in_factors() {
    let case = case(true, DType::F32);
    let (model, _) = case.start().unwrap();
    for (low_rank, in_factors) in [
        (LowRank::off(), [].as_slice()),
        (
            LowRank::off().ending_in_factors(true),
            &["input.weight", "hidden.0.weight", "hidden.1.weight"],
        ),
    ] {
        let mut pass = Pass::training(0, 0).with_low_rank(low_rank);
        let (_, gradients) = case.gradient(&model, 0, &mut pass);
        let (_, whole) = case.gradient(&model, 0, &mut Pass::training(0, 0));
        let mut seen = Vec::new();
        let parameters = parameters(&model);
        for parameter in parameters
            .iter()
            .filter(|parameter| parameter.shape.len() == 2)
        {
            let gradient: Tensor<2> = gradients.get(parameter.id).unwrap();
            let expected: Tensor<2> = whole.get(parameter.id).unwrap();
            if gradient.dims() != expected.dims() {
                seen.push(parameter.name.as_str());
                let product = crate::fused::whole_gradient(gradient, expected.clone());
                assert_eq!(product.into_data(), expected.into_data());
            }
        }
        assert_eq!(seen, in_factors);
    }
}

#[test]
fn clipping_wants_whole_gradients_and_gets_them() {
    let clipped = SamConfig {
        clip_norm: Some(1e-3),
        ..options(Rule::Sam)
    };
    let case = case(true, DType::F32);
    let trained = case.train(&clipped, Steps::InFactors);
    assert_eq!(trained, case.train(&clipped, Steps::LowRank));
    assert_ne!(trained, case.train(&options(Rule::Sam), Steps::LowRank));
}

#[test]
fn a_gradient_that_overflows_at_a_finite_loss_is_a_divergence() {
    let case = case(false, DType::F32);
    let (model, mut optimizer) = case.start().unwrap();
    let mut sam = Sam::new(options(Rule::Sam), &model, &case.table).unwrap();
    let (_, report) = sam.step_low_rank(&mut optimizer, model, 0.1, 0.1, |model, low_rank| {
        let mut pass = Pass::training(0, 0).with_low_rank(std::mem::take(low_rank));
        let steep = model.forward(case.images(0.0), &mut pass).mul_scalar(1e30);
        let gradients = steep.clone().mul_scalar(1e30).sum().backward();
        pass.low_rank.read(&gradients);
        *low_rank = pass.low_rank;
        (
            steep.mean().mul_scalar(0.0),
            GradientsParams::from_grads(gradients, model),
        )
    });
    assert!(report.diverged && report.loss.is_finite(), "{report:?}");
    assert!(!report.perturbation_norm.is_finite(), "{report:?}");
}

#[test]
fn a_zero_gradient_takes_no_perturbation() {
    let case = case(false, DType::F32);
    let (model, _) = case.start().unwrap();
    let ids = parameters(&model).into_iter().map(|parameter| parameter.id);
    let mut pass = Pass::training(0, 0).with_low_rank(LowRank::observing(&Arc::new(ids.collect())));
    let zero = model
        .forward(case.images(0.0), &mut pass)
        .mul_scalar(0.0)
        .sum();
    pass.low_rank.read(&zero.backward());
    let norms = pass.low_rank.squared_norms();
    assert_eq!(norms.len(), 3);
    assert!(
        norms.iter().all(|(_, squared)| *squared == 0.0),
        "{norms:?}"
    );
}

proptest! {
    #[test]
    fn factors_are_taken_only_where_they_spare_multiplications(
        (rows, inputs, outputs) in (1usize..200, 1usize..4000, 1usize..4000),
    ) {
        // Multiplications: a Gram matrix of rows of n entries has half of rows² n.
        let square = (rows * rows) as f64;
        let (gradient, half) = ((rows * inputs * outputs) as f64, square * (inputs + outputs) as f64 / 2.0);
        let layer = half + 2.0 * square * (inputs + outputs) as f64;
        // The zeros of a ReLU are skipped.
        prop_assert_eq!(pays(rows, [inputs, outputs], Source::Layer), layer < gradient / 2.0);
        let batch = half + square * outputs as f64;
        prop_assert_eq!(pays(rows, [inputs, outputs], Source::Batch), batch < gradient);
        if rows >= inputs.min(outputs) {
            prop_assert!(!pays(rows, [inputs, outputs], Source::Layer));
        }
    }
}
