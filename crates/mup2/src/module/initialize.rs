//! The weights of any module, drawn from our streams in place of those that it was made with.

use super::scaled::ScaledModule;
use super::start::Start;
use crate::error::{Error, Result};
use crate::initialization::Initializer;
use crate::step::{NamedMapper, map_named};
use burn::module::{Module, Param};
use burn::tensor::Tensor;

impl ScaledModule {
    /// Gives every parameter of `model` what it starts at, and returns the model.
    ///
    /// Weights are drawn N(0, `init_std`²) from the stream of `seed` and their path, the same on every
    /// device; biases are 0, gains 1; a vector outside of Burn's layers keeps what it was made with, as
    /// do frozen parameters without a row. Ids, devices and precisions stay as they are.
    ///
    /// # Errors
    /// When a parameter has another shape than the module that was scaled, or one of that is absent.
    pub fn initialize<M: Module>(&self, model: M, seed: u64) -> Result<M> {
        let mut starter = Starter {
            scaled: self,
            seed,
            started: 0,
            error: None,
        };
        let model = map_named(model, &mut starter);
        if let Some(error) = starter.error {
            return Err(error);
        }
        if starter.started != self.shapes().len() {
            return Err(Error::invalid(
                "the model",
                format!(
                    "has {} of the {} parameters that were scaled",
                    starter.started,
                    self.shapes().len()
                ),
                "the model that was scaled",
            ));
        }
        Ok(model)
    }
}

struct Starter<'a> {
    scaled: &'a ScaledModule,
    seed: u64,
    started: usize,
    /// The first; a mapper has no way to return it.
    error: Option<Error>,
}

impl Starter<'_> {
    /// The parameter's value, or `None` if it has no row.
    fn start<const D: usize>(&self, name: &str, value: &Tensor<D>) -> Result<Option<Tensor<D>>> {
        let mut shapes = self.scaled.shapes().iter();
        let Some(index) = shapes.position(|shape| shape.name == name) else {
            return Ok(None);
        };
        let shape = &self.scaled.shapes()[index].shape;
        if *shape != value.dims() {
            return Err(Error::invalid(
                format!("parameter `{name}`"),
                format!("has shape {:?}", value.dims()),
                format!("the shape {shape:?} of the model that was scaled"),
            ));
        }
        let device = value.device();
        let table = self.scaled.table();
        let initializer = Initializer::new(table, self.seed, &device, value.dtype());
        let row = &table.tensors[index];
        Ok(Some(match self.scaled.parameters()[index].start {
            Start::Drawn { .. } => initializer.gaussian::<D>(name)?.val(),
            Start::Constant(constant) => initializer.constant::<D>(name, constant)?.val(),
            Start::Kept if row.weight_mult == 1.0 => value.clone(),
            Start::Kept => value.clone().div_scalar(row.weight_mult),
        }))
    }
}

impl NamedMapper for Starter<'_> {
    fn map<const D: usize>(&mut self, name: &str, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.start(name, &param.val()) {
            Ok(Some(value)) => {
                self.started += 1;
                param.map(|before| {
                    let tracked = before.is_require_grad();
                    let value = value.detach();
                    match value.is_autodiff() {
                        true => value.set_require_grad(tracked),
                        false => value,
                    }
                })
            }
            Ok(None) => param,
            Err(error) => {
                self.error.get_or_insert(error);
                param
            }
        }
    }
}
