//! The fully connected layer.

use super::dimension::Dimension;
use super::stack::add_to_rows;
use super::{Application, Initializer, Site, Trace};
use crate::error::Result;
use crate::fused::stacked_linear;
use crate::ghost_norm::{GhostNorm, Source};
use crate::scaling::{TensorKind, TensorShape};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use mup2::trace::multiplied;

/// What a [`Dense`] layer is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DenseConfig {
    /// Path of the layer in its model.
    pub name: String,
    pub inputs: Dimension,
    pub outputs: Dimension,
    pub bias: bool,
    /// Initialization std of the weight at the base width, times √fan_in.
    pub gain: f64,
    /// Factor of the layer's output, the same at every width.
    pub output_multiplier: f64,
}

impl DenseConfig {
    /// A layer with an initialization of 1/√fan_in and no bias.
    pub fn new(name: impl Into<String>, inputs: Dimension, outputs: Dimension) -> Self {
        Self {
            name: name.into(),
            inputs,
            outputs,
            bias: false,
            gain: 1.0,
            output_multiplier: 1.0,
        }
    }

    /// Its weight `[fan_in, fan_out]`, and its bias if it has one.
    pub fn shapes(&self) -> Vec<TensorShape> {
        let (fan_in, fan_out) = (self.inputs, self.outputs);
        let mut shapes = vec![TensorShape {
            name: format!("{}.weight", self.name),
            role: fan_in.role_towards(fan_out),
            kind: TensorKind::Weight,
            shape: vec![fan_in.target(), fan_out.target()],
            fan: (fan_in.target(), fan_out.target()),
            base_fan: (fan_in.base(), fan_out.base()),
            base_init_std: self.gain / (fan_in.base() as f64).sqrt(),
        }];
        if self.bias {
            shapes.push(vector(
                format!("{}.bias", self.name),
                TensorKind::Bias,
                fan_out,
            ));
        }
        shapes
    }

    /// # Errors
    /// When the initializer's table has no row for a parameter.
    pub fn init(&self, initializer: &Initializer) -> Result<Dense> {
        let weight = format!("{}.weight", self.name);
        let bias = self.bias.then(|| format!("{}.bias", self.name));
        let multiplier = |name: &str| {
            let row = initializer.row(name)?;
            Ok(row.weight_mult * self.output_multiplier)
        };
        Ok(Dense {
            weight_multiplier: multiplier(&weight)?,
            bias_multiplier: bias.as_deref().map(multiplier).transpose()?.unwrap_or(1.0),
            weight: initializer.gaussian(&weight)?,
            bias: bias.map(|name| initializer.gaussian(&name)).transpose()?,
            stack: initializer.stack(),
            name: self.name.clone(),
        })
    }
}

/// A vector along `dimension` that starts at a constant: input-like with a fan-in of 1.
pub(super) fn vector(name: String, kind: TensorKind, dimension: Dimension) -> TensorShape {
    TensorShape {
        name,
        role: Dimension::Fixed(1).role_towards(dimension),
        kind,
        shape: vec![dimension.target()],
        fan: (1, dimension.target()),
        base_fan: (1, dimension.base()),
        base_init_std: 0.0,
    }
}

/// `y = x (m_w W) + m_b b`, with the multipliers m of the a-form (1 otherwise) times the layer's
/// output multiplier.
#[derive(Module, Debug)]
pub struct Dense {
    weight: Param<Tensor<2>>,
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    weight_multiplier: f64,
    #[module(skip)]
    bias_multiplier: f64,
    #[module(skip)]
    stack: usize,
    #[module(skip)]
    name: String,
}

impl Dense {
    /// Number of trials that the layer is of.
    pub(super) fn stack(&self) -> usize {
        self.stack
    }

    /// `[rows, fan_out]` of `x` `[rows, fan_in]`; a stack takes the rows of its trials one after the other.
    pub(super) fn forward(&self, x: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        self.forward_with(x, Source::Layer, &mut GhostNorm::default(), trace)
    }

    /// [`Dense::forward`] in a pass of a step.
    pub(super) fn forward_with(
        &self,
        x: Tensor<2>,
        source: Source,
        ghost_norm: &mut GhostNorm,
        trace: &mut Trace,
    ) -> Tensor<2> {
        let input = trace.is_recording().then(|| x.clone().without_autodiff());
        // The multiplier acts on the smaller product: rows × fan_out entries, not the weight.
        let y = match self.stack {
            1 => ghost_norm.product(&self.weight, x, source),
            _ => stacked_linear(x, self.weight.val(), self.stack),
        };
        let y = multiplied(y, self.weight_multiplier);
        if let Some(input) = input {
            trace.record(Site {
                parameter: format!("{}.weight", self.name),
                application: Application::Dense {
                    input,
                    multiplier: self.weight_multiplier,
                },
                product: y.clone().without_autodiff(),
            });
        }
        let Some(bias) = &self.bias else {
            return y;
        };
        let shift = multiplied(bias.val(), self.bias_multiplier);
        if trace.is_recording() {
            trace.record(Site {
                parameter: format!("{}.bias", self.name),
                application: Application::Bias {
                    multiplier: self.bias_multiplier,
                },
                product: shift.clone().without_autodiff().unsqueeze(),
            });
        }
        add_to_rows(y, shift, self.stack)
    }

    /// As [`Dense::forward`], for each of the vectors of `x` `[batch, tokens, fan_in]`.
    pub(super) fn forward_tokens(&self, x: Tensor<3>, trace: &mut Trace) -> Tensor<3> {
        let [batch, tokens, fan_in] = x.dims();
        let y = self.forward(x.reshape([batch * tokens, fan_in]), trace);
        let fan_out = y.dims()[1];
        y.reshape([batch, tokens, fan_out])
    }
}
