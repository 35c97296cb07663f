//! The sizes of a convolution.

/// The sizes of a convolution with a square kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvolutionShape {
    /// Images.
    pub batch: usize,
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Side of the kernel, at least 1.
    pub kernel: usize,
    /// Pixels from one place of the kernel to the next, at least 1.
    pub stride: usize,
    /// Rows and columns of zeros around the image.
    pub padding: usize,
}

impl ConvolutionShape {
    /// Rows of the output.
    pub fn out_height(&self) -> usize {
        self.places(self.height)
    }

    /// Columns of the output.
    pub fn out_width(&self) -> usize {
        self.places(self.width)
    }

    /// Places of the kernel along a side; 0 where it is larger than the padded image.
    fn places(&self, side: usize) -> usize {
        match (side + 2 * self.padding).checked_sub(self.kernel) {
            Some(room) => room / self.stride + 1,
            None => 0,
        }
    }
}
