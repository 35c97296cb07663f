//! Products of a linear layer for a thin batch: so few rows that reading the weights is most of the work.
//!
//! `x` is `[rows, inputs]`, `w` `[inputs, outputs]` and `y` `[rows, outputs]`, all row by row. Each product
//! reads or writes the weights once, along their rows.

use super::blocks::{Block, MOST_ROWS, blocks};
use super::scratch::{Scratch, scratch};
use super::vector::{load, store, vectorized};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Rows of the weights that are packed together, and vectors of them: 256 KiB with AVX-512, which stay in the
/// second cache while all rows of the batch use them.
const ROWS_AT_ONCE: usize = 256;
const VECTORS_AT_ONCE: usize = 16;

/// `y = x w`, into `y`.
pub fn linear(x: &[f32], w: &[f32], [inputs, outputs]: [usize; 2], y: &mut [f32]) {
    vectorized(Linear {
        x,
        w,
        inputs,
        outputs,
        y,
    });
}

struct Linear<'a> {
    x: &'a [f32],
    w: &'a [f32],
    inputs: usize,
    outputs: usize,
    y: &'a mut [f32],
}

impl WithSimd for Linear<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            x,
            w,
            inputs,
            outputs,
            y,
        } = self;
        let (rows, panel) = (x.len() / inputs, 2 * S::F32_LANES);
        let blocks = blocks(rows, S::F32_LANES);
        let x = pack_rows(x, inputs, &blocks);
        let columns_at_once = VECTORS_AT_ONCE * S::F32_LANES;
        let mut packed = scratch(ROWS_AT_ONCE * columns_at_once);
        for inner in pieces(inputs, ROWS_AT_ONCE) {
            for columns in pieces(outputs, columns_at_once) {
                let panels = columns.len().div_ceil(panel);
                let depth = inner.len();
                pack_panels(w, outputs, &inner, &columns, panel, &mut packed);
                for place in 0..panels {
                    let packed = &packed[place * depth * panel..][..depth * panel];
                    let first = columns.start + place * panel;
                    let width = panel.min(outputs - first);
                    let mut rest = &*x;
                    for block in &blocks {
                        let (own, others) = rest.split_at(block.rows * inputs);
                        rest = others;
                        let a = &own[inner.start * block.rows..][..depth * block.rows];
                        let y = &mut y[block.first * outputs + first..];
                        let is_first = inner.start == 0;
                        tile(simd, block.rows, is_first, a, packed, y, outputs, width);
                    }
                }
            }
        }
    }
}

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
        let (rows, panel) = (x.len() / inputs, 2 * S::F32_LANES);
        let panels = outputs.div_ceil(panel);
        let mut packed = scratch(panels * rows * panel);
        pack_panels(dy, outputs, &(0..rows), &(0..outputs), panel, &mut packed);
        let mut column = scratch(rows * MOST_ROWS);
        for block in blocks(inputs, S::F32_LANES) {
            let column = &mut column[..rows * block.rows];
            let x = x.chunks_exact(inputs).map(|row| &row[block.first..]);
            for (packed, row) in column.chunks_exact_mut(block.rows).zip(x) {
                for (packed, value) in packed.iter_mut().zip(row) {
                    *packed = *value;
                }
            }
            let dw = &mut dw[block.first * outputs..];
            for (place, packed) in packed.chunks_exact(rows * panel).enumerate() {
                let first = place * panel;
                let width = panel.min(outputs - first);
                tile(
                    simd,
                    block.rows,
                    true,
                    column,
                    packed,
                    &mut dw[first..],
                    outputs,
                    width,
                );
            }
        }
    }
}

/// `count` in pieces of at most `most`.
fn pieces(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(most)
        .map(move |first| first..(first + most).min(count))
}

/// Columns that are packed together: what is written stays in the first cache until a block has all its rows.
const COLUMNS_AT_ONCE: usize = 64;

/// The entries of each block of rows, those of one column side by side.
fn pack_rows(x: &[f32], columns: usize, blocks: &[Block]) -> Scratch {
    let mut packed = scratch(x.len());
    let mut rest = &mut *packed;
    for block in blocks {
        let (own, others) = rest.split_at_mut(block.rows * columns);
        rest = others;
        for seen in pieces(columns, COLUMNS_AT_ONCE) {
            let own = &mut own[seen.start * block.rows..seen.end * block.rows];
            for place in 0..block.rows {
                let row = &x[(block.first + place) * columns..][seen.clone()];
                for (column, value) in own.chunks_exact_mut(block.rows).zip(row) {
                    column[place] = *value;
                }
            }
        }
    }
    packed
}

/// Columns of some rows of a matrix, in panels of `panel` columns; the last is filled up with zeros.
fn pack_panels(
    matrix: &[f32],
    width: usize,
    rows: &Range<usize>,
    columns: &Range<usize>,
    panel: usize,
    packed: &mut [f32],
) {
    let depth = rows.len();
    for (place, row) in rows.clone().enumerate() {
        let seen = &matrix[row * width..][columns.clone()];
        for (number, seen) in seen.chunks(panel).enumerate() {
            let target = &mut packed[(number * depth + place) * panel..][..panel];
            target[..seen.len()].copy_from_slice(seen);
            target[seen.len()..].fill(0.0);
        }
    }
}

/// Writes the product of `a` `[depth, rows]` and the panel `b` to `rows` rows of `y`, `pitch` apart and
/// `width` wide; adds it unless it is the first.
#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "they are the operands of one product"
)]
fn tile<S: Simd>(
    simd: S,
    rows: usize,
    is_first: bool,
    a: &[f32],
    b: &[f32],
    y: &mut [f32],
    pitch: usize,
    width: usize,
) {
    macro_rules! of {
        ($($count:literal)*) => {
            match rows {
                $($count => simd.vectorize(Tile::<$count> { is_first, a, b, y, pitch, width }),)*
                _ => {}
            }
        };
    }
    of!(1 2 3 4 5 6 7 8 9 10 11 12);
}

struct Tile<'a, const ROWS: usize> {
    is_first: bool,
    a: &'a [f32],
    b: &'a [f32],
    y: &'a mut [f32],
    pitch: usize,
    width: usize,
}

impl<const ROWS: usize> WithSimd for Tile<'_, ROWS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
        let (a, _) = self.a.as_chunks::<ROWS>();
        let (b, _) = S::as_simd_f32s(self.b);
        for (a, b) in a.iter().zip(b.chunks_exact(2)) {
            for (sums, &a) in sums.iter_mut().zip(a) {
                let a = simd.splat_f32s(a);
                sums[0] = simd.mul_add_f32s(a, b[0], sums[0]);
                sums[1] = simd.mul_add_f32s(a, b[1], sums[1]);
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            let y = &mut self.y[row * self.pitch..][..self.width];
            for (y, sum) in y.chunks_mut(S::F32_LANES).zip(sums) {
                let sum = match self.is_first {
                    true => sum,
                    false => simd.add_f32s(load(simd, y), sum),
                };
                store(simd, y, sum);
            }
        }
    }
}

/// Vectors of the batch, and rows of the weights, whose products are summed in registers together; fewer rows
/// where there are 16 registers.
const BATCH_VECTORS: usize = 4;
const MOST_WEIGHT_ROWS: usize = 6;
const FEW_WEIGHT_ROWS: usize = 2;

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
