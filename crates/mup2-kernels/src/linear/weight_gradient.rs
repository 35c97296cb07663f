//! `xᵀ dy`, put out in bands of whole rows: where a matrix is larger than the caches, what becomes of a band is done
//! while it is near.

use super::panels::{PANEL_VECTORS, pack_panels};
use super::tile::{Left, Target, multiply};
use super::zeros::share_of_zeros;
use crate::blocks::{MOST_ROWS, blocks};
use crate::scratch::scratch;
use crate::vector::{load, store, vectorized};
use pulp::{Simd, WithSimd};

/// Blocks of inputs that are taken from the batch together, so that each line of memory is fetched once.
const BLOCKS_AT_ONCE: usize = 4;

/// Share of zeros in `x`, or in `dy`, from which on it is faster to skip them.
const MANY_ZEROS: f64 = 0.35;

/// `xᵀ dy`, `[inputs, outputs]`.
pub fn weight_gradient(x: &[f32], dy: &[f32], [inputs, outputs]: [usize; 2]) -> Vec<f32> {
    let mut gradient = Vec::with_capacity(inputs * outputs);
    vectorized(WeightGradient {
        x,
        dy,
        inputs,
        outputs,
        bands: Collected(&mut gradient),
    });
    gradient
}

/// Takes a gradient's rows from the first to the last, some at a time.
pub(super) trait Bands {
    fn take(&mut self, band: &[f32]);
}

/// The gradient itself: memory that is appended to need not be zeroed.
struct Collected<'a>(&'a mut Vec<f32>);

impl Bands for Collected<'_> {
    #[inline(always)]
    fn take(&mut self, band: &[f32]) {
        self.0.extend_from_slice(band);
    }
}

/// `x` `[rows, inputs]`, `dy` `[rows, outputs]`.
pub(super) struct WeightGradient<'a, B> {
    pub x: &'a [f32],
    pub dy: &'a [f32],
    pub inputs: usize,
    pub outputs: usize,
    pub bands: B,
}

impl<B: Bands> WithSimd for WeightGradient<'_, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let of_x = share_of_zeros(self.x, self.inputs);
        // The gradient is turned then, by whole vectors.
        let of_dy = match self.outputs.is_multiple_of(S::F32_LANES) {
            true => share_of_zeros(self.dy, self.outputs),
            false => 0.0,
        };
        if of_x.max(of_dy) < MANY_ZEROS {
            self.dense(simd);
        } else if of_x >= of_dy {
            self.by_zeros_of_x(simd);
        } else {
            self.by_zeros_of_dy(simd);
        }
    }
}

impl<B: Bands> WeightGradient<'_, B> {
    #[inline(always)]
    fn dense<S: Simd>(mut self, simd: S) {
        let (x, dy, inputs, outputs) = (self.x, self.dy, self.inputs, self.outputs);
        let (rows, panel) = (x.len() / inputs, PANEL_VECTORS * S::F32_LANES);
        let mut packed = scratch(rows * outputs.next_multiple_of(panel));
        pack_panels(simd, dy, outputs, &(0..rows), &(0..outputs), &mut packed);
        let blocks = blocks(inputs, S::F32_LANES);
        let room = rows * MOST_ROWS + S::F32_LANES;
        let mut columns = scratch(BLOCKS_AT_ONCE * room);
        let mut band = scratch(MOST_ROWS * outputs);
        for group in blocks.chunks(BLOCKS_AT_ONCE) {
            // The last vector is wider than what is left of a block: each row is written over the end of the one before.
            for (row, x) in x.chunks_exact(inputs).enumerate() {
                for (block, columns) in group.iter().zip(columns.chunks_exact_mut(room)) {
                    for place in (0..block.rows).step_by(S::F32_LANES) {
                        let entries = load(simd, &x[block.first + place..]);
                        store(simd, &mut columns[row * block.rows + place..], entries);
                    }
                }
            }
            for (block, columns) in group.iter().zip(columns.chunks_exact(room)) {
                let columns = &columns[..rows * block.rows];
                let panels = packed.chunks_exact(rows * panel);
                for (first, packed) in (0..outputs).step_by(panel).zip(panels) {
                    let target = Target {
                        values: &mut band[first..],
                        pitch: outputs,
                        width: panel.min(outputs - first),
                        adds: false,
                    };
                    multiply(simd, block.rows, Left::Columns(columns), packed, target);
                }
                self.bands.take(&band[..block.rows * outputs]);
            }
        }
    }
}
