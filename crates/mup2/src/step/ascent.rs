//! The perturbation itself: `W + ρ r^(-d-d_l) T (T∇) / ‖(r^(-e_l) T∇_l)‖`.

use super::blocks::{SquaredNorms, add_scaled_blocks, multiply_blocks, squared_norms};
use super::record::PerturbationRecord;
use super::sam::Sam;
use crate::low_rank::LowRank;
use crate::random;
use crate::scaling::Rule;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};

/// Which perturbation of a step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub ascent: usize,
    pub part: usize,
}

impl Sam {
    /// Moves `model` by ε and returns it with the denominator's norm.
    ///
    /// The preconditioner is taken at `model`, which on later ascent steps is already perturbed.
    /// With a zero or non-finite norm the model is returned as it came.
    pub fn perturb<M: Module>(&self, model: M, gradients: GradientsParams, rho: f64) -> (M, f64) {
        let directions = (gradients, LowRank::off());
        let (model, _, norms) = self.ascend(model, directions, &[rho], Place::default(), None);
        (model, norms.first().copied().unwrap_or_default())
    }

    /// As [`Sam::perturb`], with a radius and a norm for each trial. The gradients are whole, or known as what `low_rank`
    /// has seen; it comes back ready for the pass at the perturbed weights.
    pub(super) fn ascend<M: Module>(
        &self,
        model: M,
        (gradients, low_rank): (GradientsParams, LowRank),
        rho: &[f64],
        place: Place,
        mut record: Option<&mut PerturbationRecord>,
    ) -> (M, LowRank, Vec<f64>) {
        let mut direction = Direction {
            sam: self,
            gradients,
            place,
            squared_norms: SquaredNorms::new(self.trials()),
            record: record.as_deref_mut(),
        };
        for (id, squared) in low_rank.squared_norms() {
            if let Some(tensor) = self.tensor(id) {
                let weight = tensor.norm_mult.powi(2);
                direction.squared_norms.add_known(squared * weight);
            }
        }
        model.visit(&mut direction);
        let squared = direction.squared_norms.into_values().into_iter();
        let norms: Vec<f64> = squared.map(f64::sqrt).collect();
        let scales: Vec<f64> = rho
            .iter()
            .zip(&norms)
            .map(|(rho, &norm)| match norm == 0.0 || !norm.is_finite() {
                true => 0.0,
                false => rho / norm,
            })
            .collect();
        if scales.iter().all(|scale| *scale == 0.0) {
            return (model, LowRank::off(), norms);
        }
        let low_rank = low_rank.perturbing(|id| {
            let rho_mult = self.tensor(id).map_or(0.0, |tensor| tensor.rho_mult);
            scales.first().copied().unwrap_or_default() * rho_mult
        });
        let mut ascent = Ascent {
            sam: self,
            directions: direction.gradients,
            scales,
            record,
        };
        (model.map(&mut ascent), low_rank, norms)
    }
}

/// Turns each gradient ∇ into T∇ and sums the denominators.
struct Direction<'a> {
    sam: &'a Sam,
    gradients: GradientsParams,
    place: Place,
    squared_norms: SquaredNorms,
    record: Option<&'a mut PerturbationRecord>,
}

impl Direction<'_> {
    /// A Gaussian direction in place of the gradient, equal on every device.
    fn gaussian<const D: usize>(&self, gradient: Tensor<D>, name: &str) -> Tensor<D> {
        let Place { ascent, part } = self.place;
        let step = self.sam.steps();
        let purpose = match part {
            0 => format!("perturbation/{step}/{ascent}/{name}"),
            part => format!("perturbation/{step}/{ascent}/part-{part}/{name}"),
        };
        let shape = gradient.shape();
        let count = shape.num_elements() / self.sam.trials();
        let mut values: Vec<f64> = Vec::with_capacity(shape.num_elements());
        for &seed in self.sam.seeds() {
            let mut stream = random::stream(seed, &purpose);
            values.extend((0..count).map(|_| -> f64 { StandardNormal.sample(&mut stream) }));
        }
        let data = TensorData::new(values, shape).convert_dtype(gradient.dtype());
        Tensor::from_data(data, (&gradient.device(), gradient.dtype()))
    }
}

impl ModuleVisitor for Direction<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(tensor) = self.sam.tensor(param.id) else {
            return;
        };
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return;
        };
        if tensor.rho_mult == 0.0 && tensor.norm_mult == 0.0 {
            return;
        }
        let trials = self.sam.trials();
        if let Some(record) = &mut self.record {
            let squared: f64 = squared_norms(gradient.clone(), trials).iter().sum();
            record.of(&tensor.name).gradient_norm = squared.sqrt();
        }
        let direction = match self.sam.rule() {
            Rule::Random => self.gaussian(gradient, &tensor.name),
            _ => {
                let weight = param.val().without_autodiff();
                tensor.preconditioner.apply(gradient, &weight, trials)
            }
        };
        let weight = tensor.norm_mult.powi(2);
        if let Some(record) = &mut self.record {
            let squared: f64 = squared_norms(direction.clone(), trials).iter().sum();
            record.of(&tensor.name).contribution = squared * weight;
        }
        self.squared_norms.add(direction.clone(), weight);
        self.gradients.register(param.id, direction);
    }
}

/// Adds ρ r^(-d-d_l) T (T∇) / norm to each parameter.
struct Ascent<'a> {
    sam: &'a Sam,
    directions: GradientsParams,
    scales: Vec<f64>,
    record: Option<&'a mut PerturbationRecord>,
}

impl ModuleMapper for Ascent<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(tensor) = self.sam.tensor(param.id) else {
            return param;
        };
        let Some(direction) = self.directions.remove::<D>(param.id) else {
            return param;
        };
        let factors = self.scales.iter().map(|scale| scale * tensor.rho_mult);
        let factors: Vec<f64> = factors.collect();
        let trials = self.sam.trials();
        let record = self.record.as_deref_mut();
        param.map(|weight| {
            let tracked = weight.is_require_grad();
            let weight = weight.without_autodiff();
            let epsilon = tensor.preconditioner.apply(direction, &weight, trials);
            if let Some(record) = record {
                record.add(&tensor.name, &multiply_blocks(epsilon.clone(), &factors));
            }
            let moved = add_scaled_blocks(weight, epsilon, &factors).autodiff();
            moved.set_require_grad(tracked)
        })
    }
}
