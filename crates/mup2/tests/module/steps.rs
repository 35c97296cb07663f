//! Steps of modules that are none of ours: any base optimizer, parts of a batch, running statistics,
//! and loops that apply gradients by themselves.

use super::nets::{
    BASE, Perceptron, batch, device, gradient, loss, mup2, numbers, samples, scaled,
};
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::optim::{
    AdaGradConfig, AdamWConfig, GradientsParams, LionConfig, ModuleOptimizer, RmsPropConfig,
};
use burn::tensor::Tensor;
use mup2::error::Result;
use mup2::module::{BaseShapes, ScaledModule};
use mup2::scaling::{BaseOptimizer, Rule};
use mup2::shapes::Declarations;
use mup2::step::{AdamW, BaseOptimizerConfig, BatchParts, SamConfig, Sgd};

const SGD: BaseOptimizerConfig = BaseOptimizerConfig::Sgd(Sgd {
    momentum: 0.9,
    nesterov: false,
    weight_decay: 0.0,
});

fn adam(width: usize) -> ScaledModule {
    let mut scheme = mup2();
    scheme.optimizer = BaseOptimizer::Adam;
    scaled(&scheme, width)
}

/// Three steps, and the weights then.
fn weights(
    scaled: &ScaledModule,
    mut optimizer: ModuleOptimizer,
    mut model: Perceptron,
    gradient: impl Fn(&Perceptron) -> Result<(Tensor<1>, GradientsParams)>,
) -> Vec<f32> {
    let mut sam = scaled.sam(&model).unwrap();
    for _ in 0..3 {
        let report;
        (model, report) = sam
            .step(&mut optimizer, model, 0.05, 0.1, &gradient)
            .unwrap();
        assert!(!report.diverged && report.perturbation_norm > 0.0);
    }
    numbers(&model)
}

#[test]
fn an_optimizer_of_burns_given_by_a_closure_is_the_built_in_one_bit_for_bit() {
    let scaled = adam(32);
    let model = scaled.initialize(Perceptron::new(32), 0).unwrap();
    let config = AdamW {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.1,
    };
    let built_in = scaled.optimizer(BaseOptimizerConfig::AdamW(config), &model);
    let own = scaled.optimizer_with(BaseOptimizer::Adam, &model, |row, slot| {
        let decay = (0.1 * row.wd_mult) as f32;
        let optimizer = AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(decay);
        slot.fill(optimizer.build())
    });
    let all = batch();
    let trained = |optimizer| weights(&scaled, optimizer, model.clone(), |m| gradient(m, &all));
    assert_eq!(trained(built_in.unwrap()), trained(own.unwrap()));
}

#[test]
fn every_optimizer_moves_a_matrix_by_its_multiplier_and_two_may_share_a_model() {
    // One step of Lion moves every entry by η, whatever the gradient: on hidden weights, η·lr_mult.
    let scaled = adam(4 * BASE);
    let model = scaled.initialize(Perceptron::new(4 * BASE), 0).unwrap();
    let mut optimizer = scaled
        .optimizer_with(BaseOptimizer::Adam, &model, |row, slot| {
            match row.shape.len() {
                1 => slot.fill(AdaGradConfig::new().build()),
                _ if row.name == "readout.weight" => slot.fill(RmsPropConfig::new().build()),
                _ => slot.fill(LionConfig::new().with_weight_decay(0.0).build()),
            }
        })
        .unwrap();
    let before = model.clone();
    let all = batch();
    let mut sam = scaled.sam(&model).unwrap();
    let (after, _) = sam
        .step(&mut optimizer, model, 0.01, 0.1, |model| {
            gradient(model, &all)
        })
        .unwrap();
    let moved = |before: &Linear, after: &Linear| {
        let change = after.weight.val() - before.weight.val();
        change.abs().max().into_scalar::<f32>()
    };
    let (input, hidden) = (
        moved(&before.input, &after.input),
        moved(&before.hidden, &after.hidden),
    );
    assert!((input - 0.01).abs() < 1e-6, "{input}");
    assert!((hidden - 0.0025).abs() < 1e-6, "{hidden}");
    assert!(moved(&before.readout, &after.readout) > 0.0);
}

#[test]
fn what_the_scheme_was_not_worked_out_for_is_refused() {
    let scaled = scaled(&mup2(), 16);
    let model = Perceptron::new(16);
    let class = scaled.optimizer_with(BaseOptimizer::Adam, &model, |_, slot| {
        slot.fill(LionConfig::new().build())
    });
    let Err(message) = class else {
        panic!("an optimizer of another class was built")
    };
    assert_eq!(
        message.to_string(),
        "base optimizer: is of the class `adam`, and the scheme was worked out for `sgd`; allowed: \
         `Scheme::optimizer` of the same class"
    );
    let rule = scaled
        .sam_with(SamConfig::new(Rule::Asam), &model)
        .unwrap_err();
    assert!(rule.to_string().contains("has the rule `asam`"), "{rule}");
    let other = scaled.sam(&Perceptron::new(24)).unwrap_err();
    assert!(other.to_string().contains("`input.weight`"), "{other}");
}

/// Largest difference over the largest number.
fn distance(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    let largest = one.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let pairs = one.iter().zip(other);
    pairs.fold(0.0_f32, |most, (x, y)| most.max((x - y).abs())) / largest
}

#[test]
fn a_batch_in_parts_takes_the_step_of_the_whole_batch() {
    let scaled = scaled(&mup2(), 32);
    let model = scaled.initialize(Perceptron::new(32), 0).unwrap();
    let parts: Vec<_> = (0..3).map(|part| samples(4 * part..4 * part + 4)).collect();
    let trained = |of: &dyn Fn(&Perceptron) -> Result<(Tensor<1>, GradientsParams)>| {
        let optimizer = scaled.optimizer(SGD, &model).unwrap();
        weights(&scaled, optimizer, model.clone(), of)
    };
    let all = batch();
    let whole = trained(&|model| gradient(model, &all));
    let in_turn = BatchParts::in_turn(3).unwrap();
    let accumulated =
        trained(&|model| in_turn.gradient(model, |model, part| gradient(model, &parts[part])));
    assert!(distance(&whole, &accumulated) < 1e-5);
    // Three replicas in three threads.
    let on = BatchParts::on(vec![device(); 3]).unwrap();
    let parallel =
        trained(&|model| on.gradient(model, |model, part| gradient(model, &parts[part])));
    assert!(distance(&whole, &parallel) < 1e-5);
    // In the same order, whichever thread is done first: the same bits.
    assert_eq!(parallel, accumulated);
    // And not what one of the parts gives.
    let first = trained(&|model| gradient(model, &parts[0]));
    assert!(distance(&whole, &first) > 1e-3);
    assert!(BatchParts::on(Vec::new()).is_err() && BatchParts::in_turn(0).is_err());
}

#[test]
fn the_loss_of_parts_is_the_mean_loss() {
    let model = Perceptron::new(BASE);
    let (whole, _) = gradient(&model, &batch()).unwrap();
    let parts = BatchParts::in_turn(2).unwrap();
    let (mean, _) = parts
        .gradient(&model, |model, part| {
            gradient(model, &samples(6 * part..6 * part + 6))
        })
        .unwrap();
    let difference = whole.into_scalar::<f32>() - mean.into_scalar::<f32>();
    assert!(difference.abs() < 1e-6, "{difference}");
}

#[test]
fn gradients_for_a_loop_that_applies_them_itself_are_those_of_a_step() {
    let scaled = scaled(&mup2(), 16);
    let model = scaled.initialize(Perceptron::new(16), 0).unwrap();
    let all = batch();
    let step = {
        let mut optimizer = scaled.optimizer(SGD, &model).unwrap();
        let mut sam = scaled.sam(&model).unwrap();
        let (after, report) = sam
            .step(&mut optimizer, model.clone(), 0.1, 0.05, |model| {
                gradient(model, &all)
            })
            .unwrap();
        (numbers(&after), report)
    };
    // As Burn's `Learner` does: `TrainStep::step` returns gradients, `optimize` applies them.
    let mut optimizer = scaled.optimizer(SGD, &model).unwrap();
    let sam = scaled.sam(&model).unwrap();
    let (gradients, report) = sam
        .gradients(&model, 0.05, |model| gradient(model, &all))
        .unwrap();
    let after = optimizer.step(0.1, model, gradients);
    assert_eq!((numbers(&after), report), step);
}

/// With running statistics, which clones of a module share.
#[derive(Module, Debug)]
struct Normalized {
    input: Linear,
    norm: BatchNorm,
    readout: Linear,
}

impl Normalized {
    fn new(width: usize) -> Self {
        Self {
            input: LinearConfig::new(super::nets::INPUTS, width).init(&device()),
            norm: BatchNormConfig::new(width).init(&device()),
            readout: LinearConfig::new(width, super::nets::CLASSES).init(&device()),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.readout
            .forward(self.norm.forward(self.input.forward(x)))
    }
}

#[test]
fn the_pass_at_perturbed_weights_does_not_move_running_statistics() {
    let shapes = BaseShapes::compare(
        &Normalized::new(BASE),
        &Normalized::new(2 * BASE),
        &Declarations::default(),
    )
    .unwrap();
    let scaled = shapes.scale(&mup2(), &Normalized::new(16)).unwrap();
    let (x, classes) = batch();
    let mean = |model: &Normalized| {
        let mean = model.norm.running_mean.value_sync().into_data();
        mean.try_to_vec::<f32>().unwrap()
    };
    let fresh = || scaled.initialize(Normalized::new(16), 0).unwrap();
    let once = fresh();
    let _ = once.forward(x.clone());
    let model = fresh();
    assert_eq!(mean(&model), [0.0; 16]);
    let mut optimizer = scaled.optimizer(SGD, &model).unwrap();
    let mut sam = scaled.sam(&model).unwrap();
    let mut passes = 0;
    // A radius so large that the perturbed pass would show.
    let (model, report) = sam
        .step(&mut optimizer, model, 0.0, 50.0, |model| {
            passes += 1;
            let loss = loss(model.forward(x.clone()), classes.clone());
            Ok((
                loss.clone(),
                GradientsParams::from_grads(loss.backward(), model),
            ))
        })
        .unwrap();
    assert!(passes == 2 && report.perturbation_norm > 0.0);
    assert_eq!(mean(&model), mean(&once));
    assert_ne!(mean(&model), [0.0; 16]);
}

#[test]
fn running_statistics_of_replicas_are_those_of_the_whole_batch() {
    let mean = |model: &Normalized| {
        let mean = model.norm.running_mean.value().into_data();
        mean.try_to_vec::<f32>().unwrap()
    };
    let model = Normalized::new(16);
    let parallel = BatchParts::on(vec![device(); 2]).unwrap();
    parallel
        .gradient(&model, |model, part| {
            let (x, classes) = samples(6 * part..6 * part + 6);
            let loss = loss(model.forward(x), classes);
            Ok((
                loss.clone(),
                GradientsParams::from_grads(loss.backward(), model),
            ))
        })
        .unwrap();
    let in_threads = mean(&model);
    assert_ne!(in_threads, [0.0; 16]);
    // The mean of an affine layer's outputs is that layer's output of the mean.
    let (x, _) = batch();
    let expected = model.input.forward(x).mean_dim(0).mul_scalar(0.1);
    let expected = expected.into_data().try_to_vec::<f32>().unwrap();
    assert!(
        distance(&expected, &in_threads) < 1e-5,
        "{expected:?}, {in_threads:?}"
    );
}
