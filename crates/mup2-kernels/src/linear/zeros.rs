//! Left operands with many zeros, as what a ReLU puts out, or lets through backward: the innermost loop that skips them.
//!
//! The sums are those of all terms, in the same order, but for a zero times what is not finite: that is left out, not NaN.

use super::tile::Target;
use crate::blocks::evenly;
use crate::vector::{load, store};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Entries of a row whose places one mask tells.
pub const DEPTH: usize = 64;

/// Vectors of a panel: [`DEPTH`] rows of them are 24 KiB with AVX-512, which the first cache holds.
pub const MOST_VECTORS: usize = 6;

/// `columns` in panels of about one width.
pub fn panels(columns: usize, lanes: usize) -> impl Iterator<Item = Range<usize>> {
    evenly(columns.div_ceil(lanes), MOST_VECTORS)
        .map(move |vectors| vectors.start * lanes..(vectors.end * lanes).min(columns))
}

/// One in so many rows is looked at by [`share_of_zeros`].
const SAMPLED: usize = 8;

/// Share of zeros in some of the rows.
#[inline(always)]
pub fn share_of_zeros(matrix: &[f32], columns: usize) -> f64 {
    let (mut zeros, mut seen) = (0, 0);
    for row in matrix.chunks_exact(columns).step_by(SAMPLED) {
        let mut of_row = 0;
        for value in row {
            of_row += u32::from(*value == 0.0);
        }
        zeros += of_row as usize;
        seen += row.len();
    }
    zeros as f64 / seen.max(1) as f64
}

/// Which entries are not zero, for rows of [`DEPTH`] entries.
#[inline(always)]
pub fn find_entries(rows: &[f32], masks: &mut [u64]) {
    for (row, mask) in rows.as_chunks::<DEPTH>().0.iter().zip(masks) {
        *mask = 0;
        for (place, value) in row.iter().enumerate() {
            *mask |= u64::from(*value != 0.0) << place;
        }
    }
}

/// The product of `rows`, each of [`DEPTH`] entries with a mask, and a panel of as many rows, into the rows of `target`.
#[inline(always)]
pub fn multiply<S: Simd>(simd: S, rows: &[f32], masks: &[u64], panel: &[f32], target: Target) {
    let whole = target.width.is_multiple_of(S::F32_LANES);
    macro_rules! of {
        ($($count:literal)*) => {
            match (target.width.div_ceil(S::F32_LANES), whole) {
                $(
                    ($count, true) => {
                        simd.vectorize(Product::<$count, true> { rows, masks, panel, target });
                    }
                    ($count, false) => {
                        simd.vectorize(Product::<$count, false> { rows, masks, panel, target });
                    }
                )*
                _ => {}
            }
        };
    }
    of!(1 2 3 4 5 6);
}

/// With a last vector that is not `WHOLE` the sums go by way of memory.
struct Product<'a, const VECTORS: usize, const WHOLE: bool> {
    rows: &'a [f32],
    masks: &'a [u64],
    panel: &'a [f32],
    target: Target<'a>,
}

impl<const VECTORS: usize, const WHOLE: bool> WithSimd for Product<'_, VECTORS, WHOLE> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Target {
            values,
            pitch,
            width,
            adds,
        } = self.target;
        let (panel, _) = S::as_simd_f32s(self.panel);
        let (panel, _) = panel.as_chunks::<VECTORS>();
        let Some(panel) = panel.first_chunk::<DEPTH>() else {
            return;
        };
        let (rows, _) = self.rows.as_chunks::<DEPTH>();
        for ((row, &mask), values) in rows.iter().zip(self.masks).zip(values.chunks_mut(pitch)) {
            let mut sums = [simd.splat_f32s(0.0); VECTORS];
            let mut left = mask;
            while left != 0 {
                let place = left.trailing_zeros() as usize % DEPTH;
                left &= left - 1;
                let a = simd.splat_f32s(row[place]);
                for (sum, &b) in sums.iter_mut().zip(&panel[place]) {
                    *sum = simd.mul_add_f32s(a, b, *sum);
                }
            }
            let values = &mut values[..width];
            if WHOLE {
                let (places, _) = S::as_mut_simd_f32s(values);
                let Some(places) = places.first_chunk_mut::<VECTORS>() else {
                    continue;
                };
                if adds {
                    for (sum, &before) in sums.iter_mut().zip(&*places) {
                        *sum = simd.add_f32s(before, *sum);
                    }
                }
                *places = sums;
            } else {
                for (values, &sum) in values.chunks_mut(S::F32_LANES).zip(&sums) {
                    let sum = match adds {
                        true => simd.add_f32s(load(simd, values), sum),
                        false => sum,
                    };
                    store(simd, values, sum);
                }
            }
        }
    }
}
