//! Multilayer perceptron on flattened images, as in figure 1 of the paper (three layers, no
//! biases, ReLU).

use super::trace::multiplied;
use super::{Application, Initializer, Site, Trace};
use crate::error::Result;
use crate::scaling::{Role, ScalingTable, TensorKind, TensorShape};
use burn::module::{Module, Param};
use burn::tensor::activation::{gelu, relu};
use burn::tensor::{DType, Device, Tensor};
use std::fmt::Display;

/// A nonlinearity of the hidden layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// Gaussian error linear unit.
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Activation {
    fn apply(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Relu => relu(x),
            Self::Gelu => gelu(x),
            Self::Tanh => x.tanh(),
        }
    }

    /// Factor of 1/√fan_in in the initialization that keeps the signal's size (He et al. 2015;
    /// 5/3 for tanh is PyTorch's).
    pub fn gain(self) -> f64 {
        match self {
            Self::Relu | Self::Gelu => 2f64.sqrt(),
            Self::Tanh => 5.0 / 3.0,
        }
    }
}

/// The shape of an [`Mlp`].
#[derive(Debug, Clone, PartialEq)]
pub struct MlpConfig {
    /// Number of input features.
    pub inputs: usize,
    /// Number of classes.
    pub classes: usize,
    /// Units of every hidden layer.
    pub width: usize,
    /// Width at which every multiplier is 1.
    pub base_width: usize,
    /// Number of weight layers, the readout included; at least 2.
    pub depth: usize,
    /// Whether layers have biases (initialized to 0).
    pub bias: bool,
    /// Nonlinearity.
    pub activation: Activation,
    /// Adds each hidden-to-hidden layer's input to its output.
    pub residual: bool,
    /// Starts the readout weight at zero.
    pub readout_zero_init: bool,
}

impl MlpConfig {
    fn layers(&self) -> Vec<(String, Role)> {
        let hidden =
            (0..self.depth.saturating_sub(2)).map(|i| (format!("hidden.{i}"), Role::Hidden));
        std::iter::once(("input".to_owned(), Role::Input))
            .chain(hidden)
            .chain(std::iter::once(("readout".to_owned(), Role::Output)))
            .collect()
    }

    /// Every parameter with its role and its shapes at the target and the base width.
    pub fn tensor_shapes(&self) -> Vec<TensorShape> {
        let mut shapes = Vec::new();
        for (layer, role) in self.layers() {
            let fan = |width: usize| match role {
                Role::Input => (self.inputs, width),
                Role::Hidden => (width, width),
                Role::Output | Role::Fixed => (width, self.classes),
            };
            let (fan, base_fan) = (fan(self.width), fan(self.base_width));
            let gain = match role {
                Role::Output if self.readout_zero_init => 0.0,
                Role::Output => 1.0,
                _ => self.activation.gain(),
            };
            shapes.push(TensorShape {
                name: format!("{layer}.weight"),
                role,
                kind: TensorKind::Weight,
                shape: vec![fan.0, fan.1],
                fan,
                base_fan,
                base_init_std: gain / (base_fan.0 as f64).sqrt(),
            });
            if self.bias {
                shapes.push(TensorShape {
                    name: format!("{layer}.bias"),
                    role: if role == Role::Output {
                        Role::Fixed
                    } else {
                        Role::Input
                    },
                    kind: TensorKind::Bias,
                    shape: vec![fan.1],
                    fan: (1, fan.1),
                    base_fan: (1, base_fan.1),
                    base_init_std: 0.0,
                });
            }
        }
        shapes
    }

    /// Draws the model from the streams of `seed`, with the stds and multipliers of `table`.
    ///
    /// # Errors
    /// When `table` was made for another model.
    pub fn init(
        &self,
        table: &ScalingTable,
        seed: u64,
        device: &Device,
        dtype: DType,
    ) -> Result<Mlp> {
        let initializer = Initializer::new(table, seed, device, dtype);
        let mut layers = self
            .layers()
            .into_iter()
            .map(|(name, _)| Dense::init(&initializer, &name, self.bias))
            .collect::<Result<Vec<_>>>()?;
        let readout = layers.split_off(layers.len() - 1).remove(0);
        let hidden = layers.split_off(1);
        Ok(Mlp {
            input: layers.remove(0),
            hidden,
            readout,
            activation: self.activation,
            residual: self.residual,
        })
    }
}

/// A multilayer perceptron.
#[derive(Module, Debug)]
pub struct Mlp {
    input: Dense,
    hidden: Vec<Dense>,
    readout: Dense,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    residual: bool,
}

impl Mlp {
    /// Logits `[batch, classes]` of `x` `[batch, inputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.forward_traced(x, &mut Trace::off())
    }

    /// As [`Mlp::forward`], telling `trace` what each parameter was applied to.
    pub fn forward_traced(&self, x: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let mut x = self.activation.apply(self.input.forward(x, "input", trace));
        for (index, layer) in self.hidden.iter().enumerate() {
            let y = layer.forward(x.clone(), format_args!("hidden.{index}"), trace);
            let y = self.activation.apply(y);
            x = if self.residual { x + y } else { y };
        }
        self.readout.forward(x, "readout", trace)
    }
}

/// `y = x (m_w W) + m_b b`, with the multipliers m of the a-form (1 otherwise).
#[derive(Module, Debug)]
pub struct Dense {
    weight: Param<Tensor<2>>,
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    weight_multiplier: f64,
    #[module(skip)]
    bias_multiplier: f64,
}

impl Dense {
    fn init(initializer: &Initializer, layer: &str, bias: bool) -> Result<Self> {
        let weight = format!("{layer}.weight");
        let bias = bias.then(|| format!("{layer}.bias"));
        Ok(Self {
            weight_multiplier: initializer.row(&weight)?.weight_mult,
            bias_multiplier: match &bias {
                Some(name) => initializer.row(name)?.weight_mult,
                None => 1.0,
            },
            weight: initializer.gaussian(&weight)?,
            bias: bias.map(|name| initializer.gaussian(&name)).transpose()?,
        })
    }

    fn forward(&self, x: Tensor<2>, name: impl Display, trace: &mut Trace) -> Tensor<2> {
        let input = trace.is_recording().then(|| x.clone().without_autodiff());
        // The multiplier acts on the smaller product: batch × fan_out entries, not the weight.
        let y = multiplied(x.matmul(self.weight.val()), self.weight_multiplier);
        if let Some(input) = input {
            trace.record(Site {
                parameter: format!("{name}.weight"),
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
        let shift = multiplied(bias.val(), self.bias_multiplier).unsqueeze();
        if trace.is_recording() {
            trace.record(Site {
                parameter: format!("{name}.bias"),
                application: Application::Bias {
                    multiplier: self.bias_multiplier,
                },
                product: shift.clone().without_autodiff(),
            });
        }
        y + shift
    }
}
