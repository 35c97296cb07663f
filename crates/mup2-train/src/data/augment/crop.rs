//! A crop out of the image padded with black, and its mirror image, in one pass.

use std::ops::Range;

use rand::Rng;

use super::super::images::ImageShape;
use super::super::order::below;

/// Where a crop lies: its upper left corner in the image, negative in the padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offset {
    pub down: isize,
    pub right: isize,
}

impl Offset {
    /// A crop of the original size, drawn uniformly from the image with `padding` pixels around it.
    pub fn draw(padding: usize, random: &mut impl Rng) -> Self {
        let mut along = || below(2 * padding + 1, random) as isize - padding as isize;
        Self {
            down: along(),
            right: along(),
        }
    }
}

/// Writes the crop of `image` at `offset`, mirrored left to right if `flip`, to `out`.
pub(super) fn crop(image: &[u8], shape: ImageShape, offset: Offset, flip: bool, out: &mut [u8]) {
    let ImageShape { height, width, .. } = shape;
    let (rows, columns) = (inside(offset.down, height), inside(offset.right, width));
    let planes = image.chunks_exact(shape.plane());
    for (plane, out) in planes.zip(out.chunks_exact_mut(shape.plane())) {
        if rows.is_empty() || columns.is_empty() {
            out.fill(0);
            continue;
        }
        out[..rows.start * width].fill(0);
        out[rows.end * width..].fill(0);
        // One copy for all rows is several times faster than one each. It puts the next row's pixels
        // into columns outside the image, which are then blackened.
        let (first, end) = (
            rows.start * width + columns.start,
            (rows.end - 1) * width + columns.end,
        );
        let source = offset.down.max(0).unsigned_abs() * width + offset.right.max(0).unsigned_abs();
        out[first..end].copy_from_slice(&plane[source..][..end - first]);
        for row in out[rows.start * width..rows.end * width].chunks_exact_mut(width) {
            row[..columns.start].fill(0);
            row[columns.end..].fill(0);
        }
        if flip {
            for row in out.chunks_exact_mut(width) {
                row.reverse();
            }
        }
    }
}

/// Which of the crop's rows (or columns) lie in an image of `length` of them.
fn inside(offset: isize, length: usize) -> Range<usize> {
    let before = offset.min(0).unsigned_abs().min(length);
    let after = offset.max(0).unsigned_abs().min(length);
    before..length - after
}
