//! The product of a matrix with shifted pixels: the forward pass and the gradient of the input.

use super::panel::{Panel, Panels, Vectors};
use super::planes::Planes;
use crate::blocks::{Block, blocks};
use crate::vector::{load, vectorized};
use pulp::{Simd, WithSimd};

/// Where the pixels of a grid begin in the planes and end in the image.
pub(super) struct Map {
    /// Place of each pixel's first tap, less the tap's shift, in an image's planes.
    pub starts: Vec<usize>,
    /// Place of each pixel in a channel of the output.
    pub places: Vec<usize>,
    pub channel_pitch: usize,
    pub image_pitch: usize,
}

/// A matrix in blocks of a few rows, within which the rows' entries of one column are neighbours.
pub(super) struct Matrix {
    columns: usize,
    blocks: Vec<Block>,
    values: Vec<f32>,
}

impl Matrix {
    /// Packs `value(row, column)`.
    pub fn pack(rows: usize, columns: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let blocks = blocks(rows, vectorized(Lanes));
        let mut values = Vec::with_capacity(rows * columns);
        for block in &blocks {
            for column in 0..columns {
                let rows = block.first..block.first + block.rows;
                values.extend(rows.map(|row| value(row, column)));
            }
        }
        Self {
            columns,
            blocks,
            values,
        }
    }
}

/// Number of `f32` in a vector.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// `out[row, q] = Σ_k matrix[row, k] planes[start(q) + tap(k)]` for every image and pixel q of `map`.
pub(super) fn correlate(
    matrix: &Matrix,
    planes: &Planes,
    images: &[f32],
    batch: usize,
    map: &Map,
    out: &mut [f32],
) {
    if map.starts.is_empty() || batch == 0 {
        return;
    }
    vectorized(Correlation {
        matrix,
        planes,
        images,
        batch,
        map,
        out,
    });
}

struct Correlation<'a> {
    matrix: &'a Matrix,
    planes: &'a Planes,
    images: &'a [f32],
    batch: usize,
    map: &'a Map,
    out: &'a mut [f32],
}

impl WithSimd for Correlation<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (matrix, map, taps) = (self.matrix, self.map, &self.planes.taps);
        let lanes = S::F32_LANES;
        let vectors = Vectors::new(&map.starts, lanes);
        let at_once = Vectors::images_at_once(map.starts.len(), self.batch);
        let image_values = self.images.len() / self.batch;
        let panels = |count| Panels::new(map, &vectors, count, self.planes.image_pitch(), lanes);
        let mut here = panels(at_once);
        let mut storage = Vec::new();
        let mut packed = vec![0.0; taps.len() * 2 * lanes];
        let packed_taps: Vec<usize> = (0..taps.len()).map(|tap| tap * 2 * lanes).collect();
        for first in (0..self.batch).step_by(at_once) {
            let count = at_once.min(self.batch - first);
            if count < at_once {
                here = panels(count);
            }
            let images = &self.images[first * image_values..][..count * image_values];
            let planes = self.planes.of_all(images, count, &mut storage);
            let out = &mut self.out[first * map.image_pitch..];
            for (place, panel) in here.list.iter().enumerate() {
                let (values, taps) = match here.are_read_in_place(place, planes, taps, &mut packed)
                {
                    true => (planes, taps.as_slice()),
                    false => (packed.as_slice(), packed_taps.as_slice()),
                };
                let x = Shifted {
                    values,
                    taps,
                    panel,
                };
                all_rows(simd, matrix, x, map.channel_pitch, out);
            }
        }
    }
}

/// Two vectors of pixels, as each tap sees them.
#[derive(Clone, Copy)]
struct Shifted<'a> {
    values: &'a [f32],
    taps: &'a [usize],
    panel: &'a Panel,
}

#[inline(always)]
fn all_rows<S: Simd>(simd: S, matrix: &Matrix, x: Shifted, channel_pitch: usize, out: &mut [f32]) {
    let mut rest = matrix.values.as_slice();
    for block in &matrix.blocks {
        let (values, others) = rest.split_at(block.rows * matrix.columns);
        rest = others;
        let offset = block.first * channel_pitch;
        macro_rules! tile {
            ($($rows:literal)*) => {
                match block.rows {
                    $($rows => simd.vectorize(Tile::<$rows> { values, x, offset, channel_pitch, out }),)*
                    _ => {}
                }
            };
        }
        tile!(1 2 3 4 5 6 7 8 9 10 11 12);
    }
}

/// `ROWS` rows of the product for two vectors of pixels.
struct Tile<'a, const ROWS: usize> {
    values: &'a [f32],
    x: Shifted<'a>,
    offset: usize,
    channel_pitch: usize,
    out: &'a mut [f32],
}

impl<const ROWS: usize> WithSimd for Tile<'_, ROWS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Shifted {
            values,
            taps,
            panel,
        } = self.x;
        let starts = panel.starts;
        let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
        let (columns, _) = self.values.as_chunks::<ROWS>();
        for (column, &tap) in columns.iter().zip(taps) {
            let left = load(simd, &values[starts[0] + tap..]);
            let right = load(simd, &values[starts[1] + tap..]);
            for (sums, &value) in sums.iter_mut().zip(column) {
                let value = simd.splat_f32s(value);
                sums[0] = simd.mul_add_f32s(value, left, sums[0]);
                sums[1] = simd.mul_add_f32s(value, right, sums[1]);
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            let offset = self.offset + row * self.channel_pitch;
            panel.write(simd, sums, offset, self.out);
        }
    }
}
