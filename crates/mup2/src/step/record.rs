//! What a step saw; what its perturbation was made of, by parameter: for those who check it.

use super::blocks::squared_norms;
use super::parameters::flat;
use super::passes::Passes;
use super::perturbation::Perturbation;
use crate::error::Result;
use crate::ghost_norm::{ModelGradients, Purpose};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use std::collections::{BTreeMap, HashMap};

/// What a step saw.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepReport {
    /// Loss at the unperturbed weights, before the update.
    pub loss: f64,
    /// The denominator `‖(r^(-e_l) T∇_l)‖` of the last ascent step; 0 on steps without a
    /// perturbation.
    pub perturbation_norm: f64,
    /// A loss or norm was not finite; the model was returned as it came.
    pub diverged: bool,
}

impl StepReport {
    /// Of a step whose first pass had this loss.
    pub(super) fn at(loss: f64) -> Self {
        Self {
            loss,
            perturbation_norm: 0.0,
            diverged: !loss.is_finite(),
        }
    }

    /// Takes in an ascent with this denominator, after which the loss is `loss`.
    pub(super) fn ascended(&mut self, norm: f64, loss: f64) {
        self.perturbation_norm = norm;
        self.diverged |= !norm.is_finite() || !loss.is_finite();
    }
}

/// The perturbations of one step, by the path of the parameter.
///
/// It holds ε itself: the difference of perturbed and unperturbed weights would have lost its last
/// digits where ε is small beside W.
#[derive(Debug, Clone, Default)]
pub struct PerturbationRecord {
    /// In an order of their own, so that a sum over them has the same bits every time.
    tensors: BTreeMap<String, TensorRecord>,
}

/// What is known of one parameter's perturbation.
#[derive(Debug, Clone, Default)]
pub struct TensorRecord {
    /// ε, flattened: the sum over the ascent steps; absent if the parameter was not moved.
    pub epsilon: Option<Tensor<1>>,
    /// ‖∇‖_F of the last ascent step.
    pub gradient_norm: f64,
    /// The tensor's term `(r^(-e_l) ‖T∇_l‖)²` of the denominator's square, last ascent step.
    pub contribution: f64,
}

impl PerturbationRecord {
    /// The record of a parameter; absent if it had no gradient or the rule leaves it alone.
    pub fn get(&self, parameter: &str) -> Option<&TensorRecord> {
        self.tensors.get(parameter)
    }

    /// The square of the denominator's norm.
    pub fn squared_norm(&self) -> f64 {
        self.tensors
            .values()
            .map(|record| record.contribution)
            .sum()
    }

    fn of(&mut self, parameter: &str) -> &mut TensorRecord {
        self.tensors.entry(parameter.to_owned()).or_default()
    }
}

/// The passes of a closure, with a record of their perturbations. The step is that of the closure
/// alone, bit for bit.
pub struct Recorded<'a, F> {
    gradient: F,
    record: &'a mut PerturbationRecord,
    /// ‖∇‖_F of the gradients that are about to become a perturbation.
    gradient_norms: HashMap<ParamId, f64>,
}

impl<'a, F> Recorded<'a, F> {
    /// Of the passes of `gradient`, which are those of [`Sam::step`](super::Sam::step).
    pub fn new<M>(record: &'a mut PerturbationRecord, gradient: F) -> Self
    where
        F: FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
    {
        Self {
            gradient,
            record,
            gradient_norms: HashMap::new(),
        }
    }
}

impl<M, F> Passes<M> for Recorded<'_, F>
where
    M: Module,
    F: FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
{
    fn gradient(&mut self, model: &M, purpose: Purpose) -> Result<(Tensor<1>, ModelGradients)> {
        let (loss, gradients) = (self.gradient)(model)?;
        if let Purpose::Ascent(_) = purpose {
            let mut norms = GradientNorms {
                gradients: &gradients,
                norms: HashMap::new(),
            };
            model.visit(&mut norms);
            self.gradient_norms = norms.norms;
        }
        Ok((loss, gradients.into()))
    }

    fn ascending(&mut self, model: &M, perturbation: &Perturbation) {
        model.visit(&mut Recorder {
            perturbation,
            gradient_norms: &self.gradient_norms,
            record: self.record,
        });
    }
}

struct GradientNorms<'a> {
    gradients: &'a GradientsParams,
    norms: HashMap<ParamId, f64>,
}

impl ModuleVisitor for GradientNorms<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.norms.insert(param.id, squared(gradient).sqrt());
        }
    }
}

struct Recorder<'a> {
    perturbation: &'a Perturbation,
    gradient_norms: &'a HashMap<ParamId, f64>,
    record: &'a mut PerturbationRecord,
}

impl ModuleVisitor for Recorder<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some((tensor, direction)) = self.perturbation.direction::<D>(param.id) else {
            return;
        };
        let record = self.record.of(&tensor.name);
        record.gradient_norm = self.gradient_norms.get(&param.id).copied().unwrap_or(0.0);
        record.contribution = squared(direction.clone()) * tensor.norm_mult.powi(2);
        if self.perturbation.is_zero() {
            return;
        }
        let weight = param.val().without_autodiff();
        let epsilon = self.perturbation.epsilon(tensor, direction, &weight);
        let epsilon = flat(epsilon);
        record.epsilon = Some(match record.epsilon.take() {
            Some(sum) => sum + epsilon,
            None => epsilon,
        });
    }
}

/// Σ x².
fn squared<const D: usize>(x: Tensor<D>) -> f64 {
    squared_norms(x, 1).iter().sum()
}
