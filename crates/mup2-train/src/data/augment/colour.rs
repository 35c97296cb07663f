//! Changing pixel values: brightness, saturation, contrast, sharpness, fewer bits, inversion.
//!
//! The first four mix the image with a plainer one, as Pillow's `ImageEnhance` does: at factor 0
//! there is the plainer one only, at 1 the image, beyond 1 more than it.

use super::super::images::ImageShape;

/// Mixes with black.
pub(super) fn brightness(image: &mut [u8], factor: f64) {
    for pixel in image {
        *pixel = mixed(0, *pixel, factor as f32);
    }
}

/// Mixes with the grey image; a grey image stays as it is.
pub(super) fn saturation(image: &mut [u8], shape: ImageShape, factor: f64) {
    if shape.channels == 1 {
        return;
    }
    let grey = grey(image, shape);
    for plane in image.chunks_exact_mut(shape.plane()) {
        for (pixel, &grey) in plane.iter_mut().zip(&grey) {
            *pixel = mixed(grey, *pixel, factor as f32);
        }
    }
}

/// Mixes with the mean of the grey image.
pub(super) fn contrast(image: &mut [u8], shape: ImageShape, factor: f64) {
    let grey = grey(image, shape);
    let sum: u64 = grey.iter().map(|&pixel| u64::from(pixel)).sum();
    let count = grey.len().max(1) as u64;
    // A mean of bytes, halves rounded up, is a byte.
    let mean = ((2 * sum + count) / (2 * count)) as u8;
    for pixel in image {
        *pixel = mixed(mean, *pixel, factor as f32);
    }
}

/// Mixes with the image smoothed over 3×3 pixels, of which the middle one counts five times; pixels
/// at the edge stay as they are.
pub(super) fn sharpness(image: &mut [u8], shape: ImageShape, factor: f64) {
    let ImageShape { height, width, .. } = shape;
    for plane in image.chunks_exact_mut(shape.plane()) {
        let source = plane.to_vec();
        for row in 1..height.saturating_sub(1) {
            for column in 1..width.saturating_sub(1) {
                let at = row * width + column;
                let block = [at - width, at, at + width]
                    .into_iter()
                    .flat_map(|middle| &source[middle - 1..=middle + 1]);
                let sum: u32 = block.map(|&pixel| u32::from(pixel)).sum();
                let weighted = sum + 4 * u32::from(source[at]);
                // A weighted mean of bytes, rounded; the weights sum to 13.
                let smooth = ((2 * weighted + 13) / 26) as u8;
                plane[at] = mixed(smooth, source[at], factor as f32);
            }
        }
    }
}

/// Keeps the `bits` (0 to 8) highest bits of each value.
pub(super) fn posterize(image: &mut [u8], bits: u32) {
    let kept = !(255_u8.checked_shr(bits).unwrap_or(0));
    for pixel in image {
        *pixel &= kept;
    }
}

/// Inverts the values from `threshold` on.
pub(super) fn solarize(image: &mut [u8], threshold: f64) {
    for pixel in image {
        if f64::from(*pixel) >= threshold {
            *pixel = 255 - *pixel;
        }
    }
}

/// `plain` + `factor` · (`pixel` − `plain`), in single precision, without its fraction.
fn mixed(plain: u8, pixel: u8, factor: f32) -> u8 {
    let (plain, pixel) = (f32::from(plain), f32::from(pixel));
    // `as` ends at 0 and 255.
    (plain + factor * (pixel - plain)) as u8
}

/// The brightness of each pixel of a grey or red, green, blue image: ITU-R 601-2 luma.
fn grey(image: &[u8], shape: ImageShape) -> Vec<u8> {
    let (red, others) = image.split_at(shape.plane());
    if shape.channels == 1 {
        return red.to_vec();
    }
    let (green, blue) = others.split_at(shape.plane());
    red.iter()
        .zip(green)
        .zip(blue)
        .map(|((&red, &green), &blue)| {
            // 0.299, 0.587 and 0.114 in units of 2⁻¹⁶; they sum to 1.
            let weighted =
                19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue);
            ((weighted + 32_768) >> 16) as u8
        })
        .collect()
}
