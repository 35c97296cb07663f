//! A contact sheet: what a run's augmentation does to a few images, for the eye.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::super::images::{ImageShape, Images};
use super::super::normalization::Normalization;
use super::Augmenter;
use super::mixing::Mixer;
use super::spec::AugmentSpec;
use crate::error::{Error, Result};

const WHITE: u8 = 255;
const MOST_PIXELS: usize = 1 << 26;

/// What a contact sheet shows, and how large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetLayout {
    /// Indices into the training set, one a row.
    pub samples: Vec<usize>,
    /// Epochs shown, from 0, one a column after the original's.
    pub draws: usize,
    /// Pixels of the sheet for each pixel of an image, in each direction; at least 1.
    pub zoom: usize,
    /// White pixels around each image.
    pub gap: usize,
}

/// A picture of 8 bits a channel, pixel by pixel in rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactSheet {
    /// Height · width · channels values; the channels of a pixel stand together.
    pub pixels: Vec<u8>,
    /// Channels 1 (grey) or 3 (red, green, blue), height and width in pixels.
    pub shape: ImageShape,
}

/// Draws the sheet of `images` under `spec` and a seed: a row a sample; first the image itself, then
/// what the epochs 0, 1, … make of it.
///
/// Mixup and CutMix mix each column, as if it were the batch of the step with the column's number.
///
/// # Errors
/// [`Error::Invalid`] if the spec does not suit the images, if they are neither grey nor red, green,
/// blue, or if the layout names a sample that there is not or makes no or too large a sheet; as
/// [`Images::fill`]'s when a file cannot be read.
pub fn contact_sheet(
    images: &Images,
    normalization: &Normalization,
    spec: &AugmentSpec,
    seed: u64,
    layout: &SheetLayout,
) -> Result<ContactSheet> {
    let mut sheet = ContactSheet::blank(images, layout)?;
    let augmenter = Augmenter::new(spec, images.shape, normalization, seed)?;
    let mixer = Mixer::new(spec, images.shape, seed)?;
    let mut originals = Vec::new();
    images.fill(&layout.samples, &mut originals)?;
    sheet.paste(0, &originals, images.shape, layout);
    let values = images.shape.values();
    let mut column = vec![0; originals.len()];
    for epoch in 0..layout.draws {
        let rows = originals.chunks_exact(values);
        let rows = rows.zip(column.chunks_exact_mut(values));
        for (&sample, (image, out)) in layout.samples.iter().zip(rows) {
            augmenter.augment(image, epoch as u64, sample, out);
        }
        if let Some(mixer) = &mixer {
            // Normalization is linear, so mixing before it shows what mixing after it makes.
            let mut pixels: Vec<f32> = column.iter().map(|&pixel| f32::from(pixel)).collect();
            let mixing = mixer.draw(epoch as u64, layout.samples.len());
            mixing.apply(&mut pixels);
            for (out, pixel) in column.iter_mut().zip(pixels) {
                *out = pixel.round() as u8;
            }
        }
        sheet.paste(epoch + 1, &column, images.shape, layout);
    }
    Ok(sheet)
}

impl ContactSheet {
    fn blank(images: &Images, layout: &SheetLayout) -> Result<Self> {
        let invalid = |problem: String, allowed: String| {
            Err(Error::invalid("contact sheet", problem, allowed))
        };
        let shape = images.shape;
        if ![1, 3].contains(&shape.channels) {
            return invalid(
                format!("images of {shape} have no colours"),
                "images of 1 (grey) or 3 (red, green, blue) channels".to_owned(),
            );
        }
        let beyond = layout
            .samples
            .iter()
            .find(|&&sample| sample >= images.len());
        if let Some(sample) = beyond {
            return invalid(
                format!("there is no image {sample}"),
                format!("indices below {}", images.len()),
            );
        }
        // None if a side or the whole is larger than a number can be.
        let side = |length: usize, count: usize| {
            let tile = length.checked_mul(layout.zoom)?.checked_add(layout.gap)?;
            tile.checked_mul(count)?.checked_add(layout.gap)
        };
        let sides = side(shape.height, layout.samples.len()).zip(
            layout
                .draws
                .checked_add(1)
                .and_then(|count| side(shape.width, count)),
        );
        let pixels = sides.and_then(|(height, width)| height.checked_mul(width));
        match (sides, pixels) {
            (Some((height, width)), Some(pixels))
                if pixels <= MOST_PIXELS && layout.zoom > 0 && !layout.samples.is_empty() =>
            {
                Ok(Self {
                    pixels: vec![WHITE; pixels * shape.channels],
                    shape: ImageShape {
                        channels: shape.channels,
                        height,
                        width,
                    },
                })
            }
            _ => invalid(
                format!(
                    "{} samples, {} draws, zoom {} and gap {} make no sheet",
                    layout.samples.len(),
                    layout.draws,
                    layout.zoom,
                    layout.gap
                ),
                format!("at least one sample and a zoom of 1, and {MOST_PIXELS} pixels at most"),
            ),
        }
    }

    /// Puts images of `shape` below each other in one column.
    fn paste(&mut self, column: usize, images: &[u8], shape: ImageShape, layout: &SheetLayout) {
        let SheetLayout { zoom, gap, .. } = *layout;
        let left = gap + column * (shape.width * zoom + gap);
        for (row, image) in images.chunks_exact(shape.values()).enumerate() {
            let top = gap + row * (shape.height * zoom + gap);
            for y in 0..shape.height * zoom {
                for x in 0..shape.width * zoom {
                    let from = y / zoom * shape.width + x / zoom;
                    let to = ((top + y) * self.shape.width + left + x) * shape.channels;
                    for channel in 0..shape.channels {
                        self.pixels[to + channel] = image[channel * shape.plane() + from];
                    }
                }
            }
        }
    }

    /// The sheet as a PNG file.
    ///
    /// # Errors
    /// [`Error::Invalid`] if pixels and shape do not fit each other.
    pub fn png(&self) -> Result<Vec<u8>> {
        let invalid = |problem: String| {
            let allowed = "height × width × channels values, of 1 or 3 channels";
            Error::invalid("contact sheet", problem, allowed)
        };
        let ImageShape {
            channels,
            height,
            width,
        } = self.shape;
        let colour = match channels {
            1 => ExtendedColorType::L8,
            3 => ExtendedColorType::Rgb8,
            _ => return Err(invalid(format!("it has {channels} channels"))),
        };
        if self.pixels.len() != self.shape.values() {
            return Err(invalid(format!("it has {} values", self.pixels.len())));
        }
        let side = |length: usize| {
            u32::try_from(length).map_err(|_| invalid(format!("a side has {length} pixels")))
        };
        let mut file = Cursor::new(Vec::new());
        PngEncoder::new(&mut file)
            .write_image(&self.pixels, side(width)?, side(height)?, colour)
            .map_err(|error| invalid(error.to_string()))?;
        Ok(file.into_inner())
    }
}
