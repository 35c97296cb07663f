//! Products of the rows of two matrices with each other, for few long rows: `x yᵀ`.

use super::scratch::{Scratch, scratch};
use super::vector::{load, store, vectorized};
use pulp::{Simd, WithSimd};

/// Rows of each matrix whose products are summed in registers together, with the 32 registers of AVX-512
/// and with 16.
const MANY: usize = 5;
const FEW: usize = 3;

/// `x yᵀ` into `products` `[rows of x, rows of y]`; the rows of both have `columns` entries.
pub fn row_products(x: &[f32], y: &[f32], columns: usize, products: &mut [f32]) {
    vectorized(RowProducts {
        x,
        y: Some(y),
        columns,
        products,
    });
}

/// `x xᵀ` into `products` `[rows, rows]`, symmetric to the bit.
pub fn gram(x: &[f32], columns: usize, products: &mut [f32]) {
    vectorized(RowProducts {
        x,
        y: None,
        columns,
        products,
    });
    let rows = x.len() / columns;
    for row in 1..rows {
        for column in 0..row {
            products[row * rows + column] = products[column * rows + row];
        }
    }
}

struct RowProducts<'a> {
    x: &'a [f32],
    /// Absent if it is `x`: below the diagonal nothing is written then but what lies in a tile that crosses it.
    y: Option<&'a [f32]>,
    columns: usize,
    products: &'a mut [f32],
}

impl WithSimd for RowProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES >= 16 {
            true => self.tiles::<S, MANY>(simd),
            false => self.tiles::<S, FEW>(simd),
        }
    }
}

impl RowProducts<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const SIDE: usize>(self, simd: S) {
        let xs = pack::<S, SIDE>(simd, self.x, self.columns);
        let ys = match self.y {
            Some(y) => Some(pack::<S, SIDE>(simd, y, self.columns)),
            None => None,
        };
        let width = self.y.unwrap_or(self.x).len() / self.columns;
        let block = self.columns.next_multiple_of(S::F32_LANES) * SIDE;
        let bands = self.products.chunks_mut(SIDE * width);
        for (row, (products, x)) in bands.zip(xs.chunks_exact(block)).enumerate() {
            let others = ys.as_ref().unwrap_or(&xs).chunks_exact(block);
            for (column, y) in others.enumerate() {
                if ys.is_none() && column < row {
                    continue;
                }
                let sums = simd.vectorize(Tile::<SIDE> { x, y });
                for (products, sums) in products.chunks_exact_mut(width).zip(&sums) {
                    for (product, sum) in products[column * SIDE..].iter_mut().zip(sums) {
                        *product = *sum;
                    }
                }
            }
        }
    }
}

/// The rows in blocks of `SIDE`, in each of them their first vectors side by side, then their second; filled
/// up with zeros.
#[inline(always)]
fn pack<S: Simd, const SIDE: usize>(simd: S, matrix: &[f32], columns: usize) -> Scratch {
    let lanes = S::F32_LANES;
    let block = columns.next_multiple_of(lanes) * SIDE;
    let blocks = (matrix.len() / columns).div_ceil(SIDE);
    let mut packed = scratch(blocks * block);
    let bands = matrix.chunks(SIDE * columns);
    for (packed, rows) in packed.chunks_exact_mut(block).zip(bands) {
        for place in 0..SIDE {
            let row = rows.get(place * columns..).unwrap_or_default();
            let row = &row[..columns.min(row.len())];
            for (number, packed) in packed.chunks_exact_mut(SIDE * lanes).enumerate() {
                let seen = &row[(number * lanes).min(row.len())..];
                store(simd, &mut packed[place * lanes..], load(simd, seen));
            }
        }
    }
    packed
}

/// The products of the rows of two blocks.
struct Tile<'a, const SIDE: usize> {
    x: &'a [f32],
    y: &'a [f32],
}

impl<const SIDE: usize> WithSimd for Tile<'_, SIDE> {
    type Output = [[f32; SIDE]; SIDE];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let (x, y) = (S::as_simd_f32s(self.x).0, S::as_simd_f32s(self.y).0);
        let (x, y) = (x.as_chunks::<SIDE>().0, y.as_chunks::<SIDE>().0);
        let mut sums = [[simd.splat_f32s(0.0); SIDE]; SIDE];
        for (x, y) in x.iter().zip(y) {
            for (sums, &x) in sums.iter_mut().zip(x) {
                for (sum, &y) in sums.iter_mut().zip(y) {
                    *sum = simd.mul_add_f32s(x, y, *sum);
                }
            }
        }
        let mut products = [[0.0; SIDE]; SIDE];
        for (products, sums) in products.iter_mut().zip(&sums) {
            for (product, &sum) in products.iter_mut().zip(sums) {
                *product = simd.reduce_sum_f32s(sum);
            }
        }
        products
    }
}
