//! Stochastic gradient descent with momentum, in as few passes over memory as its formula has sums.

use super::blocks::add_scaled_blocks;
use super::optimizer::Sgd;
use crate::fused::{Descent, add_scaled, descend};
use crate::ghost_norm::Gradient;
use crate::scaling::TensorScaling;
use burn::optim::{Optimizer, RecordState, StateSink, StateSource, join_path};
use burn::tensor::{Device, Tensor, TensorData};

/// [`Sgd`] for one parameter, with its multipliers.
#[derive(Debug, Clone)]
pub(super) struct SgdStep {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    lr_mult: f64,
    /// Learning rates of the trials of a stack, as factors of the step's.
    rates: Vec<f64>,
}

impl SgdStep {
    pub fn new(config: &Sgd, row: &TensorScaling, rates: &[f64]) -> Self {
        Self {
            momentum: config.momentum,
            nesterov: config.nesterov,
            weight_decay: config.weight_decay * row.wd_mult,
            lr_mult: row.lr_mult,
            rates: rates.to_vec(),
        }
    }

    /// Whether it moves a weight by a gradient in factors.
    pub fn takes_factors(&self) -> bool {
        self.rates.len() == 1
    }

    /// `weight` and its velocity after a step. Without momentum there is no velocity, whatever a
    /// checkpoint has.
    pub fn moved<const D: usize>(
        &self,
        learning_rate: f64,
        weight: Tensor<D>,
        gradient: Gradient<D>,
        velocity: Option<Tensor<D>>,
    ) -> (Tensor<D>, Option<Tensor<D>>) {
        let rates = self.rates.iter();
        let downhill: Vec<f64> = rates
            .map(|rate| -(rate * learning_rate * self.lr_mult))
            .collect();
        let before = velocity.filter(|_| self.momentum != 0.0);
        let gradient = match (gradient, &downhill[..]) {
            (Gradient::Dense(gradient), _) => gradient,
            (Gradient::Factored(factors), &[rate]) if before.is_some() || self.momentum == 0.0 => {
                let descent = self.descent(rate);
                return descend(weight, before, [factors.x, factors.delta], descent);
            }
            // The first velocity is the gradient itself.
            (Gradient::Factored(factors), _) => factors.product().reshape(weight.shape()),
        };
        self.moved_by(weight, gradient, before, &downhill)
    }

    fn moved_by<const D: usize>(
        &self,
        weight: Tensor<D>,
        mut gradient: Tensor<D>,
        before: Option<Tensor<D>>,
        downhill: &[f64],
    ) -> (Tensor<D>, Option<Tensor<D>>) {
        if self.weight_decay > 0.0 {
            gradient = add_scaled(gradient, weight.clone(), self.weight_decay);
        }
        if self.momentum == 0.0 {
            return (add_scaled_blocks(weight, gradient, downhill), None);
        }
        let (velocity, direction) = match (before, self.nesterov) {
            (None, false) => (gradient.clone(), gradient),
            (Some(before), false) => {
                let velocity = add_scaled(gradient, before, self.momentum);
                (velocity.clone(), velocity)
            }
            (before, true) => {
                let velocity = match before {
                    None => gradient.clone(),
                    Some(before) => add_scaled(gradient.clone(), before, self.momentum),
                };
                let direction = add_scaled(gradient, velocity.clone(), self.momentum);
                (velocity, direction)
            }
        };
        let moved = add_scaled_blocks(weight, direction, downhill);
        (moved, Some(velocity))
    }

    /// The step as the kernels know it, for one trial.
    fn descent(&self, downhill: f64) -> Descent {
        Descent {
            rate: downhill as f32,
            decay: self.weight_decay as f32,
            momentum: self.momentum as f32,
            nesterov: self.nesterov,
        }
    }
}

/// What a parameter keeps from step to step: v, where there is momentum.
#[derive(Clone)]
pub(super) struct SgdState<const D: usize> {
    velocity: Option<Tensor<D>>,
}

/// Names that Burn's own SGD gives v, so that a checkpoint of either can be read by the other.
pub(super) const PLACE: &str = "momentum";
pub(super) const LEAF: &str = "velocity";

impl<const D: usize> RecordState for SgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(velocity) = &self.velocity {
            out.push_tensor(&join_path(prefix, PLACE), LEAF, velocity.to_data());
        }
    }

    /// On the processor: the device that Burn names is any GPU that the program was built for,
    /// whether there is one or not. The next step moves the state to its parameter's device.
    fn state_unflatten(prefix: &str, source: &mut StateSource, _device: &Device) -> Option<Self> {
        let data = source.take_tensor(&join_path(prefix, PLACE), LEAF);
        let tensor = |data: TensorData| {
            let dtype = data.dtype();
            Tensor::from_data(data, (&Device::flex(), dtype))
        };
        Some(Self {
            velocity: data.map(tensor),
        })
    }
}

impl Optimizer for SgdStep {
    type State<const D: usize> = SgdState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<SgdState<D>>,
    ) -> (Tensor<D>, Option<SgdState<D>>) {
        let velocity = state.and_then(|state| state.velocity);
        let gradient = Gradient::Dense(gradient);
        let (weight, velocity) = self.moved(learning_rate, weight, gradient, velocity);
        (weight, Some(SgdState { velocity }))
    }

    fn to_device<const D: usize>(state: SgdState<D>, device: &Device) -> SgdState<D> {
        SgdState {
            velocity: state.velocity.map(|velocity| velocity.to_device(device)),
        }
    }
}
