//! Augmentation of training images: what a seed makes of an image in an epoch, and how a batch is
//! mixed.
//!
//! [`Augmenter`] changes images one by one on their way into a batch, on their bytes; [`Mixer`] then
//! mixes the batch, on normalized values. Sources and the order of application:
//! `docs/reference/augmentation.md`.

mod colour;
mod crop;
mod draws;
mod geometry;
mod histogram;
mod mixing;
mod rand_augment;
mod region;
mod sheet;
mod spec;

pub use self::mixing::{MixedLabel, Mixer, Mixing, MixingKind};
pub use self::region::Region;
pub use self::sheet::{ContactSheet, SheetLayout, contact_sheet};
pub use self::spec::{AugmentSpec, RandAugment};

use rand_chacha::ChaCha8Rng;

use self::crop::{Offset, crop};
use super::images::ImageShape;
use super::normalization::Normalization;
use crate::error::Result;
use crate::random::stream;

/// The table's name in messages about images that it does not suit.
const PLACE: &str = "augment";

/// Augments training images. What becomes of one depends on the seed, the epoch and the image's
/// index in the training set, and on nothing else: not on its batch, the order or the thread.
///
/// Each technique draws from a stream of its own, so turning one on or off leaves the draws of the
/// others as they were.
#[derive(Clone, Debug)]
pub struct Augmenter {
    spec: AugmentSpec,
    shape: ImageShape,
    seed: u64,
    /// The training mean of each channel as a pixel.
    mean: Vec<u8>,
}

impl Augmenter {
    /// The augmentation of `spec` under one seed, for images of `shape` with the training set's
    /// `normalization`. Mixing is left to [`Mixer`].
    ///
    /// # Errors
    /// [`crate::error::Error::Invalid`] if a value of the spec is out of its range or does not suit
    /// the shape.
    ///
    /// # Panics
    /// If `normalization` has fewer channels than `shape`.
    pub fn new(
        spec: &AugmentSpec,
        shape: ImageShape,
        normalization: &Normalization,
        seed: u64,
    ) -> Result<Self> {
        spec.validate(PLACE)?;
        spec.validate_for(shape, PLACE)?;
        let mean = &normalization.mean;
        Ok(Self {
            spec: spec.clone(),
            shape,
            seed,
            // `as` ends at 0 and 255.
            mean: mean
                .iter()
                .map(|mean| (mean * 255.0).round() as u8)
                .collect(),
        })
    }

    /// Replaces `out` by what `epoch` (from 0) makes of the training image with the index `sample`.
    /// Both buffers hold one image: channels · height · width values.
    ///
    /// # Panics
    /// If a buffer is shorter than an image.
    pub fn augment(&self, image: &[u8], epoch: u64, sample: usize, out: &mut [u8]) {
        let (spec, shape) = (&self.spec, self.shape);
        let image = &image[..shape.values()];
        let out = &mut out[..shape.values()];
        let random = |technique| self.stream(epoch, sample, technique);
        let offset = match spec.crop_padding {
            0 => Offset::default(),
            padding => Offset::draw(padding, &mut random("crop")),
        };
        let flip = spec.flip && draws::coin(&mut random("flip"));
        if offset == Offset::default() && !flip {
            out.copy_from_slice(image);
        } else {
            crop(image, shape, offset, flip, out);
        }
        if let Some(rand_augment) = spec.rand_augment {
            for action in rand_augment.draw(shape, &mut random("rand-augment")) {
                action.apply(out, shape);
            }
        }
        if spec.cutout > 0 {
            let side = spec.cutout;
            let square = Region::around_a_pixel(side, side, shape, &mut random("cutout"));
            square.fill(out, shape, &self.mean);
        }
        if spec.random_erasing > 0.0 {
            let random = &mut random("random-erasing");
            if let Some(region) = Region::to_erase(spec.random_erasing, shape, random) {
                region.fill(out, shape, &self.mean);
            }
        }
    }

    /// Augments a batch in place: `pixels` are those of the training images at `indices`, as
    /// [`super::ImageBatch`] has them.
    ///
    /// # Panics
    /// If there are fewer pixels than images.
    pub fn apply(&self, pixels: &mut [u8], indices: &[usize], epoch: u64) {
        if self.spec.changes_no_image() {
            return;
        }
        let values = self.shape.values();
        let mut image = vec![0; values];
        for (&index, pixels) in indices.iter().zip(pixels.chunks_exact_mut(values)) {
            image.copy_from_slice(pixels);
            self.augment(&image, epoch, index, pixels);
        }
    }

    fn stream(&self, epoch: u64, sample: usize, technique: &str) -> ChaCha8Rng {
        stream(self.seed, &format!("augment/{epoch}/{sample}/{technique}"))
    }
}

#[cfg(test)]
mod mixing_tests;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod sheet_tests;
#[cfg(test)]
mod tests;
