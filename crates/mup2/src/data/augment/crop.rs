//! A crop out of the image padded with black, and its mirror image, in one pass.

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
    let width = shape.width;
    // Columns of the crop that lie in the image, and where they come from.
    let start = offset.right.min(0).unsigned_abs().min(width);
    let source = offset.right.max(0).unsigned_abs().min(width);
    let count = width - start.max(source);
    let planes = image.chunks_exact(shape.plane());
    for (plane, out) in planes.zip(out.chunks_exact_mut(shape.plane())) {
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            let from = row
                .checked_add_signed(offset.down)
                .filter(|&from| from < shape.height);
            match from {
                Some(from) => {
                    out[..start].fill(0);
                    out[start..start + count]
                        .copy_from_slice(&plane[from * width + source..][..count]);
                    out[start + count..].fill(0);
                }
                None => out.fill(0),
            }
            if flip {
                out.reverse();
            }
        }
    }
}
