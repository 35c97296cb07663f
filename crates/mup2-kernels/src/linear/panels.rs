//! Matrices cut into panels of a few vectors of columns, which a tile reads from top to bottom.

use crate::vector::{load, store};
use pulp::Simd;
use std::ops::Range;

/// Vectors of a panel.
pub const PANEL_VECTORS: usize = 2;

/// Columns of some rows of a matrix in panels, one after the other; the last is filled up with zeros.
#[inline(always)]
pub fn pack_panels<S: Simd>(
    simd: S,
    matrix: &[f32],
    width: usize,
    rows: &Range<usize>,
    columns: &Range<usize>,
    packed: &mut [f32],
) {
    let panel = PANEL_VECTORS * S::F32_LANES;
    let (depth, panels) = (rows.len(), columns.len().div_ceil(panel));
    for (place, row) in rows.clone().enumerate() {
        let seen = &matrix[row * width..][columns.clone()];
        for number in 0..panels {
            let seen = &seen[number * panel..];
            let target = &mut packed[(number * depth + place) * panel..][..panel];
            for vector in 0..PANEL_VECTORS {
                let from = (vector * S::F32_LANES).min(seen.len());
                store(
                    simd,
                    &mut target[vector * S::F32_LANES..],
                    load(simd, &seen[from..]),
                );
            }
        }
    }
}
