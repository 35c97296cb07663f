//! Pixels side by side: as they lie in the planes where that serves, and packed where it does not.

use super::product::Map;
use crate::vector::{MOST_LANES, store};
use pulp::Simd;

/// Pixels that are copied together, where the rows of an image have this many or a multiple.
const RUN: usize = 4;

/// Pixels of several panels, so that the last, unpaired vector and the packing of small images cost little.
const PIXELS_AT_ONCE: usize = 256;

/// Vectors that are read from the planes waste the lanes beyond a row's end; up to this share of pixels among
/// their lanes that is better than to pack.
const LEAST_USED: f64 = 0.7;

/// Two vectors of pixels: where they begin in the planes, and where each pixel goes.
pub(super) struct Panel {
    pub starts: [usize; 2],
    targets: [Target; 2],
}

/// Where the pixels of a vector go, in the first channel of the output.
#[derive(Clone)]
struct Target {
    places: [usize; MOST_LANES],
    count: usize,
    /// Whether they are neighbours there too.
    contiguous: bool,
}

impl Panel {
    /// Writes both vectors of a row whose channel begins at `offset`.
    #[inline(always)]
    pub fn write<S: Simd>(&self, simd: S, vectors: [S::f32s; 2], offset: usize, out: &mut [f32]) {
        for (target, values) in self.targets.iter().zip(vectors) {
            let places = &target.places[..target.count];
            let Some(&first) = places.first() else {
                continue;
            };
            if target.contiguous {
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

/// The pixels of some images, in panels.
pub(super) struct Panels {
    pub list: Vec<Panel>,
    /// Where each pixel begins, for packing; empty where the planes are read as they are.
    starts: Vec<usize>,
    in_runs: bool,
    lanes: usize,
}

/// How the pixels of one image are dealt into vectors: the first pixel and the number of each.
pub(super) struct Vectors {
    of_an_image: Vec<(usize, usize)>,
    are_packed: bool,
}

impl Vectors {
    /// Of pixels that begin at `starts`, in vectors of `lanes`.
    pub fn new(starts: &[usize], lanes: usize) -> Self {
        let mut of_an_image: Vec<(usize, usize)> = Vec::new();
        for (pixel, start) in starts.iter().enumerate() {
            match of_an_image.last_mut() {
                Some((first, count)) if *count < lanes && *start == starts[*first] + *count => {
                    *count += 1
                }
                _ => of_an_image.push((pixel, 1)),
            }
        }
        let used = starts.len() as f64 / (of_an_image.len() * lanes) as f64;
        Self {
            are_packed: used < LEAST_USED,
            of_an_image,
        }
    }

    /// Images that are worked off together.
    pub fn images_at_once(pixels: usize, batch: usize) -> usize {
        PIXELS_AT_ONCE.div_ceil(pixels).clamp(1, batch)
    }
}

impl Panels {
    /// Of `count` images, `pitch` values of the planes each.
    pub fn new(map: &Map, vectors: &Vectors, count: usize, pitch: usize, lanes: usize) -> Self {
        let pixels = map.starts.len();
        let start = |pixel: usize| pixel / pixels * pitch + map.starts[pixel % pixels];
        let all = count * pixels;
        let ranges: Vec<(usize, usize)> = match vectors.are_packed {
            true => (0..all)
                .step_by(lanes)
                .map(|first| (first, lanes.min(all - first)))
                .collect(),
            false => (0..count)
                .flat_map(|image| vectors.of_an_image.iter().map(move |range| (image, range)))
                .map(|(image, &(first, count))| (image * pixels + first, count))
                .collect(),
        };
        let target = |(first, count): (usize, usize)| {
            let mut places = [0; MOST_LANES];
            for (place, pixel) in places.iter_mut().zip(first..first + count) {
                *place = pixel / pixels * map.image_pitch + map.places[pixel % pixels];
            }
            let contiguous = places[..count]
                .windows(2)
                .all(|pair| pair[1] == pair[0] + 1);
            Target {
                places,
                count,
                contiguous,
            }
        };
        let panel = |pair: &[(usize, usize)]| {
            // A missing second vector repeats the first and goes nowhere.
            let second = pair.get(1).copied().unwrap_or((pair[0].0, 0));
            let starts = match vectors.are_packed {
                true => [0, lanes],
                false => [start(pair[0].0), start(second.0)],
            };
            Panel {
                starts,
                targets: [target(pair[0]), target(second)],
            }
        };
        let list = ranges.chunks(2).map(panel).collect();
        let starts: Vec<usize> = match vectors.are_packed {
            true => (0..all).map(start).collect(),
            false => Vec::new(),
        };
        let in_runs = starts.len().is_multiple_of(RUN)
            && starts
                .chunks_exact(RUN)
                .all(|run| run[RUN - 1] == run[0] + RUN - 1);
        Self {
            list,
            starts,
            in_runs,
            lanes,
        }
    }

    /// Packs the pixels of a panel as each tap sees them, and gives false; or true where the planes are to
    /// be read as they are.
    pub fn are_read_in_place(
        &self,
        panel: usize,
        planes: &[f32],
        taps: &[usize],
        packed: &mut [f32],
    ) -> bool {
        if self.starts.is_empty() {
            return true;
        }
        let width = 2 * self.lanes;
        let first = panel * width;
        let starts = &self.starts[first..(first + width).min(self.starts.len())];
        if self.in_runs {
            for (panel, tap) in packed.chunks_exact_mut(width).zip(taps) {
                let (runs, _) = panel.as_chunks_mut::<RUN>();
                for (run, start) in runs.iter_mut().zip(starts.iter().step_by(RUN)) {
                    run.copy_from_slice(&planes[start + tap..][..RUN]);
                }
            }
        } else {
            for (panel, tap) in packed.chunks_exact_mut(width).zip(taps) {
                for (value, start) in panel.iter_mut().zip(starts) {
                    *value = planes[start + tap];
                }
            }
        }
        false
    }
}
