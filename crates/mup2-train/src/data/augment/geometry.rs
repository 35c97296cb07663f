//! Moving pixels: shear, translation and rotation to the nearest pixel, black outside.
//!
//! Each output pixel's centre is mapped back into the image in 16.16 fixed point, as Pillow does, so
//! that the same pixels are chosen.

use super::super::images::ImageShape;

/// A pixel's width in fixed point.
const ONE: f64 = 65_536.0;

/// Row `y` is shifted left by `factor` · y pixels.
pub(super) fn shear_x(image: &mut [u8], shape: ImageShape, factor: f64) {
    transform(image, shape, [1.0, factor, 0.0, 0.0, 1.0, 0.0]);
}

/// Column `x` is shifted up by `factor` · x pixels.
pub(super) fn shear_y(image: &mut [u8], shape: ImageShape, factor: f64) {
    transform(image, shape, [1.0, 0.0, 0.0, factor, 1.0, 0.0]);
}

/// Shifts the image to the right and down by whole pixels.
pub(super) fn translate(image: &mut [u8], shape: ImageShape, right: i64, down: i64) {
    let (right, down) = (-right as f64, -down as f64);
    transform(image, shape, [1.0, 0.0, right, 0.0, 1.0, down]);
}

/// Rotates the image about its middle, counterclockwise.
pub(super) fn rotate(image: &mut [u8], shape: ImageShape, degrees: f64) {
    let (sine, cosine) = (-degrees).to_radians().sin_cos();
    let (x, y) = (shape.width as f64 / 2.0, shape.height as f64 / 2.0);
    let matrix = [
        cosine,
        sine,
        x - cosine * x - sine * y,
        -sine,
        cosine,
        y + sine * x - cosine * y,
    ];
    transform(image, shape, matrix);
}

/// Output (x, y) takes the pixel at (m0 x + m1 y + m2, m3 x + m4 y + m5) of the image.
fn transform(image: &mut [u8], shape: ImageShape, matrix: [f64; 6]) {
    let fixed = |value: f64| (value * ONE + 0.5).floor() as i64;
    let [m0, m1, m2, m3, m4, m5] = matrix;
    let start_x = fixed(m2 + m0 * 0.5 + m1 * 0.5);
    let start_y = fixed(m5 + m3 * 0.5 + m4 * 0.5);
    let [m0, m1, m3, m4] = [m0, m1, m3, m4].map(fixed);
    let place = |position: i64, length: usize| {
        let place = usize::try_from(position >> 16).ok();
        place.filter(|&place| place < length)
    };
    let source = image.to_vec();
    let plane = shape.plane();
    for (row, at_row) in (0_i64..).zip((0..plane).step_by(shape.width)) {
        for (column, at) in (0_i64..).zip(at_row..at_row + shape.width) {
            let x = start_x + column * m0 + row * m1;
            let y = start_y + column * m3 + row * m4;
            let from = place(x, shape.width)
                .zip(place(y, shape.height))
                .map(|(x, y)| y * shape.width + x);
            for channel in (0..image.len()).step_by(plane) {
                image[channel + at] = from.map_or(0, |from| source[channel + from]);
            }
        }
    }
}
