//! What becomes of the pixels of one file.

use super::{Geometry, Recipe, header, pixels, whole};
use image::{DynamicImage, GrayImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};

/// The pixels of `image`, saved as a PNG file.
fn pixels_of(image: impl Into<DynamicImage>, recipe: Recipe) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.png");
    image.into().save(&path).unwrap();
    pixels(&path, &recipe).unwrap()
}

fn recipe(channels: usize, height: usize, width: usize) -> Recipe {
    Recipe {
        geometry: Geometry::default(),
        channels,
        height,
        width,
        pool: 1,
    }
}

fn resize_and_crop(channels: usize, resize: usize, crop: usize) -> Recipe {
    Recipe {
        geometry: Geometry {
            resize: Some(resize),
            crop: Some(crop),
        },
        ..recipe(channels, crop, crop)
    }
}

/// The image of `scripts/reference/resize_and_crop.py`, 9 high and 13 wide.
fn example() -> RgbImage {
    RgbImage::from_fn(13, 9, |x, y| {
        Rgb([
            (x * 19 + y * 7) as u8,
            (x * x * 5 + y * 31) as u8,
            (x * y * 11) as u8,
        ])
    })
}

fn channel(image: &RgbImage, channel: usize) -> GrayImage {
    GrayImage::from_fn(image.width(), image.height(), |x, y| {
        Luma([image.get_pixel(x, y)[channel]])
    })
}

fn assert_close(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len());
    let mut pairs = found.iter().zip(expected);
    let close = pairs.all(|(found, expected)| found.abs_diff(*expected) <= 1);
    assert!(close, "{found:?} {expected:?}");
}

#[test]
fn resizing_and_cropping_are_those_of_torchvision_to_within_one_shade() {
    // Printed by scripts/reference/resize_and_crop.py.
    let smaller = [
        [
            80, 110, 142, 172, 91, 121, 153, 183, 101, 131, 163, 193, 112, 142, 174, 204,
        ],
        [
            122, 181, 106, 148, 167, 165, 90, 157, 189, 109, 130, 132, 96, 76, 161, 136,
        ],
        [
            70, 101, 129, 138, 128, 157, 135, 81, 163, 97, 100, 156, 119, 100, 131, 99,
        ],
    ];
    let found = pixels_of(example(), resize_and_crop(3, 6, 4));
    assert_close(&found, &smaller.concat());
    let larger = [234, 103, 59, 174, 96, 79, 33, 63, 99];
    let found = pixels_of(channel(&example(), 1), resize_and_crop(1, 14, 3));
    assert_close(&found, &larger);
    let upright = [
        163, 172, 183, 193, 204, 133, 142, 153, 163, 174, 101, 110, 121, 131, 142, 71, 80, 91, 101,
        112, 40, 49, 60, 70, 81,
    ];
    let turned = image::imageops::rotate270(&channel(&example(), 0));
    assert_close(&pixels_of(turned, resize_and_crop(1, 6, 5)), &upright);
}

#[test]
fn blocks_are_averaged_after_resizing_and_cropping() {
    let pooled = Recipe {
        pool: 2,
        ..resize_and_crop(3, 6, 4)
    };
    let found = pixels_of(example(), pooled);
    // (80 + 110 + 91 + 121) / 4 = 100.5
    assert_eq!((found.len(), found[0]), (12, 101));
}

#[test]
fn sixteen_bits_are_reduced_to_eight_and_rounded() {
    let values = [0_u16, 128, 129, 257, 32_768, 65_535];
    let deep = ImageBuffer::from_fn(6, 1, |x, _| Luma([values[x as usize]]));
    let found = pixels_of(DynamicImage::ImageLuma16(deep), recipe(1, 1, 6));
    // 255 / 65535 = 1 / 257
    assert_eq!(found, [0, 0, 1, 1, 128, 255]);
}

#[test]
fn transparency_is_dropped() {
    let image = RgbaImage::from_pixel(2, 1, Rgba([10, 20, 30, 0]));
    assert_eq!(pixels_of(image, recipe(3, 1, 2)), [10, 10, 20, 20, 30, 30]);
    let grey = ImageBuffer::from_pixel(2, 1, LumaA([7_u8, 99]));
    let found = pixels_of(DynamicImage::ImageLumaA8(grey), recipe(1, 1, 2));
    assert_eq!(found, [7, 7]);
}

#[test]
fn a_grey_image_among_colours_has_three_equal_planes() {
    let image = GrayImage::from_pixel(2, 1, Luma([7]));
    assert_eq!(pixels_of(image, recipe(3, 1, 2)), [7; 6]);
}

#[test]
fn an_image_that_has_become_another_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.png");
    example().save(&path).unwrap();
    let message = pixels(&path, &recipe(3, 9, 14)).unwrap_err().to_string();
    assert!(
        message.contains("it changed while it was in use"),
        "{message}"
    );
}

/// A 4×2 grey PNG with a colour profile that inflates to `megabytes`.
fn with_profile(megabytes: usize) -> Vec<u8> {
    use flate2::{Compression, write::ZlibEncoder};
    use std::io::Write;
    let mut png = Vec::new();
    let grey = image::GrayImage::from_pixel(4, 2, image::Luma([7]));
    grey.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png)
        .unwrap();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..megabytes {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let mut chunk = b"iCCPp\0\0".to_vec();
    chunk.extend(encoder.finish().unwrap());
    let mut crc = flate2::Crc::new();
    crc.update(&chunk);
    // After the signature of 8 bytes and the header's chunk of 25.
    let mut bytes = png[..33].to_vec();
    bytes.extend(u32::try_from(chunk.len() - 4).unwrap().to_be_bytes());
    bytes.extend(chunk);
    bytes.extend(crc.sum().to_be_bytes());
    bytes.extend(&png[33..]);
    bytes
}

#[cfg(target_os = "linux")]
#[test]
fn a_colour_profile_does_not_decide_how_much_memory_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bomb.png");
    std::fs::write(&path, with_profile(400)).unwrap();
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        let kilobytes = line.split_whitespace().nth(1).unwrap();
        kilobytes.parse::<u64>().unwrap() >> 10
    };
    let before = peak();
    assert_eq!(header(&path).unwrap().height, 2);
    let image = whole(&path).unwrap();
    assert_eq!(image.into_luma8().into_raw(), [7; 8]);
    // Other tests of the process take memory too, but not hundreds of megabytes.
    assert!(peak() < before + 200, "{before} to {} MiB", peak());
}
