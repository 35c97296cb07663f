//! Passes over whole tensors: a scaled sum, a squared norm.

use super::vector::{dot, vectorized};
use pulp::{Simd, WithSimd};

/// Values that are summed in f32, before their sum is added in f64.
const BLOCK: usize = 4096;

/// `x ← x + factor·y`.
pub fn add_scaled(x: &mut [f32], y: &[f32], factor: f32) {
    vectorized(AddScaled { x, y, factor });
}

struct AddScaled<'a> {
    x: &'a mut [f32],
    y: &'a [f32],
    factor: f32,
}

impl WithSimd for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (x, y) in self.x.iter_mut().zip(self.y) {
            *x = y.mul_add(self.factor, *x);
        }
    }
}

/// `y ← x + factor·y`.
pub fn scale_and_add(x: &[f32], y: &mut [f32], factor: f32) {
    vectorized(ScaleAndAdd { x, y, factor });
}

struct ScaleAndAdd<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    factor: f32,
}

impl WithSimd for ScaleAndAdd<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (x, y) in self.x.iter().zip(self.y) {
            *y = y.mul_add(self.factor, *x);
        }
    }
}

/// `Σ x²`.
pub fn squared_norm(x: &[f32]) -> f64 {
    vectorized(SquaredNorm { x })
}

struct SquaredNorm<'a> {
    x: &'a [f32],
}

impl WithSimd for SquaredNorm<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let mut total = 0.0;
        // Not `sum`: a closure inside the standard library's loop would have no vectors.
        for block in self.x.chunks(BLOCK) {
            total += f64::from(dot(simd, block, block));
        }
        total
    }
}

/// `Σ x y`, in f64: products of either sign may nearly cancel.
pub fn inner_product(x: &[f32], y: &[f32]) -> f64 {
    vectorized(InnerProduct { x, y })
}

struct InnerProduct<'a> {
    x: &'a [f32],
    y: &'a [f32],
}

impl WithSimd for InnerProduct<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        const LANES: usize = 8;
        let mut sums = [0.0; LANES];
        let (x, x_end) = self.x.as_chunks::<LANES>();
        let (y, y_end) = self.y.as_chunks::<LANES>();
        for (x, y) in x.iter().zip(y) {
            for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
                *sum = f64::from(*x).mul_add(f64::from(*y), *sum);
            }
        }
        let mut total = 0.0;
        for sum in sums {
            total += sum;
        }
        for (x, y) in x_end.iter().zip(y_end) {
            total += f64::from(*x) * f64::from(*y);
        }
        total
    }
}
