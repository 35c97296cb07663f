//! What a forward pass did with each parameter: the tool of the coordinate check.

use burn::tensor::Tensor;

/// How a layer applied one of its parameters to its input.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are a few per forward pass, and most hold a tensor"
)]
pub enum Application {
    /// `m x W` with x `[batch, fan_in]` and W `[fan_in, fan_out]`.
    Dense {
        /// x, detached from the graph of gradients.
        input: Tensor<2>,
        /// m, the weight multiplier of the a-form; 1 without.
        multiplier: f64,
    },
    /// `m b`, added to every row of the batch.
    Bias {
        /// m.
        multiplier: f64,
    },
}

impl Application {
    /// What `parameter` contributes to the layer's output, `[batch, fan_out]` (one row for a
    /// bias). It is linear in the parameter: a perturbation put in its place gives its own effect.
    /// `parameter` is flattened.
    pub fn apply(&self, parameter: Tensor<1>) -> Tensor<2> {
        let count = parameter.dims()[0];
        match self {
            Self::Dense { input, multiplier } => {
                let fan_in = input.dims()[1];
                let weight = parameter.reshape([fan_in, count / fan_in.max(1)]);
                multiplied(input.clone().matmul(weight), *multiplier)
            }
            Self::Bias { multiplier } => multiplied(parameter.reshape([1, count]), *multiplier),
        }
    }

    /// m: the weight that acts is m times the one that is stored.
    pub fn multiplier(&self) -> f64 {
        match self {
            Self::Dense { multiplier, .. } | Self::Bias { multiplier } => *multiplier,
        }
    }
}

/// One parameter at work.
#[derive(Debug, Clone)]
pub struct Site {
    /// Path of the parameter, such as `hidden.0.weight`.
    pub parameter: String,
    /// How it was applied, and to what.
    pub application: Application,
    /// What it contributed, `[batch, fan_out]` (one row for a bias).
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

    pub(super) fn is_recording(&self) -> bool {
        self.sites.is_some()
    }

    /// Records a site; the tensors should be detached.
    pub(super) fn record(&mut self, site: Site) {
        if let Some(sites) = &mut self.sites {
            sites.push(site);
        }
    }
}

pub(super) fn multiplied<const D: usize>(x: Tensor<D>, multiplier: f64) -> Tensor<D> {
    if multiplier == 1.0 {
        x
    } else {
        x.mul_scalar(multiplier)
    }
}
