//! The two-dimensional convolution, without a bias: a normalization follows.

use super::{Application, Dimension, Initializer, Site, Trace};
use crate::error::Result;
use crate::fused::stacked_convolve;
use crate::scaling::{TensorKind, TensorShape};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mup2::trace::{image_rows, multiplied};

/// What a [`Convolution`] is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConvolutionConfig {
    /// Path of the layer in its model.
    pub name: String,
    /// Channels in.
    pub inputs: Dimension,
    /// Channels out.
    pub outputs: Dimension,
    /// Side of the square kernel; the padding is half of it.
    pub kernel: usize,
    pub stride: usize,
    /// Initialization std at the base width, times √fan_in.
    pub gain: f64,
}

impl ConvolutionConfig {
    fn weight(&self) -> String {
        format!("{}.weight", self.name)
    }

    /// Its weight `[channels out, channels in, kernel, kernel]`; fan_in counts the kernel's pixels.
    pub fn shape(&self) -> TensorShape {
        let area = self.kernel * self.kernel;
        let (inputs, outputs) = (self.inputs, self.outputs);
        TensorShape {
            name: self.weight(),
            role: inputs.role_towards(outputs),
            kind: TensorKind::Weight,
            shape: vec![outputs.target(), inputs.target(), self.kernel, self.kernel],
            fan: (inputs.target() * area, outputs.target()),
            base_fan: (inputs.base() * area, outputs.base()),
            base_init_std: self.gain / ((inputs.base() * area) as f64).sqrt(),
        }
    }

    /// # Errors
    /// When the initializer's table has no row for the weight.
    pub fn init(&self, initializer: &Initializer) -> Result<Convolution> {
        let name = self.weight();
        Ok(Convolution {
            weight: initializer.gaussian(&name)?,
            multiplier: initializer.row(&name)?.weight_mult,
            stride: self.stride,
            stack: initializer.stack(),
            name,
        })
    }
}

/// `y = m_w W ∗ x`.
#[derive(Module, Debug)]
pub struct Convolution {
    weight: Param<Tensor<4>>,
    #[module(skip)]
    multiplier: f64,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    stack: usize,
    #[module(skip)]
    name: String,
}

impl Convolution {
    /// `[batch, channels out, …]` of `x` `[batch, channels in, height, width]`; a stack takes the channels of
    /// its trials one after the other.
    pub(super) fn forward(&self, x: Tensor<4>, trace: &mut Trace) -> Tensor<4> {
        let input = trace.is_recording().then(|| x.clone().without_autodiff());
        let [_, _, height, width] = self.weight.dims();
        let padding = height / 2;
        let y = stacked_convolve(x, self.weight.val(), self.stride, padding, self.stack);
        let y = multiplied(y, self.multiplier);
        if let Some(input) = input {
            trace.record(Site {
                parameter: self.name.clone(),
                application: Application::Convolution {
                    input,
                    kernel: [height, width],
                    stride: self.stride,
                    padding,
                    multiplier: self.multiplier,
                },
                product: image_rows(y.clone().without_autodiff()),
            });
        }
        y
    }
}
