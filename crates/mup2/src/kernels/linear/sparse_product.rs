//! `x w` and `dy wᵀ` without the zeros of their left operand.

use super::pieces;
use super::tile::Target;
use super::zeros::{DEPTH, MOST_VECTORS, copy, find_entries, multiply, panels};
use crate::kernels::scratch::scratch;
use crate::kernels::turn::{Piece, turn};
use pulp::Simd;

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
        let mut panel = scratch(DEPTH * MOST_VECTORS * lanes);
        let mut near = scratch(rows * DEPTH);
        let mut masks = vec![0; rows];
        for inner in pieces(self.inner, DEPTH) {
            let left = Piece {
                matrix: self.left,
                pitch: self.inner,
                rows: 0..rows,
                columns: inner.clone(),
            };
            copy(simd, &left, &mut near, DEPTH);
            find_entries(&near, &mut masks);
            for outer in panels(self.outer, lanes) {
                let width = outer.len().next_multiple_of(lanes);
                let target = Target {
                    values: &mut self.product[outer.start..],
                    pitch: self.outer,
                    width: outer.len(),
                    adds: self.adds || inner.start > 0,
                };
                let (rows, columns) = match self.is_turned {
                    true => (outer, inner.clone()),
                    false => (inner.clone(), outer),
                };
                let right = Piece {
                    matrix: self.right,
                    pitch: if self.is_turned {
                        self.inner
                    } else {
                        self.outer
                    },
                    rows,
                    columns,
                };
                match self.is_turned {
                    true => turn(simd, &right, &mut panel, width),
                    false => copy(simd, &right, &mut panel, width),
                }
                multiply(simd, &near, &masks, &panel, target);
            }
        }
    }
}
