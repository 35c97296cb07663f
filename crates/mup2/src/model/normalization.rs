//! Normalization layers with a gain and a bias: by batch, by group of channels, by token.

use super::dense::vector;
use super::pass::BatchStatistics;
use super::trace::multiplied;
use super::{Application, Dimension, Initializer, Pass, Site, Trace};
use crate::error::Result;
use crate::scaling::{TensorKind, TensorShape};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

/// PyTorch's share of a new batch in the running statistics.
const BATCH_MOMENTUM: f32 = 0.1;

/// What a [`Norm`] is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NormConfig {
    /// Path of the layer in its model.
    pub name: String,
    pub channels: Dimension,
    pub kind: NormKind,
    /// Added to the variance.
    pub epsilon: f64,
    /// Starts the gain at 0 instead of 1.
    pub zero_init: bool,
}

/// What the mean and the variance are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Batch and pixels, for each channel; running statistics in evaluation (Ioffe & Szegedy 2015).
    Batch,
    /// Pixels and a group of channels, for each image (Wu & He 2018).
    Group {
        /// Number of groups; it must divide the channels.
        groups: usize,
    },
    /// Channels, for each token (Ba et al. 2016).
    Layer,
}

impl NormConfig {
    /// Its gain and bias, one number a channel.
    pub fn shapes(&self) -> [TensorShape; 2] {
        let vector = |part| {
            let name = format!("{}.{part}", self.name);
            vector(name, TensorKind::Norm, self.channels)
        };
        [vector("gain"), vector("bias")]
    }

    /// # Errors
    /// When the initializer's table has no row for a parameter.
    pub fn init(&self, initializer: &Initializer) -> Result<Norm> {
        let (gain, bias) = (format!("{}.gain", self.name), format!("{}.bias", self.name));
        let channels = self.channels.target();
        Ok(Norm {
            gain: initializer.constant(&gain, if self.zero_init { 0.0 } else { 1.0 })?,
            bias: initializer.gaussian(&bias)?,
            gain_multiplier: initializer.row(&gain)?.weight_mult,
            bias_multiplier: initializer.row(&bias)?.weight_mult,
            kind: self.kind,
            epsilon: self.epsilon,
            running: RunningStatistics {
                mean: vec![0.0; channels],
                variance: vec![1.0; channels],
            },
            name: self.name.clone(),
        })
    }
}

/// What batch normalization evaluates with.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningStatistics {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Variance of each channel.
    pub variance: Vec<f32>,
}

impl RunningStatistics {
    /// Moves towards the statistics of a batch by `share` (PyTorch's momentum, 0.1 in training).
    fn move_towards(&mut self, batch: &BatchStatistics, share: f32) {
        let pairs = [
            (&mut self.mean, &batch.mean),
            (&mut self.variance, &batch.variance),
        ];
        for (running, seen) in pairs {
            for (running, seen) in running.iter_mut().zip(seen) {
                *running += share * (seen - *running);
            }
        }
    }
}

/// `y = (m_g g) (x − mean) / √(variance + ε) + m_b b`.
#[derive(Module, Debug)]
pub struct Norm {
    gain: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    gain_multiplier: f64,
    #[module(skip)]
    bias_multiplier: f64,
    #[module(skip)]
    kind: NormKind,
    #[module(skip)]
    epsilon: f64,
    /// Not a parameter: no gradient moves it and no perturbation. Numbers of the host, so that it
    /// is the same on every device.
    #[module(skip)]
    running: RunningStatistics,
    #[module(skip)]
    name: String,
}

impl Norm {
    /// Path of the layer in its model.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it evaluates with running statistics.
    pub(super) fn is_batch(&self) -> bool {
        self.kind == NormKind::Batch
    }

    pub(super) fn running(&self) -> &RunningStatistics {
        &self.running
    }

    pub(super) fn set_running(&mut self, running: RunningStatistics) {
        self.running = running;
    }

    /// Takes in what a training pass saw.
    pub(super) fn absorb(&mut self, batch: &BatchStatistics) {
        self.running.move_towards(batch, BATCH_MOMENTUM);
    }

    /// `x` `[batch, channels, height, width]` normalized by batch or by group.
    pub(super) fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        let normalized = match self.kind {
            NormKind::Batch if pass.is_training() => self.by_batch(x, pass),
            NormKind::Batch => self.by_running(x),
            NormKind::Group { groups } => by_group(x, groups, self.epsilon),
            NormKind::Layer => by_group(x, 1, self.epsilon),
        };
        let [_, channels, _, _] = normalized.dims();
        let gain = self.effective(&self.gain, self.gain_multiplier);
        let bias = self.effective(&self.bias, self.bias_multiplier);
        if pass.trace.is_recording() {
            let last = normalized.clone().without_autodiff();
            let last = last.permute([0, 2, 3, 1]);
            let rows = last.dims()[..3].iter().product();
            self.record(last.reshape([rows, channels]), &mut pass.trace);
        }
        let shape = [1, channels, 1, 1];
        normalized * gain.reshape(shape) + bias.reshape(shape)
    }

    /// `x` `[batch, tokens, channels]`, each token normalized by itself.
    pub(super) fn forward_tokens(&self, x: Tensor<3>, trace: &mut Trace) -> Tensor<3> {
        let [batch, tokens, channels] = x.dims();
        let centred = x.clone() - x.mean_dim(2);
        let variance = centred.clone().powi_scalar(2).mean_dim(2);
        let normalized = centred / (variance + self.epsilon).sqrt();
        let gain = self.effective(&self.gain, self.gain_multiplier);
        let bias = self.effective(&self.bias, self.bias_multiplier);
        if trace.is_recording() {
            let rows = normalized.clone().without_autodiff();
            self.record(rows.reshape([batch * tokens, channels]), trace);
        }
        let shape = [1, 1, channels];
        normalized * gain.reshape(shape) + bias.reshape(shape)
    }

    fn effective(&self, parameter: &Param<Tensor<1>>, multiplier: f64) -> Tensor<1> {
        multiplied(parameter.val(), multiplier)
    }

    fn record(&self, normalized: Tensor<2>, trace: &mut Trace) {
        let gain = Application::Gain {
            input: normalized,
            multiplier: self.gain_multiplier,
        };
        let bias = Application::Bias {
            multiplier: self.bias_multiplier,
        };
        let parts = [("gain", gain, &self.gain), ("bias", bias, &self.bias)];
        for (part, application, parameter) in parts {
            let product = application.apply(parameter.val().without_autodiff());
            trace.record(Site {
                parameter: format!("{}.{part}", self.name),
                application,
                product,
            });
        }
    }

    fn by_batch(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let mean = over_batch(x.clone());
        let centred = x - mean.clone();
        let variance = over_batch(centred.clone().powi_scalar(2));
        if pass.is_observing() {
            // PyTorch normalizes by the variance over N and keeps the one over N − 1.
            let count = (batch * height * width) as f64;
            let unbiased = variance.clone().mul_scalar(count / (count - 1.0).max(1.0));
            pass.observe(BatchStatistics {
                layer: self.name.clone(),
                mean: numbers(mean, channels),
                variance: numbers(unbiased, channels),
            });
        }
        centred / (variance + self.epsilon).sqrt()
    }

    fn by_running(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, channels, _, _] = x.dims();
        let (device, dtype) = (x.device(), x.dtype());
        let tensor = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [1, channels, 1, 1]);
            Tensor::<4>::from_data(data.convert_dtype(dtype), (&device, dtype))
        };
        let deviation = (tensor(&self.running.variance) + self.epsilon).sqrt();
        (x - tensor(&self.running.mean)) / deviation
    }
}

/// Mean of each channel over batch and pixels, `[1, channels, 1, 1]`.
fn over_batch(x: Tensor<4>) -> Tensor<4> {
    x.mean_dim(3).mean_dim(2).mean_dim(0)
}

fn by_group(x: Tensor<4>, groups: usize, epsilon: f64) -> Tensor<4> {
    let shape = x.dims();
    let [batch, channels, height, width] = shape;
    let x = x.reshape([batch, groups, channels / groups.max(1) * height * width]);
    let centred = x.clone() - x.mean_dim(2);
    let variance = centred.clone().powi_scalar(2).mean_dim(2);
    (centred / (variance + epsilon).sqrt()).reshape(shape)
}

/// The values of a tensor of `count` numbers.
fn numbers(x: Tensor<4>, count: usize) -> Vec<f32> {
    let data = x.without_autodiff().into_data().convert::<f32>();
    // Of a tensor that was just made of floats; should it ever fail, the numbers say so.
    data.try_to_vec().unwrap_or_else(|_| vec![f32::NAN; count])
}
