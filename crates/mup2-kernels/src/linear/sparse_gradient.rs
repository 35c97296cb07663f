//! `xᵀ dy` without the zeros of one of the two.

use super::pieces;
use super::tile::Target;
use super::weight_gradient::{Bands, WeightGradient};
use super::zeros::{DEPTH, MOST_VECTORS, find_entries, multiply, panels};
use crate::piece::{Piece, copy, turn};
use crate::scratch::scratch;
use pulp::Simd;
use std::ops::Range;

/// Rows of a band that are computed together.
const BAND: usize = 64;

impl<B: Bands> WeightGradient<'_, B> {
    /// Without the zeros of `x`.
    #[inline(always)]
    pub(super) fn by_zeros_of_x<S: Simd>(mut self, simd: S) {
        let (lanes, rows) = (S::F32_LANES, self.x.len() / self.inputs);
        let depth = rows.next_multiple_of(DEPTH);
        // The panels of dy one after the other, each as deep as the batch.
        let mut packed = scratch(depth * self.outputs.next_multiple_of(lanes));
        for columns in panels(self.outputs, lanes) {
            let width = columns.len().next_multiple_of(lanes);
            let packed = &mut packed[depth * columns.start..];
            copy(simd, &self.dy(0..rows, columns), packed, width);
        }
        let mut near = scratch(BAND * DEPTH);
        let mut masks = [0; BAND];
        let mut band = scratch(BAND * self.outputs);
        for inputs in pieces(self.inputs, BAND) {
            let band = &mut band[..inputs.len() * self.outputs];
            for batch in pieces(rows, DEPTH) {
                turn(
                    simd,
                    &self.x(batch.clone(), inputs.clone()),
                    &mut near,
                    DEPTH,
                );
                find_entries(&near[..inputs.len() * DEPTH], &mut masks);
                for columns in panels(self.outputs, lanes) {
                    let width = columns.len().next_multiple_of(lanes);
                    let panel = &packed[depth * columns.start + batch.start * width..];
                    let target = Target {
                        values: &mut band[columns.start..],
                        pitch: self.outputs,
                        width: columns.len(),
                        adds: batch.start > 0,
                    };
                    multiply(simd, &near, &masks[..inputs.len()], panel, target);
                }
            }
            self.bands.take(band);
        }
    }

    /// Without the zeros of `dy`, whose rows are whole vectors: the gradient is computed turned.
    #[inline(always)]
    pub(super) fn by_zeros_of_dy<S: Simd>(mut self, simd: S) {
        let (lanes, rows) = (S::F32_LANES, self.x.len() / self.inputs);
        let outputs = self.outputs;
        // The columns of dy, one piece of the batch after the other.
        let mut turned = scratch(rows.div_ceil(DEPTH) * outputs * DEPTH);
        for (batch, turned) in pieces(rows, DEPTH).zip(turned.chunks_exact_mut(outputs * DEPTH)) {
            turn(simd, &self.dy(batch, 0..outputs), turned, DEPTH);
        }
        let mut masks = vec![0; rows.div_ceil(DEPTH) * outputs];
        find_entries(&turned, &mut masks);
        let mut panel = scratch(DEPTH * MOST_VECTORS * lanes);
        let mut product = scratch(outputs * MOST_VECTORS * lanes);
        let mut band = scratch(outputs * MOST_VECTORS * lanes);
        for inputs in panels(self.inputs, lanes) {
            let width = inputs.len().next_multiple_of(lanes);
            let columns = turned.chunks_exact(outputs * DEPTH);
            let columns = columns.zip(masks.chunks_exact(outputs));
            for (batch, (columns, masks)) in pieces(rows, DEPTH).zip(columns) {
                let adds = batch.start > 0;
                copy(simd, &self.x(batch, inputs.clone()), &mut panel, width);
                let target = Target {
                    values: &mut product,
                    pitch: width,
                    width,
                    adds,
                };
                multiply(simd, columns, masks, &panel, target);
            }
            let product = Piece {
                matrix: &product,
                pitch: width,
                rows: 0..outputs,
                columns: 0..inputs.len(),
            };
            turn(simd, &product, &mut band, outputs);
            self.bands.take(&band[..inputs.len() * outputs]);
        }
    }

    fn x(&self, rows: Range<usize>, columns: Range<usize>) -> Piece<'_> {
        Piece {
            matrix: self.x,
            pitch: self.inputs,
            rows,
            columns,
        }
    }

    fn dy(&self, rows: Range<usize>, columns: Range<usize>) -> Piece<'_> {
        Piece {
            matrix: self.dy,
            pitch: self.outputs,
            rows,
            columns,
        }
    }
}
