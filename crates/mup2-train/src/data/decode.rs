//! From one image file to the pixels of a batch: decode, resize, crop, average.
//!
//! Every step works on 8-bit values and does the same whatever the processor, so the pixels of a
//! file are always the same ones. Resizing takes the triangle filter, widened where the image
//! shrinks, like Pillow's `BILINEAR`, from whose values it differs by 1 at most; sides and crop are
//! rounded as torchvision's `Resize` and `CenterCrop` round them. An orientation in a photograph's
//! metadata is not followed, as it is not there either.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::images::average_blocks;
use super::jpeg;
use crate::error::{Error, Result};
use crate::publish::read_regular;

/// What no decoded or resized image may exceed, in bytes: a few bytes of header can claim terabytes.
pub(super) const LARGEST_DECODED: usize = 1 << 29;

/// What decoding may take beside the pixels, in bytes: a few bytes of a PNG's colour profile or
/// text can claim any number. Profiles and texts that are larger are left out; nothing uses them.
const LARGEST_EXTRA: u64 = 1 << 24;

/// What a file's header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub height: usize,
    pub width: usize,
    /// Whether it has more than shades of grey.
    pub colour: bool,
}

/// How the sides of an image are changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Geometry {
    /// What the shorter side becomes.
    pub resize: Option<usize>,
    /// The side of the square that is cut out of the middle, after resizing.
    pub crop: Option<usize>,
}

impl Geometry {
    /// Height and width after resizing; the longer side is rounded down.
    fn resized(self, height: usize, width: usize) -> (usize, usize) {
        match self.resize {
            None => (height, width),
            Some(side) if height <= width => (side, side * width / height.max(1)),
            Some(side) => (side * height / width.max(1), side),
        }
    }

    /// Height and width after resizing and cropping, or what stands against it.
    pub fn applied(self, header: &Header) -> std::result::Result<(usize, usize), String> {
        let (height, width) = self.resized(header.height, header.width);
        // Three channels at most; resizing goes from the one size to the other.
        if height.saturating_mul(width) > LARGEST_DECODED / 3 {
            return Err(format!("its {height}×{width} pixels are too many"));
        }
        match self.crop {
            Some(side) if height < side || width < side => Err(format!(
                "its {height}×{width} pixels (height × width) are too few to crop {side}×{side}"
            )),
            Some(side) => Ok((side, side)),
            None => Ok((height, width)),
        }
    }
}

/// What every file of a dataset becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    pub geometry: Geometry,
    /// 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// Height after resizing and cropping.
    pub height: usize,
    /// Width after resizing and cropping.
    pub width: usize,
    /// The side of the blocks that are then averaged into one pixel.
    pub pool: usize,
}

/// Reads the header of a file.
pub(super) fn header(path: &Path) -> Result<Header> {
    let mut file = BufReader::new(File::open(path).map_err(Error::io("open", path))?);
    let mut first = Vec::new();
    file.by_ref()
        .take(16)
        .read_to_end(&mut first)
        .and_then(|_| file.rewind())
        .map_err(Error::io("read", path))?;
    let found = match image::guess_format(&first) {
        Ok(ImageFormat::Jpeg) => jpeg::header(file),
        Ok(format) => other_header(file, format).map_err(reason),
        Err(error) => Err(reason(error)),
    };
    found.map_err(|problem| not_an_image(path, &problem))
}

fn other_header(file: impl BufRead + Seek, format: ImageFormat) -> image::ImageResult<Header> {
    let decoder = limited(file, format, LARGEST_EXTRA).into_decoder()?;
    let (width, height) = decoder.dimensions();
    Ok(Header {
        height: height as usize,
        width: width as usize,
        colour: decoder.color_type().has_color(),
    })
}

/// A reader that takes at most `bytes` of memory.
fn limited<R: BufRead + Seek>(file: R, format: ImageFormat, bytes: u64) -> ImageReader<R> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(bytes);
    let mut reader = ImageReader::with_format(file, format);
    reader.limits(limits);
    reader
}

/// Decodes bytes that are no JPEG.
fn other(bytes: &[u8], format: ImageFormat) -> std::result::Result<DynamicImage, String> {
    let decoder = limited(Cursor::new(bytes), format, LARGEST_EXTRA).into_decoder();
    let pixels = decoder.map_err(reason)?.total_bytes();
    if pixels > LARGEST_DECODED as u64 {
        return Err(format!("its pixels would take {pixels} bytes"));
    }
    limited(Cursor::new(bytes), format, pixels + LARGEST_EXTRA)
        .decode()
        .map_err(reason)
}

/// Decodes a file as what its first bytes say it is: names are often wrong.
pub(super) fn whole(path: &Path) -> Result<DynamicImage> {
    let bytes = read_regular(path)?;
    let found = match image::guess_format(&bytes) {
        Ok(ImageFormat::Jpeg) => jpeg::decode(&bytes),
        Ok(format) => other(&bytes, format),
        Err(error) => Err(reason(error)),
    };
    found.map_err(|problem| not_an_image(path, &problem))
}

/// The pixels of a file as `recipe` wants them: channels, rows, columns.
pub(super) fn pixels(path: &Path, recipe: &Recipe) -> Result<Vec<u8>> {
    let image = whole(path)?;
    let (height, width) = (image.height() as usize, image.width() as usize);
    let header = Header {
        height,
        width,
        colour: recipe.channels > 1,
    };
    let target = recipe.geometry.applied(&header);
    if target != Ok((recipe.height, recipe.width)) {
        let problem = "it changed while it was in use";
        return Err(Error::corrupt(path, problem, "leave the images alone"));
    }
    let interleaved = match recipe.channels {
        1 => image.into_luma8().into_raw(),
        _ => image.into_rgb8().into_raw(),
    };
    let (resized, height, width) = resize(interleaved, (height, width), recipe)
        .map_err(|error| not_an_image(path, &error.to_string()))?;
    let planes = cropped_planes(&resized, (height, width), recipe);
    Ok(match recipe.pool {
        1 => planes,
        side => average_blocks(&planes, recipe.width, side),
    })
}

/// The resized image and its height and width.
fn resize(
    pixels: Vec<u8>,
    (height, width): (usize, usize),
    recipe: &Recipe,
) -> std::result::Result<(Vec<u8>, usize, usize), Box<dyn std::error::Error>> {
    let (new_height, new_width) = recipe.geometry.resized(height, width);
    if (new_height, new_width) == (height, width) {
        return Ok((pixels, height, width));
    }
    let channels = recipe.channels;
    let mut resized = vec![0; new_height * new_width * channels];
    for channel in 0..channels {
        let plane: Vec<u8> = pixels
            .iter()
            .skip(channel)
            .step_by(channels)
            .copied()
            .collect();
        let plane = resize_plane(&plane, [height, width], [new_height, new_width])?;
        let places = resized.iter_mut().skip(channel).step_by(channels);
        places.zip(plane).for_each(|(place, value)| *place = value);
    }
    Ok((resized, new_height, new_width))
}

/// One channel. The library's `resize` would choose among all its types of pixels at run time, and each of
/// them would be compiled here: half of this crate's machine code.
fn resize_plane(
    plane: &[u8],
    from: [usize; 2],
    to: [usize; 2],
) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
    let source = TypedImageRef::<U8>::from_buffer(from[1].try_into()?, from[0].try_into()?, plane)?;
    let mut resized = vec![0; to[0] * to[1]];
    let mut target =
        TypedImage::<U8>::from_buffer(to[1].try_into()?, to[0].try_into()?, &mut resized)?;
    let filter = ResizeAlg::Convolution(FilterType::Bilinear);
    let options = ResizeOptions::new().resize_alg(filter);
    Resizer::new().resize_typed(&source, &mut target, &options)?;
    Ok(resized)
}

/// The middle of an image whose channels lie side by side, as one plane a channel.
fn cropped_planes(pixels: &[u8], (height, width): (usize, usize), recipe: &Recipe) -> Vec<u8> {
    let channels = recipe.channels;
    let (top, left) = (
        margin(height, recipe.height) * width * channels,
        margin(width, recipe.width) * channels,
    );
    let mut planes = Vec::with_capacity(channels * recipe.height * recipe.width);
    for channel in 0..channels {
        for row in pixels[top..]
            .chunks_exact(width * channels)
            .take(recipe.height)
        {
            let row = &row[left..][..recipe.width * channels];
            planes.extend(row.iter().skip(channel).step_by(channels));
        }
    }
    planes
}

/// What is cut off before the middle: half of the excess, halves rounded to even.
fn margin(side: usize, kept: usize) -> usize {
    let excess = side - kept;
    excess / 2 + usize::from(excess % 4 == 3)
}

/// Some of the decoders' messages have several lines.
fn reason(error: image::ImageError) -> String {
    error.to_string().replace('\n', " ")
}

fn not_an_image(path: &Path, reason: &str) -> Error {
    let problem = format!("it cannot be read as an image ({reason})");
    Error::corrupt(path, problem, "replace or remove this file")
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
