//! The product of a matrix with shifted pixels: the forward pass and the gradient of the input.

use super::blocks::{Block, blocks};
use super::panel::Panels;
use super::planes::Planes;
use crate::kernels::vector::{load, store, vectorized};
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
        let (lanes, pixels) = (S::F32_LANES, map.starts.len());
        let panels = Panels::new(&map.starts, lanes);
        let at_once = panels.images_at_once(self.batch);
        let image_values = self.images.len() / self.batch;
        let pitch = self.planes.image_pitch();
        let mut storage = Vec::new();
        let mut packed = vec![0.0; taps.len() * 2 * lanes];
        let packed_taps: Vec<usize> = (0..taps.len()).map(|tap| tap * 2 * lanes).collect();
        for first in (0..self.batch).step_by(at_once) {
            let count = at_once.min(self.batch - first);
            let images = &self.images[first * image_values..][..count * image_values];
            let planes = self.planes.of_all(images, count, &mut storage);
            let out = &mut self.out[first * map.image_pitch..];
            for from in (0..count * pixels).step_by(2 * lanes) {
                let range = from..(from + 2 * lanes).min(count * pixels);
                let targets = Targets::new(map, range.clone(), lanes);
                if panels.are_direct() {
                    let start = |pixel| panels.start(pixel, pitch);
                    // A second vector beyond the end repeats the first and goes nowhere.
                    let second = if from + lanes < range.end {
                        from + lanes
                    } else {
                        from
                    };
                    let x = Shifted {
                        values: planes,
                        taps,
                        starts: [start(from), start(second)],
                    };
                    all_rows(simd, matrix, x, &targets, map.channel_pitch, out);
                } else {
                    panels.pack(planes, taps, pitch, range, 2 * lanes, &mut packed);
                    let x = Shifted {
                        values: &packed,
                        taps: &packed_taps,
                        starts: [0, lanes],
                    };
                    all_rows(simd, matrix, x, &targets, map.channel_pitch, out);
                }
            }
        }
    }
}

/// Two vectors of pixels, as each tap sees them.
#[derive(Clone, Copy)]
struct Shifted<'a> {
    values: &'a [f32],
    taps: &'a [usize],
    starts: [usize; 2],
}

/// Where two vectors of pixels go, in the first channel of the output.
struct Targets {
    places: [usize; 2 * MOST_LANES],
    /// Pixels of each vector; less than its lanes at the end.
    counts: [usize; 2],
    /// Whether they are neighbours in the output too.
    contiguous: [bool; 2],
}

/// No vector is wider.
const MOST_LANES: usize = 16;

impl Targets {
    fn new(map: &Map, range: std::ops::Range<usize>, lanes: usize) -> Self {
        let mut targets = Self {
            places: [0; 2 * MOST_LANES],
            counts: [0; 2],
            contiguous: [false; 2],
        };
        let pixels = map.places.len();
        for (place, pixel) in targets.places.iter_mut().zip(range.clone()) {
            *place = pixel / pixels * map.image_pitch + map.places[pixel % pixels];
        }
        for vector in 0..2 {
            let count = range.len().saturating_sub(vector * lanes).min(lanes);
            let places = &targets.places[vector * lanes..][..count];
            targets.counts[vector] = count;
            targets.contiguous[vector] = places.windows(2).all(|pair| pair[1] == pair[0] + 1);
        }
        targets
    }

    /// Writes both vectors of a row whose channel begins at `offset`.
    #[inline(always)]
    fn write<S: Simd>(&self, simd: S, vectors: [S::f32s; 2], offset: usize, out: &mut [f32]) {
        for (vector, values) in vectors.into_iter().enumerate() {
            let places = &self.places[vector * S::F32_LANES..][..self.counts[vector]];
            let Some(&first) = places.first() else {
                continue;
            };
            if self.contiguous[vector] {
                store(simd, &mut out[offset + first..][..places.len()], values);
                continue;
            }
            let mut numbers = [0.0; MOST_LANES];
            store(simd, &mut numbers, values);
            for (&place, number) in places.iter().zip(numbers) {
                out[offset + place] = number;
            }
        }
    }
}

#[inline(always)]
fn all_rows<S: Simd>(
    simd: S,
    matrix: &Matrix,
    x: Shifted,
    targets: &Targets,
    channel_pitch: usize,
    out: &mut [f32],
) {
    let mut rest = matrix.values.as_slice();
    for block in &matrix.blocks {
        let (values, others) = rest.split_at(block.rows * matrix.columns);
        rest = others;
        let offset = block.first * channel_pitch;
        macro_rules! tile {
            ($($rows:literal)*) => {
                match block.rows {
                    $($rows => simd.vectorize(Tile::<$rows> { values, x, targets, offset, channel_pitch, out }),)*
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
    targets: &'a Targets,
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
            starts,
        } = self.x;
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
            self.targets.write(simd, sums, offset, self.out);
        }
    }
}
