//! The perturbation itself: `ε = ρ r^(-d-d_l) T (T∇) / ‖(r^(-e_l) T∇_l)‖`.

use super::blocks::{SquaredNorms, add_scaled_blocks, multiply_blocks};
use super::perturbed_tensors::{PerturbedTensor, PerturbedTensors};
use super::tracking::Tracking;
use crate::ghost_norm::{FactoredPerturbation, GhostGradient, ModelGradients};
use crate::random;
use crate::scaling::Rule;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};

/// Where the directions of [`Rule::Random`] come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw<'a> {
    /// One for each block of the parameters; one block is the ordinary case.
    pub seeds: &'a [u64],
    pub step: u64,
    pub ascent: usize,
    /// Of the batch.
    pub part: usize,
}

/// A perturbation of a model, made and not yet applied.
///
/// Of matrices whose gradient is factors it keeps the factors: [`Perturbation::apply`] leaves those
/// matrices as they are, and the next pass perturbs their products ([`crate::ghost_norm`]).
#[derive(Debug)]
pub struct Perturbation {
    tensors: PerturbedTensors,
    /// T∇ of each parameter.
    directions: GradientsParams,
    factored: Vec<GhostGradient>,
    /// Denominators of the blocks.
    norms: Vec<f64>,
    /// ρ over the denominator, of each block; 0 where there is no direction.
    scales: Vec<f64>,
}

impl Perturbation {
    /// Made of the gradients at `model`, where the preconditioner is taken too, with a radius for
    /// each block.
    pub(super) fn new<M: Module>(
        tensors: &PerturbedTensors,
        model: &M,
        gradients: ModelGradients,
        radii: &[f64],
        draw: Draw,
    ) -> Self {
        let (dense, factored) = gradients.into_parts();
        let mut squared_norms = SquaredNorms::new(radii.len());
        let factored: Vec<GhostGradient> = factored
            .into_iter()
            .map(|(id, factors)| GhostGradient::new(id, factors))
            .collect();
        for gradient in &factored {
            if let Some(tensor) = tensors.get(gradient.id()) {
                squared_norms.add_known(gradient.squared_norm() * tensor.norm_mult.powi(2));
            }
        }
        let mut directions = Directions {
            tensors,
            gradients: dense,
            draw,
            squared_norms,
        };
        model.visit(&mut directions);
        let squared = directions.squared_norms.into_values().into_iter();
        let norms: Vec<f64> = squared.map(f64::sqrt).collect();
        let scales =
            radii
                .iter()
                .zip(&norms)
                .map(|(rho, &norm)| match norm == 0.0 || !norm.is_finite() {
                    true => 0.0,
                    false => rho / norm,
                });
        Self {
            tensors: tensors.clone(),
            directions: directions.gradients,
            factored,
            scales: scales.collect(),
            norms,
        }
    }

    /// The denominator `‖(r^(-e_l) T∇_l)‖`.
    pub fn norm(&self) -> f64 {
        self.norms.first().copied().unwrap_or_default()
    }

    /// The denominators of the blocks.
    pub(super) fn norms(&self) -> &[f64] {
        &self.norms
    }

    /// Whether ε = 0: the gradient has no direction, or its norm is not finite.
    pub fn is_zero(&self) -> bool {
        self.scales.iter().all(|scale| *scale == 0.0)
    }

    /// `model` moved by ε. With ε = 0 it is returned as it came.
    pub fn apply<M: Module>(self, model: M) -> M {
        match self.is_zero() {
            true => model,
            false => model.map(&mut Application(self)),
        }
    }

    /// ε of the matrices that [`Perturbation::apply`] leaves to the next pass.
    pub fn factored(&self) -> Vec<FactoredPerturbation> {
        if self.is_zero() {
            return Vec::new();
        }
        let perturbations = self.factored.iter().map(|gradient| {
            let rho_mult = self
                .tensors
                .get(gradient.id())
                .map_or(0.0, |it| it.rho_mult);
            let scale = self.scales.first().copied().unwrap_or_default();
            gradient.perturbation(scale * rho_mult)
        });
        perturbations.collect()
    }

    /// How a parameter is perturbed, and its direction T∇; absent where it has none.
    pub(super) fn direction<const D: usize>(
        &self,
        id: ParamId,
    ) -> Option<(&PerturbedTensor, Tensor<D>)> {
        Some((self.tensors.get(id)?, self.directions.get(id)?))
    }

    /// ε of a parameter at `weight`, by its direction.
    pub(super) fn epsilon<const D: usize>(
        &self,
        tensor: &PerturbedTensor,
        direction: Tensor<D>,
        weight: &Tensor<D>,
    ) -> Tensor<D> {
        let blocks = self.scales.len();
        let epsilon = tensor.preconditioner.apply(direction, weight, blocks);
        multiply_blocks(epsilon, &self.factors(tensor))
    }

    /// What the blocks of T (T∇) are multiplied with.
    fn factors(&self, tensor: &PerturbedTensor) -> Vec<f64> {
        let scales = self.scales.iter();
        scales.map(|scale| scale * tensor.rho_mult).collect()
    }
}

/// Turns each gradient ∇ into T∇ and sums the denominators.
struct Directions<'a> {
    tensors: &'a PerturbedTensors,
    gradients: GradientsParams,
    draw: Draw<'a>,
    squared_norms: SquaredNorms,
}

impl Directions<'_> {
    /// A Gaussian direction in place of the gradient, equal on every device.
    fn gaussian<const D: usize>(&self, gradient: Tensor<D>, name: &str) -> Tensor<D> {
        let Draw {
            seeds,
            step,
            ascent,
            part,
        } = self.draw;
        let purpose = match part {
            0 => format!("perturbation/{step}/{ascent}/{name}"),
            part => format!("perturbation/{step}/{ascent}/part-{part}/{name}"),
        };
        let shape = gradient.shape();
        let count = shape.num_elements() / seeds.len().max(1);
        let mut values: Vec<f64> = Vec::with_capacity(shape.num_elements());
        for &seed in seeds {
            let mut stream = random::stream(seed, &purpose);
            values.extend((0..count).map(|_| -> f64 { StandardNormal.sample(&mut stream) }));
        }
        let data = TensorData::new(values, shape).convert_dtype(gradient.dtype());
        Tensor::from_data(data, (&gradient.device(), gradient.dtype()))
    }
}

impl ModuleVisitor for Directions<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(tensor) = self.tensors.get(param.id) else {
            return;
        };
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return;
        };
        if tensor.is_left_alone() {
            return;
        }
        let direction = match self.tensors.rule {
            Rule::Random => self.gaussian(gradient, &tensor.name),
            _ => {
                let weight = param.val().without_autodiff();
                let blocks = self.draw.seeds.len();
                tensor.preconditioner.apply(gradient, &weight, blocks)
            }
        };
        let weight = tensor.norm_mult.powi(2);
        self.squared_norms.add(direction.clone(), weight);
        self.gradients.register(param.id, direction);
    }
}

/// Adds ε to each parameter, in the memory of its direction.
struct Application(Perturbation);

impl ModuleMapper for Application {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let perturbation = &mut self.0;
        let Some(direction) = perturbation.directions.remove::<D>(param.id) else {
            return param;
        };
        let Some(tensor) = perturbation.tensors.get(param.id) else {
            return param;
        };
        let factors = perturbation.factors(tensor);
        param.map(|weight| {
            let tracking = Tracking::of(&weight);
            let weight = weight.without_autodiff();
            let epsilon = tensor
                .preconditioner
                .apply(direction, &weight, factors.len());
            tracking.restore(add_scaled_blocks(weight, epsilon, &factors))
        })
    }
}
