//! Padded images, dealt into planes in which a strided kernel moves by single pixels.

use super::shape::ConvolutionShape;

/// How images are copied so that every tap of a kernel is a shift.
#[derive(Debug)]
pub(super) struct Planes {
    channels: usize,
    height: usize,
    width: usize,
    /// Zeros above and left of the image.
    padding: usize,
    /// Remainders by this many rows and columns have planes of their own,
    stride: usize,
    /// of which only so many along a side are needed.
    kept: usize,
    rows: usize,
    columns: usize,
    /// Shift of each tap of the kernel from the start of a pixel.
    pub taps: Vec<usize>,
}

impl Planes {
    /// Values of one image in planes.
    pub fn image_pitch(&self) -> usize {
        self.channels * self.kept * self.kept * self.rows * self.columns
    }

    /// Where each pixel of a grid begins, row by row.
    pub fn starts(&self, height: usize, width: usize) -> Vec<usize> {
        let row = |row| (0..width).map(move |column| row * self.columns + column);
        (0..height).flat_map(row).collect()
    }

    fn is_identity(&self) -> bool {
        self.padding == 0
            && self.stride == 1
            && (self.rows, self.columns) == (self.height, self.width)
    }

    /// `count` images `[channels, height, width]` in planes, one after the other; the images themselves where
    /// nothing changes.
    pub fn of_all<'a>(
        &self,
        images: &'a [f32],
        count: usize,
        storage: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        if self.is_identity() {
            return images;
        }
        let pitch = self.image_pitch();
        // The borders stay what they are from one call to the next: zeros.
        storage.resize(count * pitch, 0.0);
        let values = self.channels * self.height * self.width;
        for (image, planes) in images
            .chunks_exact(values)
            .zip(storage.chunks_exact_mut(pitch))
        {
            self.copy(image, planes);
        }
        storage
    }

    /// Writes `image` to `planes`, whose borders hold zeros.
    fn copy(&self, image: &[f32], planes: &mut [f32]) {
        let places = self.pixel_places();
        let pitch = self.image_pitch() / self.channels;
        let channels = image.chunks_exact(self.height * self.width);
        for (pixels, planes) in channels.zip(planes.chunks_exact_mut(pitch)) {
            if self.stride == 1 {
                // Rows stay rows.
                let rows = pixels
                    .chunks_exact(self.width)
                    .zip(places.chunks_exact(self.width));
                for (pixels, places) in rows {
                    if let Some(first) = places[0] {
                        let room = self.columns - first % self.columns;
                        let seen = &pixels[..self.width.min(room)];
                        planes[first..][..seen.len()].copy_from_slice(seen);
                    }
                }
                continue;
            }
            for (pixels, places) in pixels
                .chunks_exact(self.width)
                .zip(places.chunks_exact(self.width))
            {
                // Every stride-th pixel of a row is a neighbour in one plane.
                for (first, place) in places.iter().enumerate().take(self.stride) {
                    let Some(place) = *place else {
                        continue;
                    };
                    let room = self.columns - place % self.columns;
                    let seen = pixels[first..].iter().step_by(self.stride);
                    for (value, pixel) in planes[place..][..room].iter_mut().zip(seen) {
                        *value = *pixel;
                    }
                }
            }
        }
    }

    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Where each pixel of an image stands in the planes of its channel; nowhere if no kernel sees it.
    pub fn pixel_places(&self) -> Vec<Option<usize>> {
        let place = |row: usize, column: usize| {
            let axis = |at: usize, length: usize| {
                let padded = at + self.padding;
                let (at, remainder) = (padded / self.stride, padded % self.stride);
                (remainder < self.kept && at < length).then_some((at, remainder))
            };
            let (row, column) = (axis(row, self.rows)?, axis(column, self.columns)?);
            let plane = row.1 * self.kept + column.1;
            Some((plane * self.rows + row.0) * self.columns + column.0)
        };
        let row = |row| (0..self.width).map(move |column| place(row, column));
        (0..self.height).flat_map(row).collect()
    }
}

/// The input of a convolution, for its forward pass.
pub(super) fn input_planes(shape: &ConvolutionShape) -> Planes {
    let (side, stride) = (shape.kernel, shape.stride);
    let kept = stride.min(side);
    // The last place of the kernel ends here; pixels beyond are seen by none.
    let reach = |places: usize| places + (side - 1) / stride;
    let (rows, columns) = (reach(shape.out_height()), reach(shape.out_width()));
    let mut taps = Vec::with_capacity(shape.inputs * side * side);
    for channel in 0..shape.inputs {
        for row in 0..side {
            for column in 0..side {
                let plane = (channel * kept + row % stride) * kept + column % stride;
                taps.push(plane * rows * columns + row / stride * columns + column / stride);
            }
        }
    }
    Planes {
        channels: shape.inputs,
        height: shape.height,
        width: shape.width,
        padding: shape.padding,
        stride,
        kept,
        rows,
        columns,
        taps,
    }
}

/// What the input pixels with one remainder by the stride see of the output.
pub(super) struct Part {
    pub planes: Planes,
    /// Channel of the output and place in the kernel of each tap.
    pub kernel: Vec<(usize, usize)>,
    /// Where each of these pixels begins in the planes,
    pub starts: Vec<usize>,
    /// and where it stands in the image.
    pub places: Vec<usize>,
}

/// The output of a convolution, for the gradient of those input pixels that stand, padding counted, in
/// rows and columns with the remainders `row` and `column` by the stride.
pub(super) fn output_planes(shape: &ConvolutionShape, row: usize, column: usize) -> Part {
    let (side, stride, padding) = (shape.kernel, shape.stride, shape.padding);
    let (height, width) = (shape.out_height(), shape.out_width());
    // An input pixel sees places of the kernel up to so far above and left of it.
    let border = (side - 1) / stride;
    // Rows of the input with this remainder: `padded = first·stride + remainder`.
    let grid = |remainder: usize, length: usize| -> Vec<(usize, usize)> {
        let padded = (padding..padding + length).filter(|at| at % stride == remainder);
        padded.map(|at| (at / stride, at - padding)).collect()
    };
    let (grid_rows, grid_columns) = (grid(row, shape.height), grid(column, shape.width));
    let reach = |grid: &[(usize, usize)], length: usize| {
        let last = grid.last().map_or(0, |&(at, _)| at + 1);
        last.max(length) + border
    };
    let (rows, columns) = (reach(&grid_rows, height), reach(&grid_columns, width));
    let (mut taps, mut kernel) = (Vec::new(), Vec::new());
    let steps = |remainder: usize| (remainder..side).step_by(stride).enumerate();
    for output in 0..shape.outputs {
        for (down, kernel_row) in steps(row) {
            for (right, kernel_column) in steps(column) {
                kernel.push((output, kernel_row * side + kernel_column));
                taps.push((output * rows + border - down) * columns + border - right);
            }
        }
    }
    let pixels = || {
        let columns = &grid_columns;
        grid_rows
            .iter()
            .flat_map(move |&row| columns.iter().map(move |&column| (row, column)))
    };
    Part {
        starts: pixels()
            .map(|(row, column)| row.0 * columns + column.0)
            .collect(),
        places: pixels()
            .map(|(row, column)| row.1 * shape.width + column.1)
            .collect(),
        kernel,
        planes: Planes {
            channels: shape.outputs,
            height,
            width,
            padding: border,
            stride: 1,
            kept: 1,
            rows,
            columns,
            taps,
        },
    }
}
