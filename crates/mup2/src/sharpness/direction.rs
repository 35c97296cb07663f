//! Vectors of the parameter space: a flat tensor a parameter, and nothing where they are zero.

use super::landscape::Part;
use crate::fused::composite::row_sums;
use crate::fused::is_on_processor;
use crate::random;
use crate::step::{Geometry, Parameter, Stretch, flat_gradients};
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::HashMap;

/// A vector with one entry for each entry of the model's parameters.
#[derive(Debug, Clone)]
pub struct Direction {
    tensors: Vec<Option<Tensor<1>>>,
}

impl Direction {
    /// Of one flat tensor a parameter, in the order of `step::parameters`, without a graph of gradients;
    /// absent where the vector is zero.
    pub fn new(tensors: Vec<Option<Tensor<1>>>) -> Self {
        Self { tensors }
    }

    /// As it was given to [`Direction::new`].
    pub fn tensors(&self) -> &[Option<Tensor<1>>] {
        &self.tensors
    }

    /// The gradients of `model`; zero for parameters that had no part in the loss.
    pub(super) fn of_gradients<M: Module>(
        model: &M,
        parameters: &[Parameter],
        gradients: GradientsParams,
    ) -> Self {
        let mut found = flat_gradients(model, gradients);
        let tensors = parameters.iter().map(|p| found.remove(&p.name)).collect();
        Self { tensors }
    }

    /// Independent standard normal entries in `part`, zero elsewhere.
    pub(super) fn gaussian(space: &Space, part: Part, seed: u64, purpose: &str) -> Self {
        Self::drawn(space, part, seed, purpose, |stream| {
            StandardNormal.sample(stream)
        })
    }

    /// Independent entries of −1 or 1 in `part`, zero elsewhere.
    pub(super) fn rademacher(space: &Space, part: Part, seed: u64, purpose: &str) -> Self {
        Self::drawn(space, part, seed, purpose, |stream| {
            if stream.next_u32() & 1 == 0 {
                -1.0
            } else {
                1.0
            }
        })
    }

    fn drawn(
        space: &Space,
        part: Part,
        seed: u64,
        purpose: &str,
        mut draw: impl FnMut(&mut ChaCha8Rng) -> f64,
    ) -> Self {
        let tensor = |(index, parameter): (usize, &Parameter)| {
            if !part.contains(index) {
                return None;
            }
            let name = &parameter.name;
            let mut stream = random::stream(seed, &format!("sharpness/{purpose}/{name}"));
            let count = parameter.shape.iter().product();
            let values: Vec<f64> = (0..count).map(|_| draw(&mut stream)).collect();
            let data = TensorData::new(values, [count]).convert_dtype(space.dtype);
            Some(Tensor::from_data(data, (&space.device, space.dtype)))
        };
        let tensors = space.parameters.iter().enumerate().map(tensor).collect();
        Self { tensors }
    }

    /// S times this vector, and zero outside `part`.
    pub(super) fn stretched(&self, geometry: &Geometry, part: Part) -> Self {
        let pairs = self.tensors.iter().zip(geometry.tensors()).enumerate();
        let tensors = pairs.map(|(index, (tensor, geometry))| {
            let tensor = tensor.clone().filter(|_| part.contains(index))?;
            match &geometry.stretch {
                Stretch::Uniform(0.0) => None,
                Stretch::Uniform(1.0) => Some(tensor),
                Stretch::Uniform(factor) => Some(tensor.mul_scalar(*factor)),
                Stretch::Elementwise(factors) => Some(tensor * factors.as_ref().clone()),
            }
        });
        Self {
            tensors: tensors.collect(),
        }
    }

    /// `factor · self`.
    pub(super) fn scaled(self, factor: f64) -> Self {
        let tensors = self.tensors.into_iter();
        Self {
            tensors: tensors.map(|t| Some(t?.mul_scalar(factor))).collect(),
        }
    }

    /// `self + factor · other`.
    pub(super) fn plus(self, other: Self, factor: f64) -> Self {
        let pairs = self.tensors.into_iter().zip(other.tensors);
        let tensors = pairs.map(|pair| match pair {
            (one, None) => one,
            (None, Some(other)) => Some(other.mul_scalar(factor)),
            (Some(one), Some(other)) => Some(one + other.mul_scalar(factor)),
        });
        Self {
            tensors: tensors.collect(),
        }
    }

    /// Σ xy.
    pub fn dot(&self, other: &Self) -> f64 {
        let pairs = self.tensors.iter().zip(&other.tensors);
        let products = pairs.filter_map(|(one, other)| Some(dot(one.as_ref()?, other.as_ref()?)));
        products.sum()
    }

    /// ‖x‖.
    pub fn norm(&self) -> f64 {
        self.dot(self).sqrt()
    }

    /// `Σ weight_l ‖x_l‖²`.
    pub(super) fn weighted_square(&self, geometry: &Geometry) -> f64 {
        let pairs = self.tensors.iter().zip(geometry.tensors());
        let squares = pairs.filter_map(|(tensor, geometry)| {
            let tensor = tensor.as_ref()?;
            Some(geometry.share * dot(tensor, tensor))
        });
        squares.sum()
    }

    /// `model` at `W + factor · self`.
    pub(super) fn added_to<M: Module>(
        &self,
        model: &M,
        parameters: &[Parameter],
        factor: f64,
    ) -> M {
        let pairs = parameters.iter().zip(&self.tensors);
        let steps = pairs.filter_map(|(parameter, tensor)| Some((parameter.id, tensor.clone()?)));
        let mut displacement = Displacement {
            steps: steps.collect(),
            factor,
        };
        model.clone().map(&mut displacement)
    }
}

/// Where directions live.
#[derive(Debug, Clone)]
pub(super) struct Space {
    pub parameters: Vec<Parameter>,
    /// Without a graph of gradients.
    pub device: Device,
    pub dtype: DType,
}

fn dot(one: &Tensor<1>, other: &Tensor<1>) -> f64 {
    let count = one.shape().num_elements();
    let row = one.clone().reshape([1, count]);
    if !is_on_processor(one) {
        let products = row * other.clone().reshape([1, count]);
        return row_sums(products).into_scalar::<f64>();
    }
    // Without a temporary of the tensors' size.
    let column = other.clone().reshape([count, 1]);
    row.matmul(column).into_scalar::<f64>()
}

/// Adds to each parameter.
struct Displacement {
    steps: HashMap<ParamId, Tensor<1>>,
    factor: f64,
}

impl ModuleMapper for Displacement {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(step) = self.steps.remove(&param.id) else {
            return param;
        };
        let factor = self.factor;
        param.map(|weight| {
            let tracked = weight.is_require_grad();
            let weight = weight.without_autodiff();
            let step = step.reshape(weight.shape()).mul_scalar(factor);
            (weight + step).autodiff().set_require_grad(tracked)
        })
    }
}
