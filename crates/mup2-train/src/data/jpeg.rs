//! JPEG files, read strictly: one that is cut off is refused, and so is one whose damage shows.
//!
//! The `image` crate decodes with the same library but leniently: it fills up with grey what is not
//! there. Damage that leaves valid codes changes pixels and cannot be told from a picture.

use std::io::{BufRead, Seek};

use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::decode::{Header, LARGEST_DECODED};

/// What the first segments of a file say. Reads no further than them.
pub(super) fn header(reader: impl BufRead + Seek) -> Result<Header, String> {
    let mut decoder = JpegDecoder::new_with_options(reader, strict());
    decoder.decode_headers().map_err(one_line)?;
    let (width, height) = decoder.dimensions().ok_or("it has no dimensions")?;
    Ok(Header {
        height,
        width,
        colour: decoder.input_colorspace() != Some(ColorSpace::Luma),
    })
}

/// Decodes a whole file to grey or, from whatever other colours, to red, green and blue.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), strict());
    decoder.decode_headers().map_err(one_line)?;
    let (width, height) = decoder.dimensions().ok_or("it has no dimensions")?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let space = if grey {
        ColorSpace::Luma
    } else {
        ColorSpace::RGB
    };
    if width * height * space.num_components() > LARGEST_DECODED {
        return Err(format!("its {height}×{width} pixels are too many"));
    }
    decoder.set_options(strict().jpeg_set_out_colorspace(space));
    let pixels = decoder.decode().map_err(one_line)?;
    if !has_end(bytes) {
        return Err("it is cut off: it has no end marker".to_owned());
    }
    // The decoder allows no side above 16,384.
    let (width, height) = (width as u32, height as u32);
    let image = if grey {
        GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
    };
    image.ok_or_else(|| "it has fewer pixels than it says".to_owned())
}

fn strict() -> DecoderOptions {
    DecoderOptions::default().set_strict_mode(true)
}

/// Some of the decoder's messages have several lines.
fn one_line(error: DecodeErrors) -> String {
    error.to_string().trim().replace('\n', " ")
}

/// Whether the end marker follows the segments. The decoder does not miss it, and does not miss the
/// last few blocks either: a file whose last bytes are absent would pass.
fn has_end(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    // Behind the start marker.
    let mut at = 2;
    while let [marker, code] = *bytes.get(at..at + 2).unwrap_or_default() {
        match (marker, code) {
            (0xff, END) => return true,
            // Stuffed zeros, fill bytes and restart markers belong to the pixels' data.
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, 0xff) => at += 1,
            // Any other marker begins a segment that says how long it is. What lies in it does not
            // count: a camera's preview is a JPEG file of its own, with an end.
            (0xff, _) => match bytes.get(at + 2..at + 4) {
                Some(&[high, low]) => at += 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
            _ => at += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{decode, has_end, header};
    use image::codecs::jpeg::JpegEncoder;
    use image::{Rgb, RgbImage};
    use std::io::Cursor;

    fn encoded(width: u32, height: u32) -> Vec<u8> {
        let image = RgbImage::from_fn(width, height, |x, y| {
            Rgb([(x * 7 + y * 13) as u8, (x * y) as u8, (x ^ y) as u8])
        });
        let mut bytes = vec![];
        JpegEncoder::new_with_quality(&mut bytes, 90)
            .encode_image(&image)
            .unwrap();
        bytes
    }

    #[test]
    fn a_file_cut_at_any_offset_is_refused() {
        for (width, height) in [(8, 8), (40, 24)] {
            let whole = encoded(width, height);
            decode(&whole).unwrap();
            for length in 0..whole.len() {
                assert!(decode(&whole[..length]).is_err(), "{length}");
            }
        }
    }

    #[test]
    fn whole_files_give_the_pixels_of_the_image_crate_and_may_be_followed_by_anything() {
        let mut bytes = encoded(40, 24);
        let expected = image::load_from_memory(&bytes).unwrap();
        bytes.extend([0; 100]);
        assert_eq!(decode(&bytes).unwrap(), expected);
        let header = header(Cursor::new(bytes)).unwrap();
        assert_eq!((header.height, header.width, header.colour), (24, 40, true));
    }

    #[test]
    fn the_end_of_a_preview_is_not_the_end_of_the_file() {
        let preview = encoded(8, 8);
        let length = (preview.len() as u16 + 2).to_be_bytes();
        let segment = [&[0xff, 0xe1], &length[..], &preview].concat();
        let whole = encoded(40, 24);
        let with_preview = [&whole[..2], &segment, &whole[2..]].concat();
        assert!(has_end(&with_preview));
        decode(&with_preview).unwrap();
        let cut = &with_preview[..with_preview.len() - 3];
        assert!(!has_end(cut));
        assert!(decode(cut).is_err());
    }

    #[test]
    fn bits_that_are_no_code_are_refused_where_the_image_crate_fills_the_rest_with_grey() {
        let mut bytes = encoded(200, 100);
        let middle = bytes.len() / 2;
        // A byte of ones and its stuffed zero; no code consists of ones only.
        bytes[middle..middle + 40].copy_from_slice(&[0xff, 0x00].repeat(20));
        assert!(image::load_from_memory(&bytes).is_ok());
        assert!(decode(&bytes).is_err());
    }
}
