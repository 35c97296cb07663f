//! `dy wᵀ`.

use super::pieces;
use super::sparse_product::SparseProduct;
use super::zeros::share_of_zeros;
use crate::vector::vectorized;
use pulp::{Simd, WithSimd};

/// Vectors of the batch, and rows of the weights, whose products are summed in registers together; fewer rows
/// where there are 16 registers.
const BATCH_VECTORS: usize = 4;
const MOST_WEIGHT_ROWS: usize = 6;
const FEW_WEIGHT_ROWS: usize = 2;

/// Share of zeros in `dy` from which on it is faster to skip them: the weights are turned for that, which takes longer
/// where they are not in the second cache.
const MANY_ZEROS: f64 = 0.4;
const MANY_ZEROS_FROM_AFAR: f64 = 0.65;

/// Weights that the second cache holds, 1 MiB.
const NEAR: usize = 1 << 18;

/// `dx = dy wᵀ`, into `dx`.
pub fn input_gradient(dy: &[f32], w: &[f32], [inputs, outputs]: [usize; 2], dx: &mut [f32]) {
    vectorized(InputGradient {
        dy,
        w,
        inputs,
        outputs,
        dx,
    });
}

struct InputGradient<'a> {
    dy: &'a [f32],
    w: &'a [f32],
    inputs: usize,
    outputs: usize,
    dx: &'a mut [f32],
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let many = match self.w.len() <= NEAR {
            true => MANY_ZEROS,
            false => MANY_ZEROS_FROM_AFAR,
        };
        if share_of_zeros(self.dy, self.outputs) >= many {
            let product = SparseProduct {
                left: self.dy,
                right: self.w,
                is_turned: true,
                inner: self.outputs,
                outer: self.inputs,
                product: self.dx,
                adds: false,
            };
            return product.compute(simd);
        }
        self.dense(simd);
    }
}

impl InputGradient<'_> {
    #[inline(always)]
    fn dense<S: Simd>(self, simd: S) {
        let Self {
            dy,
            w,
            inputs,
            outputs,
            dx,
        } = self;
        let rows = dy.len() / outputs;
        let width = BATCH_VECTORS * S::F32_LANES;
        let most = match S::F32_LANES >= 16 {
            true => MOST_WEIGHT_ROWS,
            false => FEW_WEIGHT_ROWS,
        };
        // Neighbours of a vector are images; those beyond the batch are zeros.
        let mut turned = vec![0.0; outputs * width];
        let mut sums = vec![0.0; MOST_WEIGHT_ROWS * width];
        for batch in pieces(rows, width) {
            turned.fill(0.0);
            for (place, row) in batch.clone().enumerate() {
                let row = &dy[row * outputs..][..outputs];
                for (images, value) in turned.chunks_exact_mut(width).zip(row) {
                    images[place] = *value;
                }
            }
            for weights in pieces(inputs, most) {
                let w = &w[weights.start * outputs..weights.end * outputs];
                macro_rules! of {
                    ($($count:literal)*) => {
                        match weights.len() {
                            $($count => simd.vectorize(Turned::<$count> {
                                w, turned: &turned, outputs, sums: &mut sums,
                            }),)*
                            _ => {}
                        }
                    };
                }
                of!(1 2 3 4 5 6);
                for (place, row) in batch.clone().enumerate() {
                    let dx = &mut dx[row * inputs..][weights.clone()];
                    for (dx, sums) in dx.iter_mut().zip(sums.chunks_exact(width)) {
                        *dx = sums[place];
                    }
                }
            }
        }
    }
}

/// `ROWS` rows of the weights with all images of a turned piece of the batch.
struct Turned<'a, const ROWS: usize> {
    w: &'a [f32],
    turned: &'a [f32],
    outputs: usize,
    sums: &'a mut [f32],
}

impl<const ROWS: usize> WithSimd for Turned<'_, ROWS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut sums = [[simd.splat_f32s(0.0); BATCH_VECTORS]; ROWS];
        let mut rows = [[].as_slice(); ROWS];
        for (row, w) in rows.iter_mut().zip(self.w.chunks_exact(self.outputs)) {
            *row = w;
        }
        let (images, _) = S::as_simd_f32s(self.turned);
        let (images, _) = images.as_chunks::<BATCH_VECTORS>();
        for (place, images) in images.iter().enumerate() {
            for (sums, row) in sums.iter_mut().zip(&rows) {
                let weight = simd.splat_f32s(row[place]);
                for (sum, &image) in sums.iter_mut().zip(images) {
                    *sum = simd.mul_add_f32s(weight, image, *sum);
                }
            }
        }
        let (places, _) = S::as_mut_simd_f32s(self.sums);
        for (places, sums) in places.chunks_exact_mut(BATCH_VECTORS).zip(&sums) {
            places.copy_from_slice(sums);
        }
    }
}
