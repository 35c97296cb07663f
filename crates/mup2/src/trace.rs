//! What a forward pass did with each parameter: the tool of the coordinate check.

use crate::fused::{convolve, linear};
use burn::tensor::Tensor;

/// How a layer applied one of its parameters to its input. Inputs are detached from the graph of
/// gradients; m is the weight multiplier of the a-form, 1 without.
#[derive(Debug, Clone)]
pub enum Application {
    /// `m x W` with x `[rows, fan_in]` and W `[fan_in, fan_out]`.
    Dense {
        /// x.
        input: Tensor<2>,
        /// m.
        multiplier: f64,
    },
    /// `m W ∗ x` with x `[batch, channels, height, width]` and W
    /// `[channels out, channels in, height, width]`.
    Convolution {
        /// x.
        input: Tensor<4>,
        /// Height and width of the kernel.
        kernel: [usize; 2],
        /// Pixels from one place of the kernel to the next.
        stride: usize,
        /// Rows and columns of zeros around x.
        padding: usize,
        /// m.
        multiplier: f64,
    },
    /// `m g ⊙ x` with x `[rows, channels]`, normalized.
    Gain {
        /// x.
        input: Tensor<2>,
        /// m.
        multiplier: f64,
    },
    /// `m b`, added to every row of the batch.
    Bias {
        /// m.
        multiplier: f64,
    },
}

impl Application {
    /// What `parameter` contributes to the layer's output: `[rows, fan_out]` (one row for a
    /// bias), or a convolution's output with an image a row. It is linear in the parameter: a
    /// perturbation put in its place gives its own effect. `parameter` is flattened.
    pub fn apply(&self, parameter: Tensor<1>) -> Tensor<2> {
        let count = parameter.dims()[0];
        match self {
            Self::Dense { input, multiplier } => {
                let fan_in = input.dims()[1];
                let weight = parameter.reshape([fan_in, count / fan_in.max(1)]);
                multiplied(linear(input.clone(), weight), *multiplier)
            }
            Self::Convolution {
                input,
                kernel: [height, width],
                stride,
                padding,
                multiplier,
            } => {
                let channels = input.dims()[1];
                let outputs = count / (channels * height * width).max(1);
                let weight = parameter.reshape([outputs, channels, *height, *width]);
                let output = convolve(input.clone(), weight, *stride, *padding);
                image_rows(multiplied(output, *multiplier))
            }
            Self::Gain { input, multiplier } => {
                input.clone() * multiplied(parameter.reshape([1, count]), *multiplier)
            }
            Self::Bias { multiplier } => multiplied(parameter.reshape([1, count]), *multiplier),
        }
    }

    /// m: the weight that acts is m times the one that is stored.
    pub fn multiplier(&self) -> f64 {
        match self {
            Self::Dense { multiplier, .. }
            | Self::Convolution { multiplier, .. }
            | Self::Gain { multiplier, .. }
            | Self::Bias { multiplier } => *multiplier,
        }
    }

    /// Columns of the parameter as a matrix, in the order in which it is stored.
    pub fn columns(&self, fan_in: usize, fan_out: usize) -> usize {
        match self {
            Self::Convolution { .. } => fan_in,
            Self::Dense { .. } | Self::Gain { .. } | Self::Bias { .. } => fan_out,
        }
    }
}

/// `[batch, …]` with an image a row.
pub fn image_rows(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels * height * width])
}

/// One parameter at work.
#[derive(Debug, Clone)]
pub struct Site {
    /// Path of the parameter, such as `hidden.0.weight`.
    pub parameter: String,
    /// How it was applied, and to what.
    pub application: Application,
    /// What it contributed, shaped as [`Application::apply`] does.
    pub product: Tensor<2>,
}

/// Collects the sites of a forward pass, in its order; does nothing when off.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    sites: Option<Vec<Site>>,
}

impl Trace {
    /// A trace that records nothing, for forward passes that nobody looks into.
    pub fn off() -> Self {
        Self::default()
    }

    /// A trace that records.
    pub fn recording() -> Self {
        Self {
            sites: Some(Vec::new()),
        }
    }

    /// The sites in the order of the forward pass.
    pub fn sites(&self) -> &[Site] {
        self.sites.as_deref().unwrap_or_default()
    }

    /// Whether sites are kept; if not, nobody need make them.
    pub fn is_recording(&self) -> bool {
        self.sites.is_some()
    }

    /// Records a matrix W `[fan_in, fan_out]` that was applied as `x W`; `input` x is
    /// `[…, fan_in]` and `product`, without a bias, is `[…, fan_out]`. Both are detached here.
    pub fn record_dense<const D: usize>(
        &mut self,
        parameter: &str,
        input: Tensor<D>,
        product: Tensor<D>,
    ) {
        if !self.is_recording() {
            return;
        }
        let rows = |x: Tensor<D>| {
            let columns = x.dims().last().copied().unwrap_or(1);
            let rows = x.shape().num_elements() / columns.max(1);
            x.without_autodiff().reshape([rows, columns])
        };
        self.record(Site {
            parameter: parameter.to_owned(),
            application: Application::Dense {
                input: rows(input),
                multiplier: 1.0,
            },
            product: rows(product),
        });
    }

    /// Records a site; the tensors should be detached.
    pub fn record(&mut self, site: Site) {
        if let Some(sites) = &mut self.sites {
            sites.push(site);
        }
    }
}

impl Trace {
    /// A trace that records if this one does, with nothing recorded yet.
    pub fn empty_like(&self) -> Self {
        Self {
            sites: self.sites.as_ref().map(|_| Vec::new()),
        }
    }

    /// Records what `steps` recorded with one site a parameter: a dense matrix that was applied
    /// several times, as in a recurrent network, was applied to all its inputs at once.
    pub fn record_joined(&mut self, steps: Self) {
        let mut joined: Vec<Site> = Vec::new();
        for site in steps.sites.unwrap_or_default() {
            let Some(first) = joined.iter_mut().find(|s| s.parameter == site.parameter) else {
                joined.push(site);
                continue;
            };
            if let (Application::Dense { input, .. }, Application::Dense { input: more, .. }) =
                (&mut first.application, site.application)
            {
                *input = Tensor::cat(vec![input.clone(), more], 0);
                first.product = Tensor::cat(vec![first.product.clone(), site.product], 0);
            }
        }
        for site in joined {
            self.record(site);
        }
    }
}

/// `x` times a factor, which is nothing where it is 1.
pub fn multiplied<const D: usize>(x: Tensor<D>, multiplier: f64) -> Tensor<D> {
    if multiplier == 1.0 {
        x
    } else {
        x.mul_scalar(multiplier)
    }
}
