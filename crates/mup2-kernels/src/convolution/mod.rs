//! Two-dimensional convolution and its two gradients, as products of a small matrix with shifted images.
//!
//! With stride 1 and padding done, output pixel q of channel o is `Σ_k w[o, k] x[start(q) + tap(k)]`:
//! k runs over (channel in, row, column) of the kernel, and both tables are made once. Where sixteen
//! neighbours of the output are neighbours in the image, vectors are read from the image as it lies; else
//! panels of it are packed first. A stride deals the image's pixels into planes, one for each remainder,
//! in which neighbours are neighbours again.
//!
//! Images are `[batch, channels, height, width]`, kernels `[channels out, channels in, side, side]`.

mod gradient;
mod panel;
mod planes;
mod product;
mod shape;
#[cfg(test)]
mod tests;

pub use shape::ConvolutionShape;

use planes::{input_planes, output_planes};
use product::{Map, Matrix, correlate};

/// `y = w ∗ x`, into `y`.
///
/// # Panics
/// When a slice has another length than `shape` says; the caller checks.
pub fn forward(shape: &ConvolutionShape, x: &[f32], w: &[f32], y: &mut [f32]) {
    let planes = input_planes(shape);
    let (outputs, taps) = (shape.outputs, planes.taps.len());
    let matrix = Matrix::pack(outputs, taps, |output, tap| w[output * taps + tap]);
    let pixels = shape.out_height() * shape.out_width();
    let map = Map {
        starts: planes.starts(shape.out_height(), shape.out_width()),
        places: (0..pixels).collect(),
        channel_pitch: pixels,
        image_pitch: outputs * pixels,
    };
    correlate(&matrix, &planes, x, shape.batch, &map, y);
}

/// Gradient of the loss with respect to `x` from that with respect to `y`, into `dx`.
///
/// # Panics
/// As [`forward`].
pub fn backward_input(shape: &ConvolutionShape, w: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (inputs, side, stride) = (shape.inputs, shape.kernel, shape.stride);
    let pixels = shape.height * shape.width;
    if stride > side {
        // Pixels that no kernel reaches.
        dx.fill(0.0);
    }
    // The pixels of the input with one remainder by the stride see the same part of the kernel.
    for row in 0..stride.min(side) {
        for column in 0..stride.min(side) {
            let part = output_planes(shape, row, column);
            let matrix = Matrix::pack(inputs, part.kernel.len(), |input, tap| {
                let (output, place) = part.kernel[tap];
                w[(output * inputs + input) * side * side + place]
            });
            let map = Map {
                starts: part.starts,
                places: part.places,
                channel_pitch: pixels,
                image_pitch: inputs * pixels,
            };
            correlate(&matrix, &part.planes, dy, shape.batch, &map, dx);
        }
    }
}

/// Gradient of the loss with respect to `w`, into `dw`.
///
/// # Panics
/// As [`forward`].
pub fn backward_weight(shape: &ConvolutionShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    gradient::weight(shape, x, dy, dw);
}
