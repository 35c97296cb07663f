//! `xᵀ dy`.

use super::panels::{PANEL_VECTORS, pack_panels};
use super::tile::{Left, Target, multiply};
use crate::kernels::blocks::{MOST_ROWS, blocks};
use crate::kernels::scratch::scratch;
use crate::kernels::vector::{load, store, vectorized};
use pulp::{Simd, WithSimd};

/// Blocks of inputs that are taken from the batch together, so that each line of memory is fetched once.
const BLOCKS_AT_ONCE: usize = 4;

/// `dw = xᵀ dy`, into `dw`.
pub fn weight_gradient(x: &[f32], dy: &[f32], [inputs, outputs]: [usize; 2], dw: &mut [f32]) {
    vectorized(WeightGradient {
        x,
        dy,
        inputs,
        outputs,
        dw,
    });
}

struct WeightGradient<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    inputs: usize,
    outputs: usize,
    dw: &'a mut [f32],
}

impl WithSimd for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            x,
            dy,
            inputs,
            outputs,
            dw,
        } = self;
        let (rows, panel) = (x.len() / inputs, PANEL_VECTORS * S::F32_LANES);
        let mut packed = scratch(rows * outputs.next_multiple_of(panel));
        pack_panels(simd, dy, outputs, &(0..rows), &(0..outputs), &mut packed);
        let blocks = blocks(inputs, S::F32_LANES);
        let room = rows * MOST_ROWS + S::F32_LANES;
        let mut columns = scratch(BLOCKS_AT_ONCE * room);
        for group in blocks.chunks(BLOCKS_AT_ONCE) {
            // A block is narrower than a vector: each row is written over the end of the one before.
            for (row, x) in x.chunks_exact(inputs).enumerate() {
                for (block, columns) in group.iter().zip(columns.chunks_exact_mut(room)) {
                    let entries = load(simd, &x[block.first..]);
                    store(simd, &mut columns[row * block.rows..], entries);
                }
            }
            for (block, columns) in group.iter().zip(columns.chunks_exact(room)) {
                let columns = &columns[..rows * block.rows];
                let panels = packed.chunks_exact(rows * panel);
                for (first, packed) in (0..outputs).step_by(panel).zip(panels) {
                    let target = Target {
                        values: &mut dw[block.first * outputs + first..],
                        pitch: outputs,
                        width: panel.min(outputs - first),
                        adds: false,
                    };
                    multiply(simd, block.rows, Left::Columns(columns), packed, target);
                }
            }
        }
    }
}
