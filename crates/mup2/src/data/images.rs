//! Images as one contiguous `u8` buffer, and their normalization on the way into a batch.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The shape of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// Channels: 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

impl ImageShape {
    /// Values per image: channels · height · width.
    pub fn values(self) -> usize {
        self.channels * self.plane()
    }

    /// Values per channel: height · width.
    pub fn plane(self) -> usize {
        self.height * self.width
    }
}

impl FromStr for ImageShape {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let sides = text.split('x').map(str::parse);
        let sides: Option<Vec<usize>> = sides.map(std::result::Result::ok).collect();
        let within = |sides: &[usize]| sides.iter().all(|side| (1..=1 << 16).contains(side));
        match sides.as_deref() {
            Some(sides @ &[channels, height, width]) if within(sides) => Ok(Self {
                channels,
                height,
                width,
            }),
            _ => Err(format!(
                "`{text}` is not CHANNELSxHEIGHTxWIDTH with numbers from 1 to 65536, such as 3x32x32"
            )),
        }
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            channels,
            height,
            width,
        } = self;
        write!(formatter, "{channels}×{height}×{width}")
    }
}

/// N labelled images.
#[derive(Clone, PartialEq, Eq)]
pub struct Images {
    /// N · channels · height · width values, 0 to 255, in that order of axes.
    pub pixels: Vec<u8>,
    /// N classes, counted from 0.
    pub labels: Vec<u16>,
    /// The shape that all images share.
    pub shape: ImageShape,
}

impl fmt::Debug for Images {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Megabytes of pixels help nobody.
        write!(formatter, "Images({} of {})", self.len(), self.shape)
    }
}

impl Images {
    /// Puts pixels and labels together.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a side of the shape is 0 or if there are not
    /// `labels.len() * shape.values()` pixels.
    pub fn new(pixels: Vec<u8>, labels: Vec<u16>, shape: ImageShape) -> Result<Self> {
        if shape.values() == 0 || labels.len().checked_mul(shape.values()) != Some(pixels.len()) {
            return Err(Error::invalid(
                "images",
                format!(
                    "{} pixels for {} images of {shape}",
                    pixels.len(),
                    labels.len()
                ),
                "images × channels × height × width pixels, each of them at least 1",
            ));
        }
        Ok(Self {
            pixels,
            labels,
            shape,
        })
    }

    /// The number of images, N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The images at `indices`, in that order, as a new set.
    ///
    /// # Panics
    /// If an index is not below [`Images::len`].
    pub fn select(&self, indices: &[usize]) -> Self {
        let values = self.shape.values();
        let mut pixels = Vec::with_capacity(indices.len() * values);
        for &index in indices {
            pixels.extend_from_slice(&self.pixels[index * values..][..values]);
        }
        Self {
            pixels,
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            shape: self.shape,
        }
    }

    /// Replaces `out` by the normalized images at `indices`: a row of channels · height · width
    /// values for each, (pixel / 255 − mean) / standard deviation by channel.
    ///
    /// # Panics
    /// If an index is not below [`Images::len`] or `normalization` has fewer channels than the
    /// images.
    pub fn gather(&self, indices: &[usize], normalization: &Normalization, out: &mut Vec<f32>) {
        let (values, plane) = (self.shape.values(), self.shape.plane());
        let tables: Vec<[f32; 256]> = (0..self.shape.channels)
            .map(|channel| normalization.table(channel))
            .collect();
        out.clear();
        out.reserve(indices.len() * values);
        for &index in indices {
            let image = &self.pixels[index * values..][..values];
            for (pixels, table) in image.chunks_exact(plane).zip(&tables) {
                // A `u8` cannot leave a table of 256, so there is no bounds check here.
                out.extend(pixels.iter().map(|&pixel| table[usize::from(pixel)]));
            }
        }
    }

    /// Averages blocks of `side` × `side` pixels into one, rounding halves up.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `side` does not divide the height and the width.
    pub fn average_pool(self, side: usize) -> Result<Self> {
        if side == 1 {
            return Ok(self);
        }
        let ImageShape {
            channels,
            height,
            width,
        } = self.shape;
        let divides = |length: usize| side != 0 && length.is_multiple_of(side);
        if !divides(height) || !divides(width) {
            return Err(Error::invalid(
                "data.average_pool",
                format!("{side} does not divide the images' {height}×{width} pixels"),
                "1 or a divisor of the images' height and width",
            ));
        }
        let shape = ImageShape {
            channels,
            height: height / side,
            width: width / side,
        };
        let area = (side * side) as u64;
        let mut pixels = Vec::with_capacity(self.pixels.len() / (side * side));
        let mut sums = vec![0_u64; shape.width];
        for band in self.pixels.chunks_exact(side * width) {
            sums.fill(0);
            for row in band.chunks_exact(width) {
                for (sum, block) in sums.iter_mut().zip(row.chunks_exact(side)) {
                    *sum += block.iter().map(|&pixel| u64::from(pixel)).sum::<u64>();
                }
            }
            // An average of bytes, rounded, is at most 255.
            pixels.extend(sums.iter().map(|sum| ((sum + area / 2) / area) as u8));
        }
        Ok(Self {
            pixels,
            labels: self.labels,
            shape,
        })
    }
}

/// Replaces `out` by the labels at `indices`, in whatever integer the caller's tensors hold.
///
/// It takes labels, not [`Images`], because a run with label noise has labels of its own (see
/// [`super::noisy_labels`]) beside the shared images.
///
/// # Panics
/// If an index is not below `labels.len()`.
pub fn gather_labels<Label: From<u16>>(labels: &[u16], indices: &[usize], out: &mut Vec<Label>) {
    out.clear();
    out.extend(indices.iter().map(|&index| Label::from(labels[index])));
}

/// The mean and standard deviation of each channel of the training images, of pixels from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// The mean of each channel, 0 to 1.
    pub mean: Vec<f64>,
    /// The standard deviation (over N, not N − 1) of each channel; 1 where a channel is constant.
    pub std: Vec<f64>,
}

impl Normalization {
    /// Measures `images`. It counts how often each of the 256 values occurs, in integers, so the
    /// result does not depend on an order of summation.
    pub fn of(images: &Images) -> Self {
        let ImageShape { channels, .. } = images.shape;
        let mut counts = vec![[0_u64; 256]; channels];
        for image in images.pixels.chunks_exact(images.shape.values()) {
            let planes = image.chunks_exact(images.shape.plane());
            for (plane, counts) in planes.zip(&mut counts) {
                for &pixel in plane {
                    counts[usize::from(pixel)] += 1;
                }
            }
        }
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
        let (mean, std) = counts.iter().map(moments).unzip();
        Self { mean, std }
    }

    /// The normalized value of each of the 256 pixel values of one channel.
    pub(super) fn table(&self, channel: usize) -> [f32; 256] {
        let (mean, std) = (self.mean[channel], self.std[channel]);
        std::array::from_fn(|pixel| ((pixel as f64 / 255.0 - mean) / std) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageShape, Images, Normalization, gather_labels};
    use proptest::prelude::*;

    fn images(pixels: Vec<u8>, channels: usize, height: usize, width: usize) -> Images {
        let shape = ImageShape {
            channels,
            height,
            width,
        };
        let count = pixels.len() / shape.values();
        Images::new(pixels, (0..count as u16).collect(), shape).unwrap()
    }

    #[test]
    fn pixels_that_do_not_fit_the_shape_are_refused() {
        let shape = ImageShape {
            channels: 1,
            height: 2,
            width: 2,
        };
        assert!(Images::new(vec![0; 7], vec![0, 1], shape).is_err());
        let flat = ImageShape { height: 0, ..shape };
        assert!(Images::new(vec![], vec![0, 1], flat).is_err());
    }

    #[test]
    fn pooling_averages_blocks_and_rounds_halves_up() {
        let grey = images(
            vec![0, 1, 10, 20, 0, 1, 30, 41, 9, 9, 0, 255, 9, 9, 0, 255],
            1,
            4,
            4,
        );
        let pooled = grey.average_pool(2).unwrap();
        // (0+1+0+1)/4 = 0.5 -> 1; (10+20+30+41)/4 = 25.25 -> 25; 9; 127.5 -> 128
        assert_eq!(pooled.pixels, [1, 25, 9, 128]);
        assert_eq!((pooled.shape.height, pooled.shape.width), (2, 2));
    }

    #[test]
    fn pooling_keeps_channels_and_images_apart() {
        let two = images(
            vec![1, 1, 1, 1, 5, 5, 5, 5, 7, 7, 7, 7, 9, 9, 9, 9],
            2,
            2,
            2,
        );
        assert_eq!(two.average_pool(2).unwrap().pixels, [1, 5, 7, 9]);
    }

    #[test]
    fn pooling_by_a_side_that_does_not_divide_the_image_is_an_error() {
        let message = images(vec![0; 12], 1, 4, 3).average_pool(2).unwrap_err();
        assert!(message.to_string().contains("4×3"), "{message}");
        assert!(images(vec![0; 12], 1, 4, 3).average_pool(0).is_err());
    }

    #[test]
    fn gathered_rows_are_normalized_by_channel_and_in_the_order_asked() {
        let two = images(vec![0, 255, 0, 0, 255, 255, 51, 102], 2, 1, 2);
        let normalization = Normalization {
            mean: vec![0.5, 0.0],
            std: vec![0.5, 0.1],
        };
        let mut out = vec![9.0];
        two.gather(&[1, 0], &normalization, &mut out);
        let expected = [1.0, 1.0, 2.0, 4.0, -1.0, 1.0, 0.0, 0.0];
        for (found, expected) in out.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{out:?}");
        }
        let mut labels: Vec<i64> = vec![];
        gather_labels(&two.labels, &[1, 0, 1], &mut labels);
        assert_eq!(labels, [1, 0, 1]);
    }

    #[test]
    fn a_constant_channel_is_centred_and_not_divided_by_zero() {
        let normalization = Normalization::of(&images(vec![51; 8], 1, 2, 2));
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
            set.gather(&indices, &Normalization::of(&set), &mut out);
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
