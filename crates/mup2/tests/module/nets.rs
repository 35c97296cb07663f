//! The modules that are tested, and what they are made with.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig,
};
use burn::optim::GradientsParams;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mup2::error::Result;
use mup2::module::{BaseShapes, ScaledModule};
use mup2::scaling::{Parameterization, Perturbation, Scheme};
use mup2::shapes::Declarations;

pub const INPUTS: usize = 6;
pub const CLASSES: usize = 3;
pub const BASE: usize = 8;

pub fn device() -> Device {
    Device::flex().autodiff()
}

pub fn mup2() -> Scheme {
    Scheme::new(Parameterization::Mup, Perturbation::Mup2)
}

/// Burn's own layers, biases included.
#[derive(Module, Debug)]
pub struct Perceptron {
    pub input: Linear,
    pub hidden: Linear,
    pub readout: Linear,
}

impl Perceptron {
    pub fn new(width: usize) -> Self {
        Self {
            input: LinearConfig::new(INPUTS, width).init(&device()),
            hidden: LinearConfig::new(width, width).init(&device()),
            readout: LinearConfig::new(width, CLASSES).init(&device()),
        }
    }

    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = relu(self.input.forward(x));
        self.readout.forward(relu(self.hidden.forward(x)))
    }
}

/// One of every layer that has a layout of its own.
#[derive(Module, Debug)]
pub struct Zoo {
    pub embedding: Embedding,
    pub convolution: Conv2d,
    pub batch_norm: BatchNorm,
    pub upwards: ConvTranspose2d,
    pub norms: Vec<LayerNorm>,
    pub hidden: Linear,
    pub gain: Param<Tensor<1>>,
    pub readout: Linear,
}

impl Zoo {
    pub fn new(width: usize) -> Self {
        let device = device();
        let gain = Tensor::from_data(TensorData::full([width], 0.5_f32), &device);
        Self {
            embedding: EmbeddingConfig::new(11, width).init(&device),
            convolution: Conv2dConfig::new([2, width], [3, 3]).init(&device),
            batch_norm: BatchNormConfig::new(width).init(&device),
            upwards: ConvTranspose2dConfig::new([width, 2 * width], [2, 2]).init(&device),
            norms: vec![LayerNormConfig::new(width).init(&device)],
            hidden: LinearConfig::new(width, 4 * width).init(&device),
            gain: Param::from_tensor(gain),
            readout: LinearConfig::new(4 * width, CLASSES)
                .with_bias(false)
                .init(&device),
        }
    }
}

pub fn perceptron_shapes() -> BaseShapes {
    let (base, wide) = (Perceptron::new(BASE), Perceptron::new(2 * BASE));
    BaseShapes::compare(&base, &wide, &Declarations::default()).unwrap()
}

pub fn scaled(scheme: &Scheme, width: usize) -> ScaledModule {
    perceptron_shapes()
        .scale(scheme, &Perceptron::new(width))
        .unwrap()
}

/// Twelve samples: features and classes, the latter as a column. The classes are not balanced: the
/// gradient of the readout's bias would be next to nothing, and its slope noise.
pub fn batch() -> (Tensor<2>, Tensor<2, Int>) {
    samples(0..12)
}

pub fn samples(range: std::ops::Range<usize>) -> (Tensor<2>, Tensor<2, Int>) {
    let device = device();
    let count = range.len();
    let features: Vec<f32> = (range.start * INPUTS..range.end * INPUTS)
        .map(|i| (i as f32 * 1.7).sin())
        .collect();
    let classes: Vec<i64> = range.map(|i| (i * i % CLASSES) as i64).collect();
    (
        Tensor::from_data(
            TensorData::new(features, [count, INPUTS]),
            (&device, DType::F32),
        ),
        Tensor::from_data(TensorData::new(classes, [count, 1]), &device),
    )
}

pub fn loss(logits: Tensor<2>, classes: Tensor<2, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, classes).mean().neg()
}

/// Loss and gradients of the perceptron on some samples.
pub fn gradient(
    model: &Perceptron,
    (x, classes): &(Tensor<2>, Tensor<2, Int>),
) -> Result<(Tensor<1>, GradientsParams)> {
    let loss = loss(model.forward(x.clone()), classes.clone());
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    Ok((loss, gradients))
}

/// All numbers of a module, in its order.
pub fn numbers<M: Module>(model: &M) -> Vec<f32> {
    let values = mup2::step::flat_parameters(model);
    let names = mup2::step::parameters(model);
    names
        .into_iter()
        .flat_map(|parameter| {
            let data = values[&parameter.name].clone().into_data();
            data.try_to_vec::<f32>().unwrap()
        })
        .collect()
}
