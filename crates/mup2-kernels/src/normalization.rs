//! Normalization: moments, the normalized values and their gradients, each in one pass over memory.

use super::vector::{dot, sum, vectorized};
use pulp::{Simd, WithSimd};

/// Mean and variance (over N) of each channel of `x` `[batch, channels, pixels]`.
///
/// # Panics
/// When `channels` or `pixels` is 0.
pub fn channel_moments(x: &[f32], channels: usize, pixels: usize) -> (Vec<f32>, Vec<f32>) {
    vectorized(ChannelMoments {
        x,
        channels,
        pixels,
    })
}

struct ChannelMoments<'a> {
    x: &'a [f32],
    channels: usize,
    pixels: usize,
}

impl WithSimd for ChannelMoments<'_> {
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let mut means = vec![0.0f64; self.channels];
        let mut squares = vec![0.0f64; self.channels];
        let mut seen = 0.0;
        let size = self.pixels as f64;
        for image in self.x.chunks_exact(self.channels * self.pixels) {
            let channels = image.chunks_exact(self.pixels);
            for ((values, mean), square) in channels.zip(&mut means).zip(&mut squares) {
                // An image's channel is small: its own mean first, then what it deviates from that.
                let own = f64::from(sum(simd, values)) / size;
                let deviation = deviation(simd, values, own as f32);
                // Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance".
                let apart = own - *mean;
                *mean += apart * size / (seen + size);
                *square += deviation + apart * apart * seen * size / (seen + size);
            }
            seen += size;
        }
        let variances = squares.iter().map(|square| (square / seen) as f32);
        (
            means.iter().map(|&mean| mean as f32).collect(),
            variances.collect(),
        )
    }
}

/// `Σ (value − mean)²`.
#[inline(always)]
fn deviation<S: Simd>(simd: S, values: &[f32], mean: f32) -> f64 {
    let (vectors, rest) = S::as_simd_f32s(values);
    let means = simd.splat_f32s(mean);
    let mut sums = [simd.splat_f32s(0.0); 2];
    for (place, &vector) in vectors.iter().enumerate() {
        let off = simd.sub_f32s(vector, means);
        sums[place % 2] = simd.mul_add_f32s(off, off, sums[place % 2]);
    }
    let rest: f64 = rest
        .iter()
        .map(|value| f64::from((value - mean) * (value - mean)))
        .sum();
    f64::from(simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1]))) + rest
}

/// `Σ weight (value − mean)`.
#[inline(always)]
fn dot_off<S: Simd>(simd: S, weights: &[f32], values: &[f32], mean: f32) -> f32 {
    let ((weights, weight_rest), (values, rest)) =
        (S::as_simd_f32s(weights), S::as_simd_f32s(values));
    let means = simd.splat_f32s(mean);
    let mut sums = [simd.splat_f32s(0.0); 2];
    for (place, (&weight, &value)) in weights.iter().zip(values).enumerate() {
        sums[place % 2] = simd.mul_add_f32s(weight, simd.sub_f32s(value, means), sums[place % 2]);
    }
    let rest: f32 = weight_rest
        .iter()
        .zip(rest)
        .map(|(weight, value)| weight * (value - mean))
        .sum();
    simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1])) + rest
}

/// The affine map of each channel that normalizes it: `y = scale·x + shift`.
#[derive(Debug)]
pub struct ChannelMap {
    /// Factor of each channel.
    pub scale: Vec<f32>,
    /// Summand of each channel.
    pub shift: Vec<f32>,
}

impl ChannelMap {
    /// `y = gain (x − mean) / deviation + bias`, with `inverse = 1 / deviation`.
    pub fn new(mean: &[f32], inverse: &[f32], gain: &[f32], bias: &[f32]) -> Self {
        let scale: Vec<f32> = gain
            .iter()
            .zip(inverse)
            .map(|(gain, inverse)| gain * inverse)
            .collect();
        let moved = mean.iter().zip(&scale).zip(bias);
        let shift = moved
            .map(|((mean, scale), bias)| bias - mean * scale)
            .collect();
        Self { scale, shift }
    }
}

/// Maps each channel of `x` `[batch, channels, pixels]` into `y`; what is negative becomes 0 where
/// `rectified`.
pub fn map_channels(map: &ChannelMap, pixels: usize, rectified: bool, x: &[f32], y: &mut [f32]) {
    let least = if rectified { 0.0 } else { f32::NEG_INFINITY };
    vectorized(MapChannels {
        map,
        pixels,
        least,
        x,
        y,
    });
}

struct MapChannels<'a> {
    map: &'a ChannelMap,
    pixels: usize,
    least: f32,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for MapChannels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let planes = self
            .x
            .chunks_exact(self.pixels)
            .zip(self.y.chunks_exact_mut(self.pixels));
        let channels = self.map.scale.iter().zip(&self.map.shift).cycle();
        for ((x, y), (&scale, &shift)) in planes.zip(channels) {
            for (x, y) in x.iter().zip(y) {
                let mapped = x.mul_add(scale, shift);
                // Not `max`, which would turn what is not a number into one.
                *y = if mapped < self.least {
                    self.least
                } else {
                    mapped
                };
            }
        }
    }
}

/// What a normalization by batch was made of, for its gradients.
#[derive(Debug)]
pub struct BatchNormalization<'a> {
    /// Input `[batch, channels, pixels]`.
    pub x: &'a [f32],
    /// Mean of each channel.
    pub mean: &'a [f32],
    /// 1 / √(variance + ε) of each channel.
    pub inverse: &'a [f32],
    /// Factor of each normalized channel.
    pub gain: &'a [f32],
    /// Summand of each channel.
    pub bias: &'a [f32],
    /// Whether negative outputs became 0.
    pub rectified: bool,
    /// Values of a channel of an image.
    pub pixels: usize,
}

impl BatchNormalization<'_> {
    /// Gradients of the loss: into `dx`, and of gain and bias, from that of the output, `dy`.
    pub fn backward(&self, dy: &[f32], dx: &mut [f32]) -> (Vec<f32>, Vec<f32>) {
        vectorized(BatchBackward { of: self, dy, dx })
    }
}

struct BatchBackward<'a> {
    of: &'a BatchNormalization<'a>,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for BatchBackward<'_> {
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { of, dy, dx } = self;
        let (channels, pixels) = (of.mean.len(), of.pixels);
        let map = ChannelMap::new(of.mean, of.inverse, of.gain, of.bias);
        let least = if of.rectified { 0.0 } else { f32::NEG_INFINITY };
        // Σ dz and Σ dz (x − mean), dz being what of dy passes the rectifier, written to dx.
        let mut sums = vec![(0.0f64, 0.0f64); channels];
        let planes = || of.x.chunks_exact(pixels).zip(dy.chunks_exact(pixels));
        for (place, ((x, dy), dz)) in planes().zip(dx.chunks_exact_mut(pixels)).enumerate() {
            let channel = place % channels;
            let (scale, shift) = (map.scale[channel], map.shift[channel]);
            for ((x, dy), dz) in x.iter().zip(dy).zip(dz.iter_mut()) {
                *dz = if x.mul_add(scale, shift) <= least {
                    0.0
                } else {
                    *dy
                };
            }
            let total = f64::from(sum(simd, dz));
            let (bias, gain) = &mut sums[channel];
            *bias += total;
            *gain += f64::from(dot_off(simd, dz, x, of.mean[channel]));
        }
        let count = (of.x.len() / channels) as f64;
        // dx = scale (dz − mean(dz) − x̂ mean(dz x̂)), x̂ = (x − mean)·inverse.
        let parts: Vec<[f32; 3]> = (0..channels)
            .map(|channel| {
                let (bias, gain) = sums[channel];
                let inverse = f64::from(of.inverse[channel]);
                let slope = gain * inverse * inverse / count;
                [map.scale[channel], slope as f32, (bias / count) as f32]
            })
            .collect();
        for (place, (dz, x)) in dx
            .chunks_exact_mut(pixels)
            .zip(of.x.chunks_exact(pixels))
            .enumerate()
        {
            let [scale, slope, offset] = parts[place % channels];
            let mean = of.mean[place % channels];
            for (dz, x) in dz.iter_mut().zip(x) {
                *dz = scale * (*dz - (x - mean).mul_add(slope, offset));
            }
        }
        let gains = sums
            .iter()
            .zip(of.inverse)
            .map(|(sums, inverse)| (sums.1 * f64::from(*inverse)) as f32);
        (
            gains.collect(),
            sums.iter().map(|sums| sums.0 as f32).collect(),
        )
    }
}

/// Each row of `x` normalized, then by channel `gain·x̂ + bias`, into `y`; `x` is `[rows, channels]`.
pub fn normalize_rows(x: &[f32], gain: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32]) {
    vectorized(NormalizeRows {
        x,
        gain,
        bias,
        epsilon,
        y,
    });
}

struct NormalizeRows<'a> {
    x: &'a [f32],
    gain: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
    y: &'a mut [f32],
}

impl WithSimd for NormalizeRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.gain.len();
        for (x, y) in self
            .x
            .chunks_exact(channels)
            .zip(self.y.chunks_exact_mut(channels))
        {
            let (mean, inverse) = row_moments(simd, x, self.epsilon);
            for (((x, y), gain), bias) in x.iter().zip(y).zip(self.gain).zip(self.bias) {
                *y = ((x - mean) * inverse).mul_add(*gain, *bias);
            }
        }
    }
}

/// Mean and 1 / √(variance + ε) of a row.
#[inline(always)]
fn row_moments<S: Simd>(simd: S, row: &[f32], epsilon: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum(simd, row) / count;
    let variance = deviation(simd, row, mean) as f32 / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// Gradients of [`normalize_rows`]: into `dx`, and of gain and bias, from that of the output, `dy`.
pub fn normalize_rows_backward(
    x: &[f32],
    gain: &[f32],
    epsilon: f32,
    dy: &[f32],
    dx: &mut [f32],
) -> (Vec<f32>, Vec<f32>) {
    vectorized(RowsBackward {
        x,
        gain,
        epsilon,
        dy,
        dx,
    })
}

struct RowsBackward<'a> {
    x: &'a [f32],
    gain: &'a [f32],
    epsilon: f32,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for RowsBackward<'_> {
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let channels = self.gain.len();
        let (mut gains, mut biases) = (vec![0.0; channels], vec![0.0; channels]);
        let mut normalized = vec![0.0; channels];
        let rows = self
            .x
            .chunks_exact(channels)
            .zip(self.dy.chunks_exact(channels));
        for ((x, dy), dx) in rows.zip(self.dx.chunks_exact_mut(channels)) {
            let (mean, inverse) = row_moments(simd, x, self.epsilon);
            let sums = gains.iter_mut().zip(biases.iter_mut());
            let row = x.iter().zip(dy).zip(self.gain).zip(normalized.iter_mut());
            for ((((x, dy), gain), normalized), ((dgain, dbias), dx)) in
                row.zip(sums.zip(dx.iter_mut()))
            {
                *normalized = (x - mean) * inverse;
                *dgain += dy * *normalized;
                *dbias += dy;
                *dx = dy * gain;
            }
            let count = channels as f32;
            let (offset, slope) = (sum(simd, dx) / count, dot(simd, dx, &normalized) / count);
            for (dx, normalized) in dx.iter_mut().zip(&normalized) {
                *dx = inverse * (*dx - offset - normalized * slope);
            }
        }
        (gains, biases)
    }
}
