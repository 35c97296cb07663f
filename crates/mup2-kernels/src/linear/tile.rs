//! The innermost loop: a few rows times a panel, summed in registers.

use super::panels::PANEL_VECTORS;
use crate::vector::{load, store};
use pulp::{Simd, WithSimd};

/// Entries of a row that lie side by side for [`Left::Rows`].
pub const DEPTH: usize = 256;

/// The left operand of a tile.
#[derive(Clone, Copy)]
pub enum Left<'a> {
    /// Rows of [`DEPTH`] entries, of which as many count as the panel is deep.
    Rows(&'a [f32]),
    /// The entries of one column side by side.
    Columns(&'a [f32]),
}

/// Where a tile puts its product: rows that are `pitch` apart and `width` wide.
pub struct Target<'a> {
    pub values: &'a mut [f32],
    pub pitch: usize,
    pub width: usize,
    /// They hold what the product is to be added to.
    pub adds: bool,
}

/// The product of `rows` rows and `panel`, into `target`.
#[inline(always)]
pub fn multiply<S: Simd>(simd: S, rows: usize, left: Left, panel: &[f32], target: Target) {
    macro_rules! of {
        ($($count:literal)*) => {
            match (rows, left) {
                $(
                    ($count, Left::Rows(rows)) => {
                        simd.vectorize(OfRows::<$count> { rows, panel, target });
                    }
                    ($count, Left::Columns(columns)) => {
                        simd.vectorize(OfColumns::<$count> { columns, panel, target });
                    }
                )*
                _ => {}
            }
        };
    }
    of!(1 2 3 4 5 6 7 8 9 10 11 12);
}

struct OfRows<'a, const ROWS: usize> {
    rows: &'a [f32],
    panel: &'a [f32],
    target: Target<'a>,
}

impl<const ROWS: usize> WithSimd for OfRows<'_, ROWS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut sums = [[simd.splat_f32s(0.0); PANEL_VECTORS]; ROWS];
        let (rows, _) = self.rows.as_chunks::<DEPTH>();
        let (panel, _) = S::as_simd_f32s(self.panel);
        let (panel, _) = panel.as_chunks::<PANEL_VECTORS>();
        let Some(rows) = rows.first_chunk::<ROWS>() else {
            return;
        };
        for (place, b) in (0..DEPTH).zip(panel) {
            for (sums, row) in sums.iter_mut().zip(rows) {
                let a = simd.splat_f32s(row[place]);
                for (sum, &b) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add_f32s(a, b, *sum);
                }
            }
        }
        put(simd, &sums, self.target);
    }
}

struct OfColumns<'a, const ROWS: usize> {
    columns: &'a [f32],
    panel: &'a [f32],
    target: Target<'a>,
}

impl<const ROWS: usize> WithSimd for OfColumns<'_, ROWS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut sums = [[simd.splat_f32s(0.0); PANEL_VECTORS]; ROWS];
        let (columns, _) = self.columns.as_chunks::<ROWS>();
        let (panel, _) = S::as_simd_f32s(self.panel);
        let (panel, _) = panel.as_chunks::<PANEL_VECTORS>();
        for (column, b) in columns.iter().zip(panel) {
            for (sums, &a) in sums.iter_mut().zip(column) {
                let a = simd.splat_f32s(a);
                for (sum, &b) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add_f32s(a, b, *sum);
                }
            }
        }
        put(simd, &sums, self.target);
    }
}

#[inline(always)]
fn put<S: Simd, const ROWS: usize>(
    simd: S,
    sums: &[[S::f32s; PANEL_VECTORS]; ROWS],
    target: Target,
) {
    for (row, sums) in sums.iter().enumerate() {
        let values = &mut target.values[row * target.pitch..][..target.width];
        for (values, &sum) in values.chunks_mut(S::F32_LANES).zip(sums) {
            let sum = match target.adds {
                true => simd.add_f32s(load(simd, values), sum),
                false => sum,
            };
            store(simd, values, sum);
        }
    }
}
