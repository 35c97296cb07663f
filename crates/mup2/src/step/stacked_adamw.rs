//! AdamW of a stack: a learning rate for each trial.

use super::blocks::multiply_blocks;
use super::optimizer::{AdamW, ReadOnProcessor};
use crate::scaling::TensorScaling;
use burn::optim::{AdamW as BurnAdamW, Optimizer};
use burn::tensor::{Device, Tensor};

/// AdamW with a learning rate for each trial: `w ← w (1 − η_k·wd) − η_k u`, where u is what Burn's
/// optimizer subtracts at a learning rate of 1.
#[derive(Clone)]
pub(super) struct StackedAdamW {
    inner: BurnAdamW,
    weight_decay: f64,
    lr_mult: f64,
    rates: Vec<f64>,
}

impl StackedAdamW {
    pub fn new(config: &AdamW, row: &TensorScaling, rates: &[f64]) -> Self {
        Self {
            inner: config.burn().build(),
            // Burn keeps it in f32.
            weight_decay: f64::from((config.weight_decay * row.wd_mult) as f32),
            lr_mult: row.lr_mult,
            rates: rates.to_vec(),
        }
    }
}

impl Optimizer for StackedAdamW {
    type State<const D: usize> = ReadOnProcessor<<BurnAdamW as Optimizer>::State<D>>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let rates = self.rates.iter();
        let rates: Vec<f64> = rates
            .map(|rate| rate * learning_rate * self.lr_mult)
            .collect();
        let state = state.map(|state| state.0);
        let (downhill, state) = self.inner.step(1.0, weight.zeros_like(), gradient, state);
        let decayed = if self.weight_decay == 0.0 {
            weight
        } else {
            let left = rates.iter().map(|rate| 1.0 - rate * self.weight_decay);
            multiply_blocks(weight, &left.collect::<Vec<f64>>())
        };
        (
            decayed + multiply_blocks(downhill, &rates),
            state.map(ReadOnProcessor),
        )
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        ReadOnProcessor(BurnAdamW::to_device(state.0, device))
    }
}
