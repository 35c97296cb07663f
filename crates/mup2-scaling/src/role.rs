//! What role a tensor plays as the width grows, and the two shapes that show it.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// A tensor's role: which of its fan-in and fan-out grow with the width (METHOD section 1).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Role {
    /// Fixed fan-in, growing fan-out: first layers, and hidden vectors such as biases and gains.
    Input,
    /// Both grow: hidden linear and convolutional layers.
    Hidden,
    /// Growing fan-in, fixed fan-out: the readout weight.
    Output,
    /// Neither grows: the readout bias.
    Fixed,
}

impl Role {
    /// Whether (fan-in, fan-out) grow, as exponents of the width: 0 or 1.
    pub fn fan_exponents(self) -> (f64, f64) {
        match self {
            Self::Input => (0.0, 1.0),
            Self::Hidden => (1.0, 1.0),
            Self::Output => (1.0, 0.0),
            Self::Fixed => (0.0, 0.0),
        }
    }
}

/// What a tensor is within its layer; rules treat biases and normalization parameters apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TensorKind {
    /// A weight matrix or convolution kernel.
    Weight,
    /// A bias of a linear or convolutional layer.
    Bias,
    /// A gain or bias of a normalization layer.
    Norm,
}

/// One parameter tensor at the target width and at the base width.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorShape {
    /// Path of the parameter in its model, such as `hidden.0.weight`.
    pub name: String,
    /// Role, tagged by the layer or found by comparing shapes.
    pub role: Role,
    /// What it is within its layer.
    pub kind: TensorKind,
    /// Shape at the target width.
    pub shape: Vec<usize>,
    /// Fan-in and fan-out at the target width (a vector has fan-in 1).
    pub fan: (usize, usize),
    /// Fan-in and fan-out at the base width.
    pub base_fan: (usize, usize),
    /// Standard deviation σ_l of the initialization at the base width; 0 for constant tensors.
    pub base_init_std: f64,
}

impl TensorShape {
    /// Target width over base width, as this tensor's own fans show it; `None` for a fixed tensor,
    /// which shows nothing of the width.
    ///
    /// # Errors
    /// When a fan is zero, or the two shapes contradict the role: a fan that should be fixed
    /// changes, or the two fans of a hidden tensor grow by different factors.
    pub fn width_ratio(&self) -> Result<Option<f64>> {
        let fans = [self.fan.0, self.fan.1, self.base_fan.0, self.base_fan.1];
        if fans.contains(&0) {
            return Err(self.contradiction("a fan of 0", "fans of at least 1"));
        }
        let fan_in = self.fan.0 as f64 / self.base_fan.0 as f64;
        let fan_out = self.fan.1 as f64 / self.base_fan.1 as f64;
        let (grows_in, grows_out) = self.role.fan_exponents();
        if (grows_in == 0.0 && fan_in != 1.0) || (grows_out == 0.0 && fan_out != 1.0) {
            return Err(self.contradiction(
                format!(
                    "a fan grows that role `{}` keeps fixed (fan-in ×{fan_in}, fan-out ×{fan_out})",
                    self.role
                ),
                "a role that fits how the shape grows from the base width",
            ));
        }
        if self.role == Role::Hidden && fan_in != fan_out {
            return Err(self.contradiction(
                format!("fan-in grows by {fan_in} and fan-out by {fan_out}"),
                "hidden tensors whose two fans scale together",
            ));
        }
        Ok(match self.role {
            Role::Input | Role::Hidden => Some(fan_out),
            Role::Output => Some(fan_in),
            Role::Fixed => None,
        })
    }

    fn contradiction(&self, problem: impl Into<String>, allowed: &str) -> Error {
        Error::invalid(format!("tensor `{}`", self.name), problem, allowed)
    }
}
