//! The gradient of the kernel: `dw[o, k] = Σ_q dy[o, q] x[start(q) + tap(k)]`, q over images and pixels.
//!
//! Here neighbouring taps make a vector, so the images are turned: channels become neighbours.

use super::planes::{Planes, input_planes};
use super::shape::ConvolutionShape;
use crate::blocks::{Block, blocks};
use crate::vector::{load, vectorized};
use pulp::{Simd, WithSimd};

/// Values of the images that are worked off together: half of a second cache.
const VALUES_AT_ONCE: usize = 1 << 18;

/// Pixels that are worked off together at least, so that what is summed is read and written seldom.
const LEAST_PIXELS: usize = 512;

/// From so many blocks of channels on, reading a pixel's two vectors from the images, each in a line of its
/// own, costs more than to gather them once.
const BLOCKS_WORTH_PACKING: usize = 3;

/// Channels that are turned together, a line of the cache.
const TURNED: usize = 16;

/// Into `dw`, from `x` and the gradient `dy` of the output.
pub(super) fn weight(shape: &ConvolutionShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    dw.fill(0.0);
    if shape.batch == 0 || shape.out_height() * shape.out_width() == 0 {
        return;
    }
    vectorized(WeightGradient { shape, x, dy, dw });
}

struct WeightGradient<'a> {
    shape: &'a ConvolutionShape,
    x: &'a [f32],
    dy: &'a [f32],
    dw: &'a mut [f32],
}

impl WithSimd for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (shape, lanes) = (self.shape, S::F32_LANES);
        let planes = input_planes(shape);
        let taps = Taps::new(shape, &planes, lanes);
        let (channels, outputs) = (shape.inputs, shape.outputs);
        let pixels = shape.out_height() * shape.out_width();
        let starts = planes.starts(shape.out_height(), shape.out_width());
        let least = LEAST_PIXELS.max(VALUES_AT_ONCE / channels);
        let at_once = least.div_ceil(pixels).min(shape.batch);
        let (image, out_image) = (self.x.len() / shape.batch, outputs * pixels);
        let width = taps.shifts.len() * lanes;
        let rows = blocks(outputs, lanes);
        let mut sums = vec![0.0; outputs * width];
        let in_panel: Vec<usize> = (0..at_once * pixels)
            .map(|pixel| pixel * 2 * lanes)
            .collect();
        let (mut turned, mut packed, mut panel) = (Vec::new(), Vec::new(), Vec::new());
        for first in (0..shape.batch).step_by(at_once) {
            let count = at_once.min(shape.batch - first);
            let x = &self.x[first * image..][..count * image];
            // What a vector reads beyond the last pixel goes nowhere.
            turned.resize(count * planes.image_pitch() + lanes, 0.0);
            turn(&planes, x, &mut turned);
            let all: Vec<usize> = (0..count)
                .flat_map(|image| starts.iter().map(move |start| (image, start)))
                .map(|(image, start)| image * planes.image_pitch() + start * channels)
                .collect();
            let dy = &self.dy[first * out_image..][..count * out_image];
            pack(&rows, dy, outputs, pixels, &mut packed);
            for (pair, shifts) in taps.shifts.chunks(2).enumerate() {
                let shifts = [shifts[0], *shifts.last().unwrap_or(&shifts[0])];
                let x = match rows.len() < BLOCKS_WORTH_PACKING {
                    true => Shifted {
                        values: &turned,
                        starts: &all,
                        shifts,
                    },
                    false => {
                        gather::<S>(&turned, &all, shifts, &mut panel);
                        Shifted {
                            values: &panel,
                            starts: &in_panel,
                            shifts: [0, lanes],
                        }
                    }
                };
                let mut rest = packed.as_slice();
                for block in &rows {
                    let (dy, others) = rest.split_at(block.rows * count * pixels);
                    rest = others;
                    let sums = &mut sums[block.first * width..][..block.rows * width];
                    let place = pair * 2 * lanes;
                    macro_rules! tile {
                        ($($count:literal)*) => {
                            match block.rows {
                                $($count => simd.vectorize(Tile::<$count> { x, dy, sums, width, place }),)*
                                _ => {}
                            }
                        };
                    }
                    tile!(1 2 3 4 5 6 7 8 9 10 11 12);
                }
            }
        }
        taps.scatter(&sums, width, self.dw);
    }
}

/// The entries of a row of the kernel in vectors of those that are neighbours in turned images.
struct Taps {
    /// Shift of each vector from the start of a pixel,
    shifts: Vec<usize>,
    /// and the place of each of its lanes in a row of the kernel, if it has one.
    entries: Vec<Option<usize>>,
    columns: usize,
}

impl Taps {
    fn new(shape: &ConvolutionShape, planes: &Planes, lanes: usize) -> Self {
        let (side, channels) = (shape.kernel, shape.inputs);
        let area = side * side;
        // (shift in turned images, place in the kernel), by place in the turned images.
        let mut all: Vec<(usize, usize)> = (0..area)
            .flat_map(|tap| (0..channels).map(move |channel| (tap, channel)))
            .map(|(tap, channel)| (planes.taps[tap] * channels + channel, channel * area + tap))
            .collect();
        all.sort_unstable();
        let mut taps = Self {
            shifts: Vec::new(),
            entries: Vec::new(),
            columns: channels * area,
        };
        for (shift, entry) in all {
            let begun = taps.shifts.last().filter(|first| shift - *first < lanes);
            let first = match begun {
                Some(first) => *first,
                None => {
                    taps.shifts.push(shift);
                    taps.entries.resize(taps.shifts.len() * lanes, None);
                    shift
                }
            };
            taps.entries[(taps.shifts.len() - 1) * lanes + shift - first] = Some(entry);
        }
        taps
    }

    fn scatter(&self, sums: &[f32], width: usize, dw: &mut [f32]) {
        for (sums, row) in sums
            .chunks_exact(width)
            .zip(dw.chunks_exact_mut(self.columns))
        {
            for (sum, entry) in sums.iter().zip(&self.entries) {
                if let Some(entry) = entry {
                    row[*entry] = *sum;
                }
            }
        }
    }
}

/// Images in planes, channels as neighbours.
fn turn(planes: &Planes, images: &[f32], turned: &mut [f32]) {
    let places = planes.pixel_places();
    let (channels, pixels) = (planes.channels(), places.len());
    let pitch = planes.image_pitch();
    for (image, turned) in images
        .chunks_exact(channels * pixels)
        .zip(turned.chunks_exact_mut(pitch))
    {
        for first in (0..channels).step_by(TURNED) {
            let count = TURNED.min(channels - first);
            for (pixel, place) in places.iter().enumerate() {
                let Some(place) = place else {
                    continue;
                };
                let values = &mut turned[place * channels + first..][..count];
                let channels = image[first * pixels..].chunks(pixels);
                for (value, channel) in values.iter_mut().zip(channels) {
                    *value = channel[pixel];
                }
            }
        }
    }
}

/// The channels of each block of `dy`, as neighbours.
fn pack(blocks: &[Block], dy: &[f32], outputs: usize, pixels: usize, packed: &mut Vec<f32>) {
    packed.clear();
    for block in blocks {
        for image in dy.chunks_exact(outputs * pixels) {
            let channels = &image[block.first * pixels..][..block.rows * pixels];
            for pixel in 0..pixels {
                packed.extend(channels.chunks_exact(pixels).map(|channel| channel[pixel]));
            }
        }
    }
}

/// Both vectors of every pixel, side by side.
#[inline(always)]
fn gather<S: Simd>(x: &[f32], starts: &[usize], shifts: [usize; 2], panel: &mut Vec<f32>) {
    panel.resize(starts.len() * 2 * S::F32_LANES, 0.0);
    let (vectors, _) = S::as_mut_simd_f32s(panel);
    for (start, pair) in starts.iter().zip(vectors.chunks_exact_mut(2)) {
        for (vector, shift) in pair.iter_mut().zip(shifts) {
            if let Some(seen) = S::as_simd_f32s(&x[start + shift..]).0.first() {
                *vector = *seen;
            }
        }
    }
}

/// Two vectors of taps at every pixel.
#[derive(Clone, Copy)]
struct Shifted<'a> {
    values: &'a [f32],
    starts: &'a [usize],
    shifts: [usize; 2],
}

/// `ROWS` channels of the output by two vectors of taps, summed over all pixels.
struct Tile<'a, const ROWS: usize> {
    x: Shifted<'a>,
    dy: &'a [f32],
    sums: &'a mut [f32],
    width: usize,
    place: usize,
}

impl<const ROWS: usize> WithSimd for Tile<'_, ROWS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
        let (dy, _) = self.dy.as_chunks::<ROWS>();
        let Shifted {
            values,
            starts,
            shifts,
        } = self.x;
        for (&start, dy) in starts.iter().zip(dy) {
            let left = load(simd, &values[start + shifts[0]..]);
            let right = load(simd, &values[start + shifts[1]..]);
            for (sums, &dy) in sums.iter_mut().zip(dy) {
                let dy = simd.splat_f32s(dy);
                sums[0] = simd.mul_add_f32s(dy, left, sums[0]);
                sums[1] = simd.mul_add_f32s(dy, right, sums[1]);
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            // Of a pair that is one vector twice, the second has no place.
            let places = &mut self.sums[row * self.width..][self.place..self.width];
            let (places, _) = S::as_mut_simd_f32s(places);
            for (place, sum) in places.iter_mut().zip(sums) {
                *place = simd.add_f32s(*place, sum);
            }
        }
    }
}
