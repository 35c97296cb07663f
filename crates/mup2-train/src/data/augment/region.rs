//! A rectangle of an image: what Cutout and Random Erasing fill, and what CutMix takes from another.

use rand::Rng;

use super::super::images::ImageShape;
use super::super::order::below;
use super::draws::{uniform, unit};

/// Share of the image that Random Erasing erases (torchvision's default).
const ERASED_AREA: std::ops::Range<f64> = 0.02..0.33;
/// Height over width of what it erases; drawn evenly in the logarithm.
const ERASED_ASPECT: std::ops::Range<f64> = 0.3..3.3;
const ERASING_ATTEMPTS: usize = 10;

/// A rectangle inside an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Rows above it.
    pub top: usize,
    /// Columns left of it.
    pub left: usize,
    /// Its rows.
    pub height: usize,
    /// Its columns.
    pub width: usize,
}

impl Region {
    /// Its pixels, in one channel.
    pub fn area(self) -> usize {
        self.height * self.width
    }

    /// The part inside the image of a rectangle of `height` × `width` around a pixel drawn
    /// uniformly; of an even side, the half that holds the centre comes second.
    pub(super) fn around_a_pixel(
        height: usize,
        width: usize,
        shape: ImageShape,
        random: &mut impl Rng,
    ) -> Self {
        let (row, column) = (below(shape.height, random), below(shape.width, random));
        let span = |centre: usize, side: usize, length: usize| {
            let end = (centre + side - side / 2).min(length);
            let start = centre.saturating_sub(side / 2);
            (start, end - start)
        };
        let (top, height) = span(row, height, shape.height);
        let (left, width) = span(column, width, shape.width);
        Self {
            top,
            left,
            height,
            width,
        }
    }

    /// The rectangle that Random Erasing erases with this probability: smaller than the image both
    /// ways, and wholly inside. A rectangle that does not fit is drawn again, ten times at most.
    pub(super) fn to_erase(
        probability: f64,
        shape: ImageShape,
        random: &mut impl Rng,
    ) -> Option<Self> {
        if unit(random) >= probability {
            return None;
        }
        let logarithms = ERASED_ASPECT.start.ln()..ERASED_ASPECT.end.ln();
        for _ in 0..ERASING_ATTEMPTS {
            let area = uniform(&ERASED_AREA, random) * shape.plane() as f64;
            let aspect = uniform(&logarithms, random).exp();
            let height = (area * aspect).sqrt().round() as usize;
            let width = (area / aspect).sqrt().round() as usize;
            if (1..shape.height).contains(&height) && (1..shape.width).contains(&width) {
                return Some(Self {
                    top: below(shape.height - height + 1, random),
                    left: below(shape.width - width + 1, random),
                    height,
                    width,
                });
            }
        }
        None
    }

    /// Sets the rectangle to one value a channel.
    pub(super) fn fill(self, image: &mut [u8], shape: ImageShape, values: &[u8]) {
        for (plane, &value) in image.chunks_exact_mut(shape.plane()).zip(values) {
            for row in self.rows(shape) {
                plane[row].fill(value);
            }
        }
    }

    /// Where the rectangle's rows lie in a channel of the image.
    pub(super) fn rows(self, shape: ImageShape) -> impl Iterator<Item = std::ops::Range<usize>> {
        (self.top..self.top + self.height).map(move |row| {
            let start = row * shape.width + self.left;
            start..start + self.width
        })
    }
}
