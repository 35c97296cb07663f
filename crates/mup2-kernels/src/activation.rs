//! Activations and the softmax of rows, with their gradients.

use super::vector::{dot, largest, sum, vectorized};
use pulp::{Simd, WithSimd};

/// `e^x`, within two units in the last place, for −87 ≤ x ≤ 88; 0 below and e^88 above.
///
/// Straight-line arithmetic, so that a loop over it becomes vectors: x = n ln 2 + r with a whole n, and a
/// polynomial in r.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Added to a number below 2^22 and taken away again, it rounds to a whole one, whose bits are then
    /// the lowest of the sum.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const LEAST: f32 = -87.0;
    let too_small = x < LEAST;
    let x = x.clamp(LEAST, 88.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let r = whole.mul_add(-LN_2_LOW, whole.mul_add(-LN_2_HIGH, x));
    // The Taylor polynomial: |r| ≤ ln 2 / 2 makes its first missing term 1e-8 of the result.
    let mut p = 1.0 / 5040.0;
    for coefficient in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        p = r.mul_add(p, coefficient);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    if too_small { 0.0 } else { p * power }
}

/// Φ(x), the normal distribution function, within 1e-7, and e^(−x²/2).
///
/// Abramowitz and Stegun 1964, 7.1.26, for the tail at |x|.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let size = x.abs();
    let gauss = exp(-0.5 * size * size);
    let t = 1.0 / size.mul_add(0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2, 1.0);
    let mut p = 1.061_405_4;
    for coefficient in [-1.453_152_1, 1.421_413_7, -0.284_496_72, 0.254_829_6] {
        p = t.mul_add(p, coefficient);
    }
    let tail = 0.5 * t * p * gauss;
    (if x < 0.0 { tail } else { 1.0 - tail }, gauss)
}

/// `y = x Φ(x)`, into `y` (Hendrycks & Gimpel 2016).
pub fn gelu(x: &[f32], y: &mut [f32]) {
    vectorized(Gelu { x, y });
}

struct Gelu<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (x, y) in self.x.iter().zip(self.y) {
            *y = x * normal(*x).0;
        }
    }
}

/// Gradient of [`gelu`], into `dx`: `dy (Φ(x) + x φ(x))`.
pub fn gelu_backward(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    vectorized(GeluBackward { x, dy, dx });
}

struct GeluBackward<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for GeluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        /// 1 / √(2π).
        const DENSITY: f32 = 0.398_942_3;
        for ((x, dy), dx) in self.x.iter().zip(self.dy).zip(self.dx) {
            let (share, gauss) = normal(*x);
            *dx = dy * (x * gauss).mul_add(DENSITY, share);
        }
    }
}

/// Softmax of each row of `columns` values of `x`, into `y`.
pub fn softmax(x: &[f32], columns: usize, y: &mut [f32]) {
    vectorized(Softmax { x, columns, y });
}

struct Softmax<'a> {
    x: &'a [f32],
    columns: usize,
    y: &'a mut [f32],
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (x, y) in self
            .x
            .chunks_exact(self.columns)
            .zip(self.y.chunks_exact_mut(self.columns))
        {
            let most = largest(simd, x);
            for (x, y) in x.iter().zip(y.iter_mut()) {
                *y = exp(x - most);
            }
            let share = 1.0 / sum(simd, y);
            for y in y {
                *y *= share;
            }
        }
    }
}

/// Gradient of [`softmax`] from its output `y`, into `dx`.
pub fn softmax_backward(y: &[f32], dy: &[f32], columns: usize, dx: &mut [f32]) {
    vectorized(SoftmaxBackward { y, dy, columns, dx });
}

struct SoftmaxBackward<'a> {
    y: &'a [f32],
    dy: &'a [f32],
    columns: usize,
    dx: &'a mut [f32],
}

impl WithSimd for SoftmaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self
            .y
            .chunks_exact(self.columns)
            .zip(self.dy.chunks_exact(self.columns));
        for ((y, dy), dx) in rows.zip(self.dx.chunks_exact_mut(self.columns)) {
            let mean = dot(simd, y, dy);
            for ((y, dy), dx) in y.iter().zip(dy).zip(dx) {
                *dx = y * (dy - mean);
            }
        }
    }
}

/// What is negative in `values` becomes 0; what is not a number stays so.
pub fn relu(values: &mut [f32]) {
    vectorized(Relu { values });
}

struct Relu<'a> {
    values: &'a mut [f32],
}

impl WithSimd for Relu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for value in self.values {
            *value = if *value < 0.0 { 0.0 } else { *value };
        }
    }
}

/// As [`relu`] of `values + others`, into `values`.
pub fn add_relu(values: &mut [f32], others: &[f32]) {
    vectorized(AddRelu { values, others });
}

struct AddRelu<'a> {
    values: &'a mut [f32],
    others: &'a [f32],
}

impl WithSimd for AddRelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (value, other) in self.values.iter_mut().zip(self.others) {
            let sum = *value + other;
            *value = if sum < 0.0 { 0.0 } else { sum };
        }
    }
}

/// Makes `dy` the gradient to the input of [`relu`] from its output `y`: 0 where the output is 0.
pub fn relu_backward(y: &[f32], dy: &mut [f32]) {
    vectorized(ReluBackward { y, dy });
}

struct ReluBackward<'a> {
    y: &'a [f32],
    dy: &'a mut [f32],
}

impl WithSimd for ReluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (y, dy) in self.y.iter().zip(self.dy) {
            *dy = if *y <= 0.0 { 0.0 } else { *dy };
        }
    }
}
