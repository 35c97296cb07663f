//! `x w` and `dy wᵀ` without the zeros of their left operand.

use super::pieces;
use super::tile::Target;
use super::zeros::{DEPTH, MOST_VECTORS, find_entries, multiply, panels};
use crate::piece::{Piece, copy, turn};
use crate::scratch::scratch;
use pulp::Simd;

/// Pieces of [`DEPTH`] that are packed together, so that long runs of a matrix to be turned are read.
const PACKED_TOGETHER: usize = 4;

/// `left` times the matrix `right`, into `product`.
pub struct SparseProduct<'a> {
    /// `[rows, inner]`.
    pub left: &'a [f32],
    /// `[inner, outer]`, or turned.
    pub right: &'a [f32],
    pub is_turned: bool,
    pub inner: usize,
    pub outer: usize,
    /// `[rows, outer]`.
    pub product: &'a mut [f32],
    /// The product is added to what is there.
    pub adds: bool,
}

impl SparseProduct<'_> {
    #[inline(always)]
    pub fn compute<S: Simd>(self, simd: S) {
        let (lanes, rows) = (S::F32_LANES, self.left.len() / self.inner);
        let mut packed = scratch(PACKED_TOGETHER * DEPTH * MOST_VECTORS * lanes);
        let mut near = scratch(PACKED_TOGETHER * rows * DEPTH);
        let mut masks = vec![0; PACKED_TOGETHER * rows];
        for group in pieces(self.inner, PACKED_TOGETHER * DEPTH) {
            let depths = pieces(group.len(), DEPTH);
            for (inner, near) in depths.zip(near.chunks_exact_mut(rows * DEPTH)) {
                let left = Piece {
                    matrix: self.left,
                    pitch: self.inner,
                    rows: 0..rows,
                    columns: group.start + inner.start..group.start + inner.end,
                };
                copy(simd, &left, near, DEPTH);
            }
            find_entries(&near, &mut masks);
            for outer in panels(self.outer, lanes) {
                let width = outer.len().next_multiple_of(lanes);
                if self.is_turned {
                    let right = Piece {
                        matrix: self.right,
                        pitch: self.inner,
                        rows: outer.clone(),
                        columns: group.clone(),
                    };
                    turn(simd, &right, &mut packed, width);
                } else {
                    let right = Piece {
                        matrix: self.right,
                        pitch: self.outer,
                        rows: group.clone(),
                        columns: outer.clone(),
                    };
                    copy(simd, &right, &mut packed, width);
                }
                let pieces_of_left = near
                    .chunks_exact(rows * DEPTH)
                    .zip(masks.chunks_exact(rows))
                    .zip(packed.chunks_exact(DEPTH * width))
                    .take(group.len().div_ceil(DEPTH));
                for (number, ((near, masks), panel)) in pieces_of_left.enumerate() {
                    let target = Target {
                        values: &mut self.product[outer.start..],
                        pitch: self.outer,
                        width: outer.len(),
                        adds: self.adds || group.start > 0 || number > 0,
                    };
                    multiply(simd, near, masks, panel, target);
                }
            }
        }
    }
}
