//! Labelled images of one shape, in memory as one contiguous `u8` buffer or in files.

use std::fmt;
use std::str::FromStr;

use super::files::ImageFiles;
use super::normalization::Normalization;
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

/// N labelled images of one shape.
///
/// Their pixels are in memory, or in files that are decoded when they are asked for (see
/// [`super::Storage`]). Whoever uses them gets the same bytes either way.
#[derive(Clone, PartialEq)]
pub struct Images {
    /// N classes, counted from 0.
    pub labels: Vec<u16>,
    /// The shape that all images share.
    pub shape: ImageShape,
    pixels: Pixels,
}

#[derive(Clone, PartialEq)]
enum Pixels {
    /// N · channels · height · width values, 0 to 255, in that order of axes.
    Memory(Vec<u8>),
    /// N files.
    Disk(ImageFiles),
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
            labels,
            shape,
            pixels: Pixels::Memory(pixels),
        })
    }

    /// Images that stay on disk; one label for each file.
    pub(super) fn on_disk(files: ImageFiles, labels: Vec<u16>) -> Self {
        Self {
            labels,
            shape: files.shape(),
            pixels: Pixels::Disk(files),
        }
    }

    /// The number of images, N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// All pixels, N · channels · height · width values, where they are in memory.
    pub fn in_memory(&self) -> Option<&[u8]> {
        match &self.pixels {
            Pixels::Memory(pixels) => Some(pixels),
            Pixels::Disk(_) => None,
        }
    }

    /// The files, where the pixels are not in memory.
    pub(super) fn files(&self) -> Option<&ImageFiles> {
        match &self.pixels {
            Pixels::Memory(_) => None,
            Pixels::Disk(files) => Some(files),
        }
    }

    /// The images at `indices`, in that order, as a new set.
    ///
    /// # Panics
    /// If an index is not below [`Images::len`].
    pub fn select(&self, indices: &[usize]) -> Self {
        let pixels = match &self.pixels {
            Pixels::Memory(pixels) => {
                let mut selected = Vec::new();
                copy_images(pixels, self.shape, indices, &mut selected);
                Pixels::Memory(selected)
            }
            Pixels::Disk(files) => Pixels::Disk(files.select(indices)),
        };
        Self {
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            shape: self.shape,
            pixels,
        }
    }

    /// Replaces `out` by the pixels of the images at `indices`: channels · height · width bytes,
    /// 0 to 255, for each. Files are decoded by the dataset's threads, in parallel; to have them
    /// decoded ahead of their use, see [`super::Loader`].
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Io`] naming a file that cannot be decoded or read. Images in
    /// memory give no error.
    ///
    /// # Panics
    /// If an index is not below [`Images::len`].
    pub fn fill(&self, indices: &[usize], out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        match &self.pixels {
            Pixels::Memory(pixels) => {
                copy_images(pixels, self.shape, indices, out);
                Ok(())
            }
            Pixels::Disk(files) => super::files::collect(files.begin(indices), self.shape, out),
        }
    }

    /// Replaces `out` by the normalized images at `indices`: [`Images::fill`] followed by
    /// [`Normalization::apply`].
    ///
    /// # Errors
    /// As those of [`Images::fill`].
    ///
    /// # Panics
    /// If an index is not below [`Images::len`] or `normalization` has fewer channels than the
    /// images.
    pub fn gather(
        &self,
        indices: &[usize],
        normalization: &Normalization,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        let mut pixels = Vec::new();
        self.fill(indices, &mut pixels)?;
        normalization.apply(&pixels, self.shape, out);
        Ok(())
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
        Ok(Self {
            labels: self.labels,
            shape: ImageShape {
                channels,
                height: height / side,
                width: width / side,
            },
            pixels: match self.pixels {
                Pixels::Memory(pixels) => Pixels::Memory(average_blocks(&pixels, width, side)),
                Pixels::Disk(files) => Pixels::Disk(files.average_pool(side)),
            },
        })
    }
}

/// Appends the images at `indices` of those in `pixels`.
fn copy_images(pixels: &[u8], shape: ImageShape, indices: &[usize], out: &mut Vec<u8>) {
    let values = shape.values();
    out.reserve(indices.len() * values);
    for &index in indices {
        out.extend_from_slice(&pixels[index * values..][..values]);
    }
}

/// Averages `side` × `side` blocks of planes whose rows have `width` pixels; `side` divides both
/// sides of every plane.
pub(super) fn average_blocks(pixels: &[u8], width: usize, side: usize) -> Vec<u8> {
    let area = (side * side) as u64;
    let mut averages = Vec::with_capacity(pixels.len() / (side * side));
    let mut sums = vec![0_u64; width / side];
    for band in pixels.chunks_exact(side * width) {
        sums.fill(0);
        for row in band.chunks_exact(width) {
            for (sum, block) in sums.iter_mut().zip(row.chunks_exact(side)) {
                *sum += block.iter().map(|&pixel| u64::from(pixel)).sum::<u64>();
            }
        }
        // An average of bytes, rounded, is at most 255.
        averages.extend(sums.iter().map(|sum| ((sum + area / 2) / area) as u8));
    }
    averages
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

#[cfg(test)]
pub(super) mod tests {
    use super::{ImageShape, Images, Normalization, gather_labels};

    /// Images of consecutive classes.
    pub fn images(pixels: Vec<u8>, channels: usize, height: usize, width: usize) -> Images {
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
        assert_eq!(pooled.in_memory().unwrap(), [1, 25, 9, 128]);
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
        let pooled = two.average_pool(2).unwrap();
        assert_eq!(pooled.in_memory().unwrap(), [1, 5, 7, 9]);
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
        two.gather(&[1, 0], &normalization, &mut out).unwrap();
        let expected = [1.0, 1.0, 2.0, 4.0, -1.0, 1.0, 0.0, 0.0];
        for (found, expected) in out.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{out:?}");
        }
        let mut labels: Vec<i64> = vec![];
        gather_labels(&two.labels, &[1, 0, 1], &mut labels);
        assert_eq!(labels, [1, 0, 1]);
    }
}
