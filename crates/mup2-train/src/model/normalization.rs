//! Normalization layers with a gain and a bias: by batch, by group of channels, by token.

use super::dense::vector;
use super::pass::BatchStatistics;
use super::stack::{add_to_rows, multiply_rows};
use super::{Application, Dimension, Initializer, Pass, Site, Trace};
use crate::error::Result;
use crate::fused::{batch_normalize, normalize_rows, relu};
use crate::scaling::{TensorKind, TensorShape};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use mup2::trace::multiplied;

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
        let stack = initializer.stack();
        let channels = stack * self.channels.target();
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
            stack,
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
    stack: usize,
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

    /// `x` `[batch, channels, height, width]` normalized by batch or by group; a stack takes the channels of
    /// its trials one after the other.
    pub(super) fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        self.apply(x, false, pass)
    }

    /// As [`Norm::forward`]; what is negative then becomes 0.
    pub(super) fn forward_rectified(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        self.apply(x, true, pass)
    }

    fn apply(&self, x: Tensor<4>, rectified: bool, pass: &mut Pass) -> Tensor<4> {
        let gain = self.effective(&self.gain, self.gain_multiplier);
        let bias = self.effective(&self.bias, self.bias_multiplier);
        let normalized = match self.kind {
            NormKind::Batch if pass.is_training() => {
                return self.by_batch(x, [gain, bias], rectified, pass);
            }
            NormKind::Batch => {
                let y = self.by_running(x, [gain, bias], pass);
                return if rectified { relu(y) } else { y };
            }
            NormKind::Group { groups } => by_group(x, self.stack * groups, self.epsilon),
            NormKind::Layer => by_group(x, self.stack, self.epsilon),
        };
        self.record_images(|| normalized.clone(), pass);
        let [_, channels, _, _] = normalized.dims();
        let shape = [1, channels, 1, 1];
        let y = normalized * gain.reshape(shape) + bias.reshape(shape);
        if rectified { relu(y) } else { y }
    }

    /// `x` `[batch, tokens, channels]`, each token normalized by itself; a stack takes the batches of its trials
    /// one after the other.
    pub(super) fn forward_tokens(&self, x: Tensor<3>, trace: &mut Trace) -> Tensor<3> {
        let [batch, tokens, channels] = x.dims();
        let rows = x.reshape([batch * tokens, channels]);
        if trace.is_recording() {
            let rows = rows.clone().without_autodiff();
            let [one, zero] = neutral(&rows, channels);
            self.record(normalize_rows(rows, one, zero, self.epsilon), trace);
        }
        let gain = self.effective(&self.gain, self.gain_multiplier);
        let bias = self.effective(&self.bias, self.bias_multiplier);
        let y = if self.stack == 1 {
            normalize_rows(rows, gain, bias, self.epsilon)
        } else {
            // Each trial has a gain and a bias of its own, the operation has one of each.
            let [one, zero] = neutral(&rows, channels);
            let normalized = normalize_rows(rows, one, zero, self.epsilon);
            let scaled = multiply_rows(normalized, gain, self.stack);
            add_to_rows(scaled, bias, self.stack)
        };
        y.reshape([batch, tokens, channels])
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

    /// Records what gain and bias are applied to, if it is wanted.
    fn record_images(&self, normalized: impl FnOnce() -> Tensor<4>, pass: &mut Pass) {
        if pass.trace.is_recording() {
            let last = normalized().without_autodiff().permute([0, 2, 3, 1]);
            let [batch, height, width, channels] = last.dims();
            let rows = last.reshape([batch * height * width, channels]);
            self.record(rows, &mut pass.trace);
        }
    }

    fn by_batch(
        &self,
        x: Tensor<4>,
        [gain, bias]: [Tensor<1>; 2],
        rectified: bool,
        pass: &mut Pass,
    ) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        if pass.trace.is_recording() {
            let x = x.clone().without_autodiff();
            let [one, zero] = neutral(&x, channels);
            let normalized = || batch_normalize(x, one, zero, self.epsilon, false).0;
            self.record_images(normalized, pass);
        }
        let (y, moments) = batch_normalize(x, gain, bias, self.epsilon, rectified);
        if pass.is_observing() {
            // PyTorch normalizes by the variance over N and keeps the one over N − 1.
            let count = (batch * height * width) as f32;
            let unbiased = count / (count - 1.0).max(1.0);
            let variance = moments.variance.iter().map(|variance| variance * unbiased);
            pass.observe(BatchStatistics {
                layer: self.name.clone(),
                variance: variance.collect(),
                mean: moments.mean,
            });
        }
        y
    }

    /// By the running statistics: one factor and one summand a channel.
    fn by_running(&self, x: Tensor<4>, [gain, bias]: [Tensor<1>; 2], pass: &mut Pass) -> Tensor<4> {
        let [_, channels, _, _] = x.dims();
        let (device, dtype) = (x.device(), x.dtype());
        let vector = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [channels]);
            Tensor::<1>::from_data(data.convert_dtype(dtype), (&device, dtype))
        };
        let mean = vector(&self.running.mean);
        let deviation = (vector(&self.running.variance) + self.epsilon).sqrt();
        let shape = [1, channels, 1, 1];
        let normalized =
            || (x.clone() - mean.clone().reshape(shape)) / deviation.clone().reshape(shape);
        self.record_images(normalized, pass);
        let scale = gain / deviation;
        let shift = bias - mean * scale.clone();
        x * scale.reshape(shape) + shift.reshape(shape)
    }
}

/// The gain and the bias that change nothing.
fn neutral<const D: usize>(like: &Tensor<D>, channels: usize) -> [Tensor<1>; 2] {
    let (device, dtype) = (like.device(), like.dtype());
    [1.0, 0.0].map(|value| Tensor::full([channels], value, (&device, dtype)))
}

fn by_group(x: Tensor<4>, groups: usize, epsilon: f64) -> Tensor<4> {
    let shape = x.dims();
    let [batch, channels, height, width] = shape;
    let x = x.reshape([batch, groups, channels / groups.max(1) * height * width]);
    let centred = x.clone() - x.mean_dim(2);
    let variance = centred.clone().powi_scalar(2).mean_dim(2);
    (centred / (variance + epsilon).sqrt()).reshape(shape)
}
