//! `x w`.

use super::panels::{PANEL_VECTORS, pack_panels};
use super::pieces;
use super::sparse_product::SparseProduct;
use super::tile::{DEPTH, Left, Target, multiply};
use super::zeros::share_of_zeros;
use crate::blocks::blocks;
use crate::scratch::scratch;
use crate::vector::vectorized;
use pulp::{Simd, WithSimd};

/// Vectors of the weights' rows that are packed together, [`DEPTH`] rows deep: 256 KiB with AVX-512, which stay in the
/// second cache while all rows of the batch use them.
const VECTORS_AT_ONCE: usize = 16;

/// Share of zeros in `x` from which on it is faster to skip them.
const MANY_ZEROS: f64 = 0.35;

/// `y = x w`, into `y`.
pub fn linear(x: &[f32], w: &[f32], [inputs, outputs]: [usize; 2], y: &mut [f32]) {
    vectorized(Linear {
        x,
        w,
        inputs,
        outputs,
        y,
        adds: false,
    });
}

/// `y + x w`, into `y`.
pub fn add_linear(x: &[f32], w: &[f32], [inputs, outputs]: [usize; 2], y: &mut [f32]) {
    vectorized(Linear {
        x,
        w,
        inputs,
        outputs,
        y,
        adds: true,
    });
}

struct Linear<'a> {
    x: &'a [f32],
    w: &'a [f32],
    inputs: usize,
    outputs: usize,
    y: &'a mut [f32],
    /// `y` holds what the product is to be added to.
    adds: bool,
}

impl WithSimd for Linear<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if share_of_zeros(self.x, self.inputs) >= MANY_ZEROS {
            let product = SparseProduct {
                left: self.x,
                right: self.w,
                is_turned: false,
                inner: self.inputs,
                outer: self.outputs,
                product: self.y,
                adds: self.adds,
            };
            return product.compute(simd);
        }
        self.dense(simd);
    }
}

impl Linear<'_> {
    #[inline(always)]
    fn dense<S: Simd>(self, simd: S) {
        let Self {
            x,
            w,
            inputs,
            outputs,
            y,
            adds,
        } = self;
        let (rows, panel) = (x.len() / inputs, PANEL_VECTORS * S::F32_LANES);
        let blocks = blocks(rows, S::F32_LANES);
        let columns_at_once = VECTORS_AT_ONCE * S::F32_LANES;
        let mut packed = scratch(DEPTH * columns_at_once.min(outputs.next_multiple_of(panel)));
        // Rows of the batch may lie a power of two apart, which the first cache holds few of.
        let mut near = scratch(rows * DEPTH);
        for inner in pieces(inputs, DEPTH) {
            let depth = inner.len();
            for (near, row) in near.chunks_exact_mut(DEPTH).zip(x.chunks_exact(inputs)) {
                near[..depth].copy_from_slice(&row[inner.clone()]);
            }
            for columns in pieces(outputs, columns_at_once) {
                pack_panels(simd, w, outputs, &inner, &columns, &mut packed);
                let panels = packed.chunks_exact(depth * panel);
                for (first, packed) in columns.step_by(panel).zip(panels) {
                    for block in &blocks {
                        let target = Target {
                            values: &mut y[block.first * outputs + first..],
                            pitch: outputs,
                            width: panel.min(outputs - first),
                            adds: adds || inner.start > 0,
                        };
                        let rows = Left::Rows(&near[block.first * DEPTH..]);
                        multiply(simd, block.rows, rows, packed, target);
                    }
                }
            }
        }
    }
}
