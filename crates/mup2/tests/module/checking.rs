//! The coordinate check of a module that is none of ours.

use super::nets::{INPUTS, Perceptron, batch, gradient, loss, perceptron_shapes};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use mup2::check::{ModuleCheckOptions, ModuleTraining, check_module};
use mup2::error::Result;
use mup2::scaling::workers::Cancel;
use mup2::scaling::{Parameterization, Perturbation, Rule, Scheme};
use mup2::step::{BaseOptimizerConfig, Sgd};
use mup2::trace::Trace;
use mup2_report::check::terminal_table;
use mup2_scaling::check::{CheckReport, SlopeVerdict};

fn options(widths: &[usize]) -> ModuleCheckOptions {
    ModuleCheckOptions {
        widths: widths.to_vec(),
        seeds: vec![0, 1],
        steps: 3,
        tolerance: 0.2,
        workers: 2,
    }
}

/// The perceptron under a scheme at a radius; `gradient` may trace.
fn checked<F>(scheme: &Scheme, rho: f64, gradient: impl Fn() -> F + Sync) -> Result<CheckReport>
where
    F: FnMut(&Perceptron, &mut Trace) -> Result<(Tensor<1>, GradientsParams)> + 'static,
{
    let shapes = perceptron_shapes();
    let train = |width, seed| {
        let scaled = shapes.scale(scheme, &Perceptron::new(width))?;
        let model = scaled.initialize(Perceptron::new(width), seed)?;
        let sgd = Sgd {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        };
        Ok(ModuleTraining {
            optimizer: scaled.optimizer(BaseOptimizerConfig::Sgd(sgd), &model)?,
            sam: scaled.sam(&model)?,
            scaled,
            model,
            learning_rate: 0.02,
            rho,
            gradient: Box::new(gradient()),
        })
    };
    let widths = [64, 128, 256, 512];
    check_module(&options(&widths), train, &Cancel::default(), |_| {})
}

fn untraced() -> impl FnMut(&Perceptron, &mut Trace) -> Result<(Tensor<1>, GradientsParams)> {
    let all = batch();
    move |model, _| gradient(model, &all)
}

/// The same forward pass with its products recorded.
fn traced() -> impl FnMut(&Perceptron, &mut Trace) -> Result<(Tensor<1>, GradientsParams)> {
    let (x, classes) = batch();
    move |model, trace| {
        let mut layer = |name: &str, layer: &burn::nn::Linear, x: Tensor<2>| {
            let product = x.clone().matmul(layer.weight.val());
            trace.record_dense(name, x, product.clone());
            product + layer.bias.as_ref().unwrap().val().unsqueeze::<2>()
        };
        let h = relu(layer("input.weight", &model.input, x.clone()));
        let h = relu(layer("hidden.weight", &model.hidden, h));
        let loss = loss(layer("readout.weight", &model.readout, h), classes.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        Ok((loss, gradients))
    }
}

#[test]
fn it_passes_what_is_right_and_fails_what_is_wrong() {
    let mup2 = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let right = checked(&mup2, 0.02, untraced).unwrap();
    assert!(right.pass, "{}", terminal_table(&right, false));
    assert_eq!((right.scheme.as_str(), right.tensors.len()), ("mup2", 6));
    let naive = Scheme::new(Parameterization::Sp, Perturbation::Naive);
    let wrong = checked(&naive, 0.02, untraced).unwrap();
    assert!(!wrong.pass, "{}", terminal_table(&wrong, false));
    // µP without its perturbation scaling: hidden layers vanish.
    let global = Scheme::new(Parameterization::Mup, Perturbation::Global);
    let vanishing = checked(&global, 0.02, untraced).unwrap();
    let hidden = &vanishing.tensors[2];
    assert_eq!(
        hidden.verdict,
        SlopeVerdict::Vanishing,
        "{}",
        terminal_table(&vanishing, false)
    );
}

#[test]
fn norms_and_traces_show_the_same_slopes() {
    for perturbation in [Perturbation::Mup2, Perturbation::Global] {
        let scheme = Scheme::new(Parameterization::Mup, perturbation);
        let by_norms = checked(&scheme, 0.02, untraced).unwrap();
        let by_traces = checked(&scheme, 0.02, traced).unwrap();
        for index in [0, 2, 4] {
            let (norm, trace) = (&by_norms.tensors[index], &by_traces.tensors[index]);
            let difference = norm.effect_slope.unwrap() - trace.effect_slope.unwrap();
            assert!(
                difference.abs() < 0.15,
                "{perturbation}, {}: {difference}",
                norm.name
            );
            assert!(norm.propagated.is_none());
        }
        assert!(by_traces.tensors[2].propagated.is_some());
        let measured = &by_traces.settings[1].1;
        assert_eq!(
            measured,
            "3 parameters by their effect on a batch, 3 by spectral norms"
        );
    }
}

#[test]
fn what_norms_cannot_say_is_refused() {
    let mut random = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    random.rule = Rule::Random;
    let message = checked(&random, 0.02, untraced).unwrap_err().to_string();
    assert!(message.contains("is not in the trace"), "{message}");
    let mup2 = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let message = checked(&mup2, 0.0, untraced).unwrap_err().to_string();
    assert!(
        message.starts_with("ModuleTraining::rho: is 0"),
        "{message}"
    );
    let unknown = || {
        let all = batch();
        move |model: &Perceptron, trace: &mut Trace| {
            trace.record_dense("inptu", all.0.clone(), all.0.clone());
            assert_eq!(all.0.dims()[1], INPUTS);
            gradient(model, &all)
        }
    };
    let message = checked(&mup2, 0.02, unknown).unwrap_err().to_string();
    assert!(message.contains("`inptu`"), "{message}");
}

#[test]
fn a_panic_in_a_training_ends_the_check_with_its_message() {
    let mup2 = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let broken = || {
        |_: &Perceptron, _: &mut Trace| -> Result<(Tensor<1>, GradientsParams)> {
            panic!("no batch today")
        }
    };
    let message = checked(&mup2, 0.02, broken).unwrap_err().to_string();
    assert!(message.contains("no batch today"), "{message}");
}
