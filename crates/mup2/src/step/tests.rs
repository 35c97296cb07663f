//! SAM against numbers from optax and hand-made cases, in f64 (METHOD section 9).

use super::*;
use crate::error::{Error, Result};
use crate::scaling::{
    AsamBias, Parameterization, Perturbation, Role, Rule, ScalingTable, Scheme, TensorKind,
    TensorShape, scale,
};
use burn::module::{Module, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device, Tensor, TensorData};
use proptest::prelude::*;

fn tensor<const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (&Device::flex().autodiff(), DType::F64))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().try_to_vec().unwrap()
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= tolerance,
            "{found} is not {expected}"
        );
    }
}

/// A table in which every multiplier is 1.
fn table(shapes: &[(&str, TensorKind, &[usize])]) -> ScalingTable {
    let shapes: Vec<TensorShape> = shapes
        .iter()
        .map(|(name, kind, shape)| TensorShape {
            name: (*name).to_owned(),
            role: Role::Fixed,
            kind: *kind,
            shape: shape.to_vec(),
            fan: (1, 1),
            base_fan: (1, 1),
            base_init_std: 0.0,
        })
        .collect();
    scale(
        &Scheme::new(Parameterization::Mup, Perturbation::Mup2),
        &shapes,
    )
    .unwrap()
}

fn config(rule: Rule) -> SamConfig {
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

/// The three numbers of METHOD section 9's examples, as a module.
#[derive(Module, Debug)]
struct Point {
    p: Param<Tensor<1>>,
}

impl Point {
    fn at(values: &[f64]) -> Self {
        Self {
            p: Param::from_tensor(tensor(values, [values.len()])),
        }
    }

    fn trainer(&self, config: SamConfig) -> (Sam, ModuleOptimizer) {
        let table = table(&[("p", TensorKind::Weight, &self.p.dims())]);
        let sam = Sam::new(config, self, &table).unwrap();
        let sgd = Sgd {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        };
        let optimizer = build_optimizer(BaseOptimizerConfig::Sgd(sgd), self, &table).unwrap();
        (sam, optimizer)
    }
}

type Loss = fn(Tensor<1>) -> Tensor<1>;

fn gradient(loss: Loss) -> impl FnMut(&Point) -> Result<(Tensor<1>, GradientsParams)> {
    move |model| {
        let loss = loss(model.p.val());
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        Ok((loss, gradients))
    }
}

/// The point after each of `steps` steps.
fn descend(
    start: &[f64],
    config: SamConfig,
    lr: f64,
    rho: f64,
    steps: usize,
    loss: Loss,
) -> Vec<Vec<f64>> {
    let mut model = Point::at(start);
    let (mut sam, mut optimizer) = model.trainer(config);
    let mut path = Vec::new();
    for _ in 0..steps {
        let report;
        (model, report) = sam
            .step(&mut optimizer, model, lr, rho, gradient(loss))
            .unwrap();
        assert!(!report.diverged);
        path.push(values(model.p.val()));
    }
    path
}

fn quadratic(p: Tensor<1>) -> Tensor<1> {
    (p - tensor(&[1.0, -1.0, 1.0], [3])).square().sum()
}

fn quartic(p: Tensor<1>) -> Tensor<1> {
    let product = p.clone().narrow(0, 0, 1) * p.clone().narrow(0, 1, 1);
    p.powi_scalar(4).sum().div_scalar(4.0) + product
}

#[test]
fn sam_on_a_quadratic_follows_optax() {
    let path = descend(
        &[-1.0, 10.0, 1.0],
        config(Rule::Sam),
        0.01,
        0.1,
        3,
        quadratic,
    );
    assert_close(
        &path[0],
        &[-0.9596422291236001, 9.7780322601798, 1.0],
        1e-12,
    );
    assert_close(
        &path[2],
        &[-0.8813320105150336, 9.347326057832685, 1.0],
        1e-12,
    );
}

#[test]
fn sam_on_a_quartic_follows_optax() {
    let path = descend(&[0.5, -1.0, 2.0], config(Rule::Sam), 0.05, 0.3, 3, quartic);
    let first = [0.5458232059775139, -0.9705295610871839, 1.393514728644878];
    let third = [0.6356324196004481, -0.9176337317208763, 1.0122579706224428];
    assert_close(&path[0], &first, 1e-12);
    assert_close(&path[2], &third, 1e-12);
}

#[test]
fn a_zero_radius_is_the_base_optimizer() {
    let path = descend(
        &[-1.0, 10.0, 1.0],
        config(Rule::Sam),
        0.01,
        0.0,
        1,
        quadratic,
    );
    assert_close(&path[0], &[-0.96, 9.78, 1.0], 1e-15);
}

#[test]
fn every_second_step_is_the_base_optimizers() {
    let mut every = config(Rule::Sam);
    every.every = 2;
    let start = [-1.0, 10.0, 1.0];
    let path = descend(&start, every, 0.01, 0.1, 2, quadratic);
    let sam = descend(&start, config(Rule::Sam), 0.01, 0.1, 1, quadratic);
    let sgd = descend(&sam[0], config(Rule::Sam), 0.01, 0.0, 1, quadratic);
    assert_eq!(path[0], sam[0]);
    assert_eq!(path[1], sgd[0]);
}

proptest! {
    #[test]
    fn scaling_the_loss_by_a_constant_leaves_the_perturbation_unchanged(
        log_scale in -20.0..20.0f64, start in prop::array::uniform3(-2.0..2.0f64),
    ) {
        let epsilon = |scale: f64| {
            let model = Point::at(&start);
            let (sam, _) = model.trainer(config(Rule::Sam));
            let loss = quartic(model.p.val()) * scale;
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            let perturbation = sam.perturbation(&model, gradients, 0.3).unwrap();
            let perturbed = perturbation.apply(model.clone());
            values(perturbed.p.val() - model.p.val())
        };
        assert_close(&epsilon(log_scale.exp()), &epsilon(1.0), 1e-12);
    }
}

#[test]
fn a_zero_gradient_takes_no_perturbation_and_no_step() {
    let path = descend(
        &[1.0, -1.0, 1.0],
        config(Rule::Sam),
        0.01,
        0.1,
        2,
        quadratic,
    );
    assert_eq!(path[1], [1.0, -1.0, 1.0]);
}

#[test]
fn a_loss_that_is_not_finite_is_reported_and_leaves_the_model_as_it_was() {
    let model = Point::at(&[-1.0, 10.0, 1.0]);
    let (mut sam, mut optimizer) = model.trainer(config(Rule::Sam));
    let (model, report) = sam
        .step(
            &mut optimizer,
            model,
            0.01,
            0.1,
            gradient(|p| p.log().sum()),
        )
        .unwrap();
    assert!(report.diverged);
    assert_eq!(values(model.p.val()), [-1.0, 10.0, 1.0]);
}

#[test]
fn a_gradient_that_overflows_at_a_finite_loss_is_reported() {
    let model = Point::at(&[1e-200, 0.0, 0.0]);
    let (mut sam, mut optimizer) = model.trainer(config(Rule::Sam));
    // d√x/dx is infinite at 0.
    let (model, report) = sam
        .step(
            &mut optimizer,
            model,
            0.01,
            0.1,
            gradient(|p| p.sqrt().sum()),
        )
        .unwrap();
    assert!(report.diverged);
    assert_eq!(values(model.p.val()), [1e-200, 0.0, 0.0]);
}

#[test]
fn clipping_bounds_the_update_and_keeps_its_direction() {
    let mut clipped = config(Rule::Sam);
    clipped.clip_norm = Some(0.5);
    let start = [-1.0, 10.0, 1.0];
    let step = |config| {
        let path = descend(&start, config, 0.01, 0.1, 1, quadratic);
        let step = path[0]
            .iter()
            .zip(start)
            .map(|(after, before)| after - before);
        step.collect::<Vec<f64>>()
    };
    let (free, clipped) = (step(config(Rule::Sam)), step(clipped));
    let norm = |step: &[f64]| step.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!((norm(&clipped) - 0.01 * 0.5).abs() < 1e-12);
    let factor = norm(&clipped) / norm(&free);
    let scaled: Vec<f64> = free.iter().map(|x| x * factor).collect();
    assert_close(&clipped, &scaled, 1e-12);
}

/// METHOD section 9's layer with given gradients.
#[derive(Module, Debug)]
struct Layer {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

/// ε of W and b, for ρ = 0.5.
fn layer_epsilon(config: SamConfig) -> (Vec<f64>, Vec<f64>) {
    let layer = Layer {
        weight: Param::from_tensor(tensor(&[0.5, -1.0, 2.0, 0.25], [2, 2])),
        bias: Param::from_tensor(tensor(&[0.1, -0.2], [2])),
    };
    let table = table(&[
        ("weight", TensorKind::Weight, &[2, 2]),
        ("bias", TensorKind::Bias, &[2]),
    ]);
    let sam = Sam::new(config, &layer, &table).unwrap();
    let mut gradients = GradientsParams::new();
    let inner = |x: Tensor<2>| x.without_autodiff();
    gradients.register(
        layer.weight.id,
        inner(tensor(&[0.3, -0.1, 0.05, 0.4], [2, 2])),
    );
    gradients.register(layer.bias.id, tensor(&[-0.2, 0.6], [2]).without_autodiff());
    let perturbation = sam.perturbation(&layer, gradients, 0.5).unwrap();
    let moved = perturbation.apply(layer.clone());
    (
        values(moved.weight.val() - layer.weight.val()),
        values(moved.bias.val() - layer.bias.val()),
    )
}

#[test]
fn perturbations_of_sam_and_both_asam_conventions_are_those_of_public_code() {
    let (weight, bias) = layer_epsilon(config(Rule::Sam));
    assert_close(
        &weight,
        &[0.184288535, -0.061429512, 0.030714756, 0.245718047],
        1e-9,
    );
    assert_close(&bias, &[-0.122859023, 0.368577070], 1e-9);

    let (weight, bias) = layer_epsilon(config(Rule::Asam));
    assert_close(
        &weight,
        &[0.057869819, -0.075654239, 0.149814082, 0.020053824],
        1e-9,
    );
    assert_close(&bias, &[-0.148327103, 0.444981310], 1e-9);

    let mut absolute = config(Rule::Asam);
    absolute.asam = AsamOptions {
        eta: 0.0,
        bias: AsamBias::Absolute,
    };
    let (weight, bias) = layer_epsilon(absolute);
    assert_close(
        &weight,
        &[0.144551877, -0.192735836, 0.385471672, 0.048183959],
        1e-9,
    );
    assert_close(&bias, &[-0.003854717, 0.046256601], 1e-9);
}

#[test]
fn a_random_perturbation_has_the_radius_and_not_the_direction_of_the_gradient() {
    let (weight, bias) = layer_epsilon(config(Rule::Random));
    let norm: f64 = weight
        .iter()
        .chain(&bias)
        .map(|x| x * x)
        .sum::<f64>()
        .sqrt();
    assert!((norm - 0.5).abs() < 1e-12);
    let (sam, _) = layer_epsilon(config(Rule::Sam));
    assert!(
        weight
            .iter()
            .zip(&sam)
            .any(|(random, sam)| (random - sam).abs() > 1e-3)
    );
    let mut other_seed = config(Rule::Random);
    other_seed.seed = 1;
    assert_eq!(layer_epsilon(config(Rule::Random)).0, weight);
    assert_ne!(layer_epsilon(other_seed).0, weight);
}

#[test]
fn several_ascent_steps_divide_the_radius() {
    // On a linear loss every ascent step has the same direction, so they add up to one of ρ.
    let linear: Loss = |p| (p * tensor(&[3.0, 0.0, 4.0], [3])).sum();
    let mut two = config(Rule::Sam);
    two.ascent_steps = 2;
    let one = descend(&[1.0, 2.0, 3.0], config(Rule::Sam), 0.1, 0.5, 1, linear);
    assert_eq!(
        descend(&[1.0, 2.0, 3.0], two.clone(), 0.1, 0.5, 1, linear),
        one
    );
    // On a curved one they do not.
    let curved = |config| descend(&[0.5, -1.0, 2.0], config, 0.05, 0.3, 1, quartic);
    assert_ne!(curved(two), curved(config(Rule::Sam)));
}

#[test]
fn a_parameter_without_a_row_is_refused_by_name() {
    let model = Point::at(&[1.0]);
    let table = table(&[("q", TensorKind::Weight, &[1])]);
    let error = Sam::new(config(Rule::Sam), &model, &table).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("parameter `p`: is not in the scaling table")
    );
}

#[test]
fn what_the_closure_fails_with_is_what_the_step_fails_with() {
    for failing_pass in 0..2 {
        let model = Point::at(&[0.5, -1.0, 2.0]);
        let (mut sam, mut optimizer) = model.trainer(config(Rule::Sam));
        let mut pass = 0;
        let mut computed = gradient(quartic);
        let failed = sam.step(&mut optimizer, model, 0.1, 0.1, |model: &Point| {
            pass += 1;
            match pass > failing_pass {
                true => Err(Error::invalid("image 7", "is no image", "images")),
                false => computed(model),
            }
        });
        let message = failed.map(|_| ()).unwrap_err().to_string();
        assert_eq!(message, "image 7: is no image; allowed: images");
        assert_eq!((pass, sam.steps()), (failing_pass + 1, 0));
    }
}

#[test]
fn a_rate_or_radius_that_is_none_is_refused_before_the_first_pass() {
    let values = [-0.1, f64::NAN, f64::INFINITY];
    let cases = values.map(|lr| (lr, 0.1, "learning rate"));
    for (lr, rho, place) in cases.into_iter().chain(values.map(|rho| (0.1, rho, "rho"))) {
        let model = Point::at(&[0.5, -1.0, 2.0]);
        let (mut sam, mut optimizer) = model.trainer(config(Rule::Sam));
        let mut passes = 0;
        let mut computed = gradient(quartic);
        let refused = sam.step(&mut optimizer, model, lr, rho, |model: &Point| {
            passes += 1;
            computed(model)
        });
        let message = refused.map(|_| ()).unwrap_err().to_string();
        assert!(message.starts_with(place), "{message}");
        assert!(
            message.ends_with("allowed: finite numbers from 0"),
            "{message}"
        );
        assert_eq!(passes, 0, "{message}");
    }
}

#[test]
fn a_loss_for_each_sample_is_refused() {
    let model = Point::at(&[0.5, -1.0, 2.0]);
    let (mut sam, mut optimizer) = model.trainer(config(Rule::Sam));
    let refused = sam.step(&mut optimizer, model, 0.1, 0.1, |model: &Point| {
        let losses = model.p.val().square();
        let gradients = GradientsParams::from_grads(losses.clone().sum().backward(), model);
        Ok((losses, gradients))
    });
    let message = refused.map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        message,
        "loss: has shape [3]; allowed: [1]: a mean over the batch"
    );
}

#[test]
fn a_learning_rate_of_a_scheduler_of_burns_is_taken() {
    use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
    let mut scheduler = LinearLrSchedulerConfig::new(0.1, 0.0, 2).init().unwrap();
    let mut model = Point::at(&[0.5, -1.0, 2.0]);
    let (mut sam, mut optimizer) = model.trainer(config(Rule::Sam));
    let mut path = vec![values(model.p.val())];
    for _ in 0..3 {
        let rate = scheduler.step();
        let stepped = sam.step(&mut optimizer, model, rate, 0.1, gradient(quartic));
        model = stepped.unwrap().0;
        path.push(values(model.p.val()));
    }
    assert_ne!(path[1], path[0]);
    // The scheduler has come to 0.
    assert_eq!(path[3], path[2]);
}

/// Both optimizers of SGD with momentum for a layer of two parameters.
fn optimizers(layer: &Layer) -> (ScaledOptimizer, ModuleOptimizer) {
    let table = table(&[
        ("weight", TensorKind::Weight, &[2, 2]),
        ("bias", TensorKind::Bias, &[2]),
    ]);
    let sgd = BaseOptimizerConfig::Sgd(Sgd {
        momentum: 0.9,
        nesterov: true,
        weight_decay: 0.1,
    });
    (
        ScaledOptimizer::new(sgd, layer, &table).unwrap(),
        build_optimizer(sgd, layer, &table).unwrap(),
    )
}

fn layer_at(weight: &[f64]) -> Layer {
    Layer {
        weight: Param::from_tensor(tensor(weight, [2, 2])),
        bias: Param::from_tensor(tensor(&[0.1, -0.2], [2])),
    }
}

fn layer_gradients(layer: &Layer) -> GradientsParams {
    let loss = layer.weight.val().powi_scalar(3).sum() + layer.bias.val().square().sum();
    GradientsParams::from_grads(loss.backward(), layer)
}

/// A layer after a step of either optimizer.
fn stepped(optimizer: &mut impl StepOptimizer, layer: &Layer) -> (Layer, [Vec<f64>; 2]) {
    let gradients = layer_gradients(layer).into();
    let layer = optimizer.descend(0.1.into(), layer.clone(), gradients);
    let numbers = [values(layer.weight.val()), values(layer.bias.val())];
    (layer, numbers)
}

#[test]
fn our_sgd_and_burns_form_of_it_step_alike_and_read_each_others_state() {
    let layer = layer_at(&[0.5, -1.0, 2.0, 0.25]);
    let (mut ours, mut burns) = optimizers(&layer);
    let (next, numbers) = stepped(&mut ours, &layer);
    assert_eq!(stepped(&mut burns, &layer).1, numbers);
    let (mut also_ours, also_burns) = optimizers(&layer);
    also_ours.load(burns.into_bytes().unwrap()).unwrap();
    let mut also_burns = also_burns.from_bytes(ours.to_bytes().unwrap()).unwrap();
    let expected = stepped(&mut ours, &next).1;
    assert_eq!(stepped(&mut burns, &next).1, expected);
    assert_eq!(stepped(&mut also_ours, &next).1, expected);
    assert_eq!(stepped(&mut also_burns, &next).1, expected);
    // Without the velocities it is another step.
    assert_ne!(stepped(&mut optimizers(&layer).0, &next).1, expected);
}

#[test]
fn a_state_of_another_model_or_of_no_stack_is_an_error() {
    let layer = layer_at(&[0.5, -1.0, 2.0, 0.25]);
    let (mut ours, _) = optimizers(&layer);
    stepped(&mut ours, &layer);
    let state = || ours.to_bytes().unwrap();
    let (mut other, _) = optimizers(&layer_at(&[1.0; 4]));
    let message = other.load(state()).unwrap_err().to_string();
    assert!(message.contains("is of no parameter"), "{message}");
    let (mut same, _) = optimizers(&layer);
    let message = same
        .load_survivors(state(), &[0], 3)
        .unwrap_err()
        .to_string();
    assert!(message.contains("is not one block a trial"), "{message}");
    assert!(
        same.load(burn::tensor::Bytes::from_bytes_vec(vec![1, 2, 3]))
            .is_err()
    );
}

#[test]
fn perturbed_and_updated_weights_keep_their_strategy_of_gradient_checkpointing() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    let leaf = Tensor::<1>::from_data(
        TensorData::new(vec![0.5, -1.0, 2.0], [3]),
        (&device, DType::F64),
    );
    let model = Point {
        p: Param::from_tensor(leaf.require_grad()),
    };
    let strategy = model.p.val().gradient_checkpointing_strategy();
    let (mut sam, mut optimizer) = model.trainer(config(Rule::Sam));
    let mut seen = Vec::new();
    let mut computed = gradient(quartic);
    let stepped = sam.step(&mut optimizer, model, 0.1, 0.1, |model: &Point| {
        seen.push(model.p.val().gradient_checkpointing_strategy());
        computed(model)
    });
    seen.push(stepped.unwrap().0.p.val().gradient_checkpointing_strategy());
    assert_eq!(seen, [strategy; 3]);
}
