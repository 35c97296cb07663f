//! Pixels side by side: as they lie in the planes where that serves, and packed where it does not.

use std::ops::Range;

/// Pixels that are copied together, where the rows of an image have this many or a multiple.
const RUN: usize = 4;

/// Pixels of several panels, so that packing does not begin anew for each small image.
const PIXELS_AT_ONCE: usize = 256;

/// The pixels of a grid, in vectors.
pub(super) struct Panels<'a> {
    starts: &'a [usize],
    direct: bool,
    in_runs: bool,
}

impl<'a> Panels<'a> {
    /// Pixels that begin at `starts` in each image's planes.
    pub fn new(starts: &'a [usize], lanes: usize) -> Self {
        let in_groups = |size: usize| {
            let (groups, rest) = (starts.chunks_exact(size), starts.len() % size);
            let neighbours = |group: &[usize]| group[size - 1] == group[0] + size - 1;
            rest == 0 && groups.into_iter().all(neighbours)
        };
        Self {
            starts,
            direct: in_groups(lanes),
            in_runs: in_groups(RUN),
        }
    }

    /// Whether each vector of pixels is one of the planes.
    pub fn are_direct(&self) -> bool {
        self.direct
    }

    /// Images that are worked off together.
    pub fn images_at_once(&self, batch: usize) -> usize {
        match self.direct {
            true => 1,
            false => PIXELS_AT_ONCE.div_ceil(self.starts.len()).clamp(1, batch),
        }
    }

    /// Where a pixel, counted through images of `pitch` values, begins.
    pub fn start(&self, pixel: usize, pitch: usize) -> usize {
        let pixels = self.starts.len();
        pixel / pixels * pitch + self.starts[pixel % pixels]
    }

    /// Packs the pixels `range`, counted through images of `pitch` values, as each tap sees them: `width`
    /// values a tap, of which those beyond the range are left as they are.
    pub fn pack(
        &self,
        planes: &[f32],
        taps: &[usize],
        pitch: usize,
        range: Range<usize>,
        width: usize,
        packed: &mut [f32],
    ) {
        let start = |pixel| self.start(pixel, pitch);
        if self.in_runs {
            let starts: Vec<usize> = range.step_by(RUN).map(start).collect();
            for (panel, tap) in packed.chunks_exact_mut(width).zip(taps) {
                let (runs, _) = panel.as_chunks_mut::<RUN>();
                for (run, start) in runs.iter_mut().zip(&starts) {
                    run.copy_from_slice(&planes[start + tap..][..RUN]);
                }
            }
            return;
        }
        let starts: Vec<usize> = range.map(start).collect();
        for (panel, tap) in packed.chunks_exact_mut(width).zip(taps) {
            for (value, start) in panel.iter_mut().zip(&starts) {
                *value = planes[start + tap];
            }
        }
    }
}
