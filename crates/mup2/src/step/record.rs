//! What a step saw; what its perturbation was made of, by parameter: for those who check it.

use burn::tensor::Tensor;
use std::collections::HashMap;

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

/// The perturbations of one step, by the path of the parameter.
///
/// It holds ε itself: the difference of perturbed and unperturbed weights would have lost its last
/// digits where ε is small beside W.
#[derive(Debug, Clone, Default)]
pub struct PerturbationRecord {
    tensors: HashMap<String, TensorRecord>,
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

    pub(super) fn of(&mut self, parameter: &str) -> &mut TensorRecord {
        self.tensors.entry(parameter.to_owned()).or_default()
    }

    pub(super) fn add<const D: usize>(&mut self, parameter: &str, epsilon: &Tensor<D>) {
        let count = epsilon.shape().num_elements();
        let flat = epsilon.clone().reshape([count]);
        let record = self.of(parameter);
        record.epsilon = Some(match record.epsilon.take() {
            Some(sum) => sum + flat,
            None => flat,
        });
    }
}
