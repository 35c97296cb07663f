//! Stochastic gradient descent with momentum, in as few passes over memory as its formula has sums.

use super::optimizer::Sgd;
use crate::fused::add_scaled;
use crate::scaling::TensorScaling;
use burn::optim::{Optimizer, RecordState};
use burn::tensor::{Device, Tensor};

/// [`Sgd`] for one parameter, with its multipliers.
#[derive(Debug, Clone)]
pub(super) struct SgdStep {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    lr_mult: f64,
}

impl SgdStep {
    pub fn new(config: &Sgd, row: &TensorScaling) -> Self {
        Self {
            momentum: config.momentum,
            nesterov: config.nesterov,
            weight_decay: config.weight_decay * row.wd_mult,
            lr_mult: row.lr_mult,
        }
    }
}

/// What a parameter keeps from step to step.
#[derive(RecordState, Clone)]
pub(super) struct SgdState<const D: usize> {
    momentum: Option<Velocity<D>>,
}

/// v.
#[derive(RecordState, Clone)]
pub(super) struct Velocity<const D: usize> {
    velocity: Tensor<D>,
}

impl Optimizer for SgdStep {
    type State<const D: usize> = SgdState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        weight: Tensor<D>,
        mut gradient: Tensor<D>,
        state: Option<SgdState<D>>,
    ) -> (Tensor<D>, Option<SgdState<D>>) {
        let rate = learning_rate * self.lr_mult;
        if self.weight_decay > 0.0 {
            gradient = add_scaled(gradient, weight.clone(), self.weight_decay);
        }
        if self.momentum == 0.0 {
            let state = SgdState { momentum: None };
            return (add_scaled(weight, gradient, -rate), Some(state));
        }
        let before = state.and_then(|state| state.momentum);
        let (velocity, direction) = match (before, self.nesterov) {
            (None, false) => (gradient.clone(), gradient),
            (Some(before), false) => {
                let velocity = add_scaled(gradient, before.velocity, self.momentum);
                (velocity.clone(), velocity)
            }
            (before, true) => {
                let velocity = match before {
                    None => gradient.clone(),
                    Some(before) => add_scaled(gradient.clone(), before.velocity, self.momentum),
                };
                let direction = add_scaled(gradient, velocity.clone(), self.momentum);
                (velocity, direction)
            }
        };
        let momentum = Some(Velocity { velocity });
        let moved = add_scaled(weight, direction, -rate);
        (moved, Some(SgdState { momentum }))
    }

    fn to_device<const D: usize>(state: SgdState<D>, device: &Device) -> SgdState<D> {
        let moved = |momentum: Velocity<D>| Velocity {
            velocity: momentum.velocity.to_device(device),
        };
        SgdState {
            momentum: state.momentum.map(moved),
        }
    }
}
