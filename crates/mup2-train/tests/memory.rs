//! How much a SAM step allocates: counted, not timed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code)]

use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor};
use mup2::step::{AsamOptions, BaseOptimizerConfig, Sam, SamConfig, Sgd, build_optimizer};
use mup2_scaling::{AsamBias, Parameterization, Perturbation, Rule, Scheme, scale};
use mup2_train::config::{Architecture, MlpConfig, ModelSpec};
use mup2_train::data::ImageShape;
use mup2_train::model::{Mlp, Network, NetworkConfig};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with the bytes in use and their peak.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; only counters are added.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(in_use, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Peak of the bytes in use during the second step, in units of the weights' bytes.
fn peak(momentum: f64) -> f64 {
    let model = ModelSpec {
        width: 1024,
        base_width: 256,
        architecture: Architecture::Mlp(MlpConfig {
            depth: 4,
            ..MlpConfig::default()
        }),
        ..ModelSpec::default()
    };
    let images = ImageShape {
        channels: 1,
        height: 16,
        width: 16,
    };
    let config = NetworkConfig::new(&model, Parameterization::Mup, images, 10).unwrap();
    let device = Device::flex().autodiff();
    let scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let table = scale(&scheme, &config.tensor_shapes()).unwrap();
    let entries: usize = table
        .tensors
        .iter()
        .map(|row| row.shape.iter().product::<usize>())
        .sum();
    let before = IN_USE.load(Ordering::Relaxed);
    let network = config.init(&table, 0, &device, DType::F32).unwrap();
    let Network::Mlp(mut model) = network else {
        panic!("not an MLP");
    };
    let sam_config = SamConfig {
        rule: Rule::Sam,
        asam: AsamOptions {
            eta: 0.01,
            bias: AsamBias::One,
        },
        every: 1,
        ascent_steps: 1,
        clip_norm: None,
        seed: 0,
    };
    let sgd = Sgd {
        momentum,
        nesterov: false,
        weight_decay: 0.0,
    };
    let mut sam = Sam::new(sam_config, &model, &table).unwrap();
    let mut optimizer = build_optimizer(BaseOptimizerConfig::Sgd(sgd), &model, &table).unwrap();
    // Two samples, so that activations weigh nothing beside the weights.
    let x = Tensor::<2>::ones([2, images.values()], (&device, DType::F32));
    let gradient = |model: &Mlp| {
        let loss = model.forward(x.clone()).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        Ok((loss, gradients))
    };
    for _ in 0..2 {
        PEAK.store(IN_USE.load(Ordering::Relaxed), Ordering::Relaxed);
        (model, _) = sam
            .step(&mut optimizer, model, 0.01, 0.05, gradient)
            .unwrap();
    }
    (PEAK.load(Ordering::Relaxed) - before) as f64 / (4 * entries) as f64
}

#[test]
fn a_step_keeps_the_weights_one_copy_one_set_of_gradients_and_the_momentum() {
    // One test, since the counters are the process's. Weights, perturbed weights and gradients are
    // 3; the rest (measured 0.56, little more than the largest single tensor) are temporaries of
    // Burn's backward pass.
    let plain = peak(0.0);
    assert!(
        plain < 3.65,
        "without momentum: {plain:.2} times the weights"
    );
    let momentum = peak(0.9);
    assert!(
        momentum < 4.65,
        "with momentum: {momentum:.2} times the weights"
    );
}
