//! Spreading each channel's values over the whole range: AutoContrast and Equalize.

use super::super::images::ImageShape;

/// Stretches the values so that the darkest becomes 0 and the lightest 255.
pub(super) fn autocontrast(image: &mut [u8], shape: ImageShape) {
    for plane in image.chunks_exact_mut(shape.plane()) {
        let darkest = plane.iter().min().copied().unwrap_or(0);
        let lightest = plane.iter().max().copied().unwrap_or(0);
        if lightest <= darkest {
            continue;
        }
        let scale = 255.0 / f64::from(lightest - darkest);
        let offset = -f64::from(darkest) * scale;
        // In double precision and without the fraction, as in Pillow; `as` ends at 0 and 255.
        let table: [u8; 256] = std::array::from_fn(|value| (value as f64 * scale + offset) as u8);
        look_up(plane, &table);
    }
}

/// Spreads the values so that each occurs about equally often. A channel with too few pixels for
/// that (fewer than 255 that are not of its lightest value) stays as it is.
pub(super) fn equalize(image: &mut [u8], shape: ImageShape) {
    for plane in image.chunks_exact_mut(shape.plane()) {
        let mut counts = [0_usize; 256];
        for &pixel in plane.iter() {
            counts[usize::from(pixel)] += 1;
        }
        let of_lightest = counts.iter().rev().find(|&&count| count > 0).copied();
        let step = (plane.len() - of_lightest.unwrap_or(0)) / 255;
        if step == 0 {
            continue;
        }
        let mut below = step / 2;
        let table = counts.map(|count| {
            let level = below / step;
            below += count;
            level.min(255) as u8
        });
        look_up(plane, &table);
    }
}

fn look_up(plane: &mut [u8], table: &[u8; 256]) {
    for pixel in plane {
        *pixel = table[usize::from(*pixel)];
    }
}
