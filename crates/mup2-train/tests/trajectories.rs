//! Whole training trajectories in f64: against an independent NumPy program, and between the two
//! forms of one scheme.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::module::Param;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mup2::ghost_norm::ModelGradients;
use mup2::step::{
    AsamOptions, BaseOptimizerConfig, NamedMapper, NamedVisitor, Sam, SamConfig, ScaledOptimizer,
    Sgd, Sharing, StepReport, map_named, visit_named,
};
use mup2_scaling::{
    AsamBias, BaseOptimizer, Denominator, Parameterization, Perturbation, RoleExponents, Rule,
    ScalingTable, Scheme, scale,
};
use mup2_train::config::{Activation, Architecture, MlpConfig, ModelSpec};
use mup2_train::data::ImageShape;
use mup2_train::model::{Network, NetworkConfig, Pass};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

type Weights = BTreeMap<String, Vec<f64>>;

fn device() -> Device {
    Device::flex().autodiff()
}

fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (&device(), DType::F64))
}

/// One batch and its loss, computed as a training computes them.
struct Batch {
    /// `[count, inputs, 1, 1]`.
    x: Tensor<4>,
    labels: Tensor<2, Int>,
}

impl Batch {
    fn new(x: Vec<f64>, labels: Vec<i64>) -> Self {
        let (count, inputs) = (labels.len(), x.len() / labels.len());
        let labels = TensorData::new(labels, [count, 1]);
        Self {
            x: tensor(x, [count, inputs, 1, 1]),
            labels: Tensor::from_data(labels, &device()),
        }
    }

    fn gradient(&self, model: &Network, pass: &mut Pass) -> (Tensor<1>, ModelGradients) {
        let log_likelihood = log_softmax(model.forward(self.x.clone(), pass), 1);
        let loss = log_likelihood.gather(1, self.labels.clone()).mean().neg();
        (loss.clone(), pass.gradients(loss.backward(), model))
    }
}

/// A step of a training.
fn step(
    (sam, optimizer): (&mut Sam, &mut ScaledOptimizer),
    model: Network,
    (lr, rho): (f64, f64),
    batch: &Batch,
) -> (Network, StepReport) {
    let mut pass = Pass::training(0, 0);
    let gradient = |model: &Network, pass: &mut Pass| Ok(batch.gradient(model, pass));
    let passes = &mut Sharing::new(&mut pass, gradient);
    sam.step_by(passes, optimizer, model, lr, rho).unwrap()
}

/// Reads all parameters by path.
#[derive(Default)]
struct Reader(Weights);

impl NamedVisitor for Reader {
    fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
        let values = param.val().into_data().try_to_vec().unwrap();
        self.0.insert(name.to_owned(), values);
    }
}

fn read(model: &Network) -> Weights {
    let mut reader = Reader::default();
    visit_named(model, &mut reader);
    reader.0
}

/// Replaces all parameters by path.
struct Writer<'a>(&'a Weights);

impl NamedMapper for Writer<'_> {
    fn map<const D: usize>(&mut self, name: &str, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let values = self.0[name].clone();
        param.map(|old| {
            let shape = old.shape();
            let new = Tensor::from_data(TensorData::new(values, shape), (&device(), DType::F64));
            new.require_grad()
        })
    }
}

fn write(model: Network, weights: &Weights) -> Network {
    map_named(model, &mut Writer(weights))
}

fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0.0f64, |size, x| size.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs();
        assert!(
            error <= 1e-9 * size + 1e-15,
            "{what}: {found} is not {expected}"
        );
    }
}

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn named(value: &Value) -> Weights {
    let entries = value.as_object().unwrap().iter();
    entries
        .map(|(name, value)| (name.clone(), flat(value)))
        .collect()
}

fn perceptron(
    [inputs, classes]: [usize; 2],
    [width, base_width]: [usize; 2],
    mlp: MlpConfig,
) -> NetworkConfig {
    let model = ModelSpec {
        width,
        base_width,
        architecture: Architecture::Mlp(mlp),
        ..ModelSpec::default()
    };
    let images = ImageShape {
        channels: inputs,
        height: 1,
        width: 1,
    };
    NetworkConfig::new(&model, Parameterization::Mup, images, classes).unwrap()
}

fn drawn(config: &NetworkConfig, table: &ScalingTable, seed: u64) -> Network {
    config.init(table, seed, &device(), DType::F64).unwrap()
}

/// Follows one case of `scripts/reference/mlp_sam_trajectories.py`.
fn follow(case: &Value) {
    let name = case["name"].as_str().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let count = |value: &Value| value.as_u64().unwrap() as usize;
    let real = |value: &Value| value.as_f64().unwrap();
    let of_case = &case["config"];
    let config = perceptron(
        [count(&of_case["inputs"]), count(&of_case["classes"])],
        [count(&of_case["width"]), count(&of_case["base_width"])],
        MlpConfig {
            depth: count(&of_case["depth"]),
            bias: of_case["bias"].as_bool().unwrap(),
            activation: match text(&of_case["activation"]).as_str() {
                "relu" => Activation::Relu,
                "tanh" => Activation::Tanh,
                other => panic!("activation {other}"),
            },
            residual: of_case["residual"].as_bool().unwrap(),
        },
    );
    let entry = &case["scheme"];
    let mut scheme = Scheme::new(
        text(&entry["parameterization"]).parse().unwrap(),
        text(&entry["perturbation"]).parse().unwrap(),
    );
    scheme.denominator = Some(text(&entry["denominator"]).parse().unwrap());
    scheme.rule = text(&entry["rule"]).parse().unwrap();
    scheme.asam_bias = text(&entry["asam_bias"]).parse().unwrap();
    let table = scale(&scheme, &config.tensor_shapes()).unwrap();
    for row in &table.tensors {
        let expected = &case["multipliers"][&row.name];
        let found = [row.lr_mult, row.rho_mult, row.norm_mult, row.wd_mult];
        let expected = ["lr", "rho", "norm", "wd"].map(|key| real(&expected[key]));
        assert_close(
            &found,
            &expected,
            &format!("{name}: multipliers of {}", row.name),
        );
    }
    let model = drawn(&config, &table, 0);
    let mut model = write(model, &named(&case["initial"]));
    let sam_config = SamConfig {
        rule: scheme.rule,
        asam: AsamOptions {
            eta: real(&entry["asam_eta"]),
            bias: scheme.asam_bias,
        },
        every: count(&case["every"]),
        ascent_steps: count(&case["ascent_steps"]),
        clip_norm: case["clip_norm"].as_f64(),
        seed: 0,
    };
    let sgd = Sgd {
        momentum: real(&case["momentum"]),
        nesterov: case["nesterov"].as_bool().unwrap(),
        weight_decay: real(&case["weight_decay"]),
    };
    let mut sam = Sam::new(sam_config.clone(), &model, &table).unwrap();
    let mut optimizer =
        ScaledOptimizer::new(BaseOptimizerConfig::Sgd(sgd), &model, &table).unwrap();
    let labels = flat(&case["labels"])
        .iter()
        .map(|&label| label as i64)
        .collect();
    let batch = Batch::new(flat(&case["x"]), labels);
    let (lr, rho) = (real(&case["lr"]), real(&case["rho"]));

    let (_, gradients) = batch.gradient(&model, &mut Pass::training(0, 0));
    let radius = rho / sam_config.ascent_steps as f64;
    let perturbation = sam.perturbation(&model, gradients, radius).unwrap();
    let perturbed = perturbation.apply(model.clone());
    let (before, after) = (read(&model), read(&perturbed));
    for (tensor, expected) in named(&case["epsilon_after_first_gradient"]) {
        let pairs = after[&tensor].iter().zip(&before[&tensor]);
        let epsilon: Vec<f64> = pairs.map(|(after, before)| after - before).collect();
        // A difference of weights of size 1 carries their rounding.
        let size = expected.iter().fold(0.0f64, |size, x| size.max(x.abs()));
        for (found, expected) in epsilon.iter().zip(&expected) {
            let error = (found - expected).abs();
            assert!(
                error <= 1e-7 * size + 1e-15,
                "{name}: ε of {tensor}: {found} {expected}"
            );
        }
    }
    let (losses, norms) = (flat(&case["losses"]), flat(&case["norms"]));
    for step in 0..count(&case["steps"]) {
        let report;
        (model, report) = self::step((&mut sam, &mut optimizer), model, (lr, rho), &batch);
        assert_close(
            &[report.loss],
            &[losses[step]],
            &format!("{name}: loss {step}"),
        );
        assert_close(
            &[report.perturbation_norm],
            &[norms[step]],
            &format!("{name}: norm {step}"),
        );
    }
    let found = read(&model);
    for (tensor, expected) in named(&case["final"]) {
        assert_close(
            &found[&tensor],
            &expected,
            &format!("{name}: final {tensor}"),
        );
    }
}

#[test]
fn every_trajectory_of_the_numpy_program_is_followed() {
    let text = include_str!("fixtures/mlp_sam_trajectories.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 20);
    cases.iter().for_each(follow);
}

/// Inputs of the network whose parameterizations are compared.
const INPUTS: usize = 4;

/// The effective weights `r^(-a) W` after three steps from the streams of seed 7.
fn effective(mlp: &MlpConfig, scheme: &Scheme, momentum: f64) -> Weights {
    let config = perceptron([INPUTS, 3], [8, 4], mlp.clone());
    let table: ScalingTable = scale(scheme, &config.tensor_shapes()).unwrap();
    let mut model = drawn(&config, &table, 7);
    let sam_config = SamConfig {
        rule: scheme.rule,
        asam: AsamOptions {
            eta: 0.01,
            bias: AsamBias::One,
        },
        every: 1,
        ascent_steps: 1,
        clip_norm: None,
        seed: 7,
    };
    let sgd = Sgd {
        momentum,
        nesterov: false,
        weight_decay: 0.0,
    };
    let mut sam = Sam::new(sam_config, &model, &table).unwrap();
    let mut optimizer =
        ScaledOptimizer::new(BaseOptimizerConfig::Sgd(sgd), &model, &table).unwrap();
    let x = (0..6 * INPUTS).map(|i| (i as f64 * 0.7).sin()).collect();
    let batch = Batch::new(x, vec![0, 1, 2, 2, 1, 0]);
    for _ in 0..3 {
        let report;
        (model, report) = step((&mut sam, &mut optimizer), model, (0.05, 0.05), &batch);
        assert!(!report.diverged);
    }
    let mut weights = read(&model);
    for row in &table.tensors {
        let values = weights.get_mut(&row.name).unwrap();
        values
            .iter_mut()
            .for_each(|value| *value *= row.weight_mult);
    }
    weights
}

fn exponents() -> impl Strategy<Value = RoleExponents> {
    let range = -0.75..0.75f64;
    (range.clone(), range.clone(), range).prop_map(|(a, b, c)| RoleExponents::new(a, b, c, 0.0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// METHOD section 5.
    #[test]
    fn weight_multipliers_and_optimizer_multipliers_give_the_same_trajectory(
        a in exponents(), b in exponents(), c in exponents(), d in exponents(), e in exponents(),
        global in -0.5..0.5f64, depth in 2usize..5, bias: bool, residual: bool, momentum: bool,
        rule_index in 0usize..4, derived: bool, coupled: bool,
    ) {
        let mlp = MlpConfig { depth, bias, activation: Activation::Tanh, residual };
        let mut scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
        scheme.optimizer = BaseOptimizer::Sgd;
        scheme.rule = [Rule::Sam, Rule::Asam, Rule::AsamLayer, Rule::Random][rule_index];
        scheme.denominator =
            Some(if coupled { Denominator::Coupled } else { Denominator::Decoupled });
        if !derived {
            scheme.exponents.b = Some(b);
            scheme.exponents.c = Some(c);
            scheme.exponents.d = Some(global);
            scheme.exponents.d_layer = Some(d);
            scheme.exponents.e = Some(e);
        }
        let momentum = if momentum { 0.5 } else { 0.0 };
        let plain = effective(&mlp, &scheme, momentum);
        scheme.weight_multipliers = true;
        scheme.exponents.a = Some(a);
        let multiplied = effective(&mlp, &scheme, momentum);
        for (name, expected) in &plain {
            assert_close(&multiplied[name], expected, name);
        }
    }
}
