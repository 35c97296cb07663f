//! From bytes to the numbers that a network sees: mean 0 and deviation 1 by channel.

use serde::{Deserialize, Serialize};

use super::images::{ImageShape, Images};
use super::loader::Loader;
use crate::error::Result;

/// The mean and standard deviation of each channel of the training images, of pixels from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// The mean of each channel, 0 to 1.
    pub mean: Vec<f64>,
    /// The standard deviation (over N, not N − 1) of each channel; 1 where a channel is constant.
    pub std: Vec<f64>,
}

impl Normalization {
    /// Measures `images`, those on disk in one pass that holds a few of them at a time.
    ///
    /// # Errors
    /// As those of [`Images::fill`].
    pub fn of(images: &Images) -> Result<Self> {
        const AT_ONCE: usize = 64;
        let all: Vec<usize> = (0..images.len()).collect();
        let mut counts = PixelCounts::new(images.shape);
        for batch in Loader::new(images, all.chunks(AT_ONCE), 1) {
            counts.add(&batch?.pixels);
        }
        Ok(counts.normalization())
    }

    /// Replaces `out` by the normalized `pixels` of images of `shape`, in the same order:
    /// (pixel / 255 − mean) / standard deviation by channel.
    ///
    /// # Panics
    /// If there are fewer channels here than in `shape`.
    pub fn apply(&self, pixels: &[u8], shape: ImageShape, out: &mut Vec<f32>) {
        let tables: Vec<[f32; 256]> = (0..shape.channels)
            .map(|channel| self.table(channel))
            .collect();
        out.clear();
        out.reserve(pixels.len());
        for image in pixels.chunks_exact(shape.values()) {
            for (pixels, table) in image.chunks_exact(shape.plane()).zip(&tables) {
                // A `u8` cannot leave a table of 256, so there is no bounds check here.
                out.extend(pixels.iter().map(|&pixel| table[usize::from(pixel)]));
            }
        }
    }

    /// The normalized value of each of the 256 pixel values of one channel.
    fn table(&self, channel: usize) -> [f32; 256] {
        let (mean, std) = (self.mean[channel], self.std[channel]);
        std::array::from_fn(|pixel| ((pixel as f64 / 255.0 - mean) / std) as f32)
    }
}

/// How often each of the 256 values occurs in each channel. Integers, so the result does not depend
/// on an order of summation.
#[derive(Debug)]
pub(super) struct PixelCounts {
    shape: ImageShape,
    counts: Vec<[u64; 256]>,
}

impl PixelCounts {
    /// Nothing counted yet, of images of `shape`.
    pub fn new(shape: ImageShape) -> Self {
        Self {
            shape,
            counts: vec![[0; 256]; shape.channels],
        }
    }

    /// Counts the pixels of some images.
    pub fn add(&mut self, pixels: &[u8]) {
        for image in pixels.chunks_exact(self.shape.values()) {
            let planes = image.chunks_exact(self.shape.plane());
            for (plane, counts) in planes.zip(&mut self.counts) {
                for &pixel in plane {
                    counts[usize::from(pixel)] += 1;
                }
            }
        }
    }

    /// Mean and deviation of what was counted.
    pub fn normalization(&self) -> Normalization {
        let moments = |counts: &[u64; 256]| {
            let total = counts.iter().sum::<u64>().max(1) as f64;
            let average = |value: &dyn Fn(f64) -> f64| {
                let weighted = counts.iter().enumerate();
                let sum: f64 = weighted
                    .map(|(pixel, &count)| count as f64 * value(pixel as f64 / 255.0))
                    .sum();
                sum / total
            };
            let mean = average(&|pixel| pixel);
            let std = average(&|pixel| (pixel - mean).powi(2)).sqrt();
            // The mean of a constant channel is rounded, so its deviation is not exactly 0.
            (mean, if std > 1e-6 { std } else { 1.0 })
        };
        let (mean, std) = self.counts.iter().map(moments).unzip();
        Normalization { mean, std }
    }
}

#[cfg(test)]
mod tests {
    use super::super::images::tests::images;
    use super::Normalization;
    use proptest::prelude::*;

    #[test]
    fn a_constant_channel_is_centred_and_not_divided_by_zero() {
        let normalization = Normalization::of(&images(vec![51; 8], 1, 2, 2)).unwrap();
        assert!((normalization.mean[0] - 0.2).abs() < 1e-12);
        assert_eq!(normalization.std, [1.0]);
    }

    proptest! {
        #[test]
        fn normalized_images_have_mean_zero_and_deviation_one(
            pixels in proptest::collection::vec(any::<u8>(), 24..240)
        ) {
            let whole = pixels.len() / 12 * 12;
            let set = images(pixels[..whole].to_vec(), 3, 2, 2);
            let mut out = vec![];
            let indices: Vec<usize> = (0..set.len()).collect();
            let normalization = Normalization::of(&set).unwrap();
            set.gather(&indices, &normalization, &mut out).unwrap();
            for channel in 0..3 {
                let values: Vec<f64> = out
                    .chunks_exact(12)
                    .flat_map(|row| row[channel * 4..][..4].iter().map(|&value| f64::from(value)))
                    .collect();
                let count = values.len() as f64;
                let mean = values.iter().sum::<f64>() / count;
                let squares = values.iter().map(|value| (value - mean).powi(2));
                let variance = squares.sum::<f64>() / count;
                prop_assert!(mean.abs() < 1e-4, "mean {}", mean);
                prop_assert!((variance - 1.0).abs() < 1e-4, "variance {}", variance);
            }
        }
    }
}
