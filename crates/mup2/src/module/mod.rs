//! µP² for any Burn module: every parameter's role from two widths of it, from a saved file of base
//! shapes, or declared; then initialization, optimizer and SAM with the multipliers that follow.
//!
//! ```
//! # fn main() -> mup2::error::Result<()> {
//! use burn::{nn::{Linear, LinearConfig}, tensor::Device};
//! use mup2::module::BaseShapes;
//! use mup2::scaling::{Parameterization, Perturbation, Scheme};
//! use mup2::shapes::Declarations;
//! use mup2::step::{BaseOptimizerConfig, Sgd};
//!
//! #[derive(burn::module::Module, Debug)]
//! struct Net { input: Linear, readout: Linear }
//! let net = |width, device: &Device| Net {
//!     input: LinearConfig::new(8, width).init(device),
//!     readout: LinearConfig::new(width, 2).init(device),
//! };
//! let device = Device::flex().autodiff();
//! let scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
//!
//! let shapes = BaseShapes::compare(&net(32, &device), &net(64, &device), &Declarations::default())?;
//! let scaled = shapes.scale(&scheme, &net(256, &device))?;
//! let model = scaled.initialize(net(256, &device), 0)?;
//! let sgd = Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0 };
//! let mut optimizer = scaled.optimizer(BaseOptimizerConfig::Sgd(sgd), &model)?;
//! let mut sam = scaled.sam(&model)?;
//! # let _ = (&mut optimizer, &mut sam);
//! # Ok(())
//! # }
//! ```

mod base_shapes;
mod base_shapes_toml;
mod compare;
mod initialize;
mod layers;
mod outline;
mod scaled;
mod start;

pub use base_shapes::{BaseParameter, BaseShapes};
pub use scaled::{ScaledModule, ScaledParameter};
pub use start::{Start, WeightGain};

#[cfg(test)]
mod tests;
