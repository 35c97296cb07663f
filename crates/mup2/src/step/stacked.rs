//! Base optimizers of a stack: a learning rate for each trial, and the state of those that are left.

use super::blocks::{blocks_at, multiply_blocks, shape_of_blocks};
use super::optimizer::AdamW;
use crate::scaling::TensorScaling;
use burn::optim::{AdamW as BurnAdamW, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor, TensorData};

/// AdamW with a learning rate for each trial: `w ← w (1 − η_k·wd) − η_k u`, where u is what Burn's optimizer
/// subtracts at a learning rate of 1.
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
    type State<const D: usize> = <BurnAdamW as Optimizer>::State<D>;

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
        let (downhill, state) = self.inner.step(1.0, weight.zeros_like(), gradient, state);
        let decayed = if self.weight_decay == 0.0 {
            weight
        } else {
            let left = rates.iter().map(|rate| 1.0 - rate * self.weight_decay);
            multiply_blocks(weight, &left.collect::<Vec<f64>>())
        };
        (decayed + multiply_blocks(downhill, &rates), state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        BurnAdamW::to_device(state, device)
    }
}

/// An optimizer that can go on with the state of a larger stack, some of whose trials are left.
#[derive(Clone)]
pub(super) struct Surviving<O> {
    inner: O,
    /// Places of the trials in the larger stack.
    kept: Vec<usize>,
    /// Trials of the larger stack.
    of: usize,
}

impl<O> Surviving<O> {
    pub fn new(inner: O, (kept, of): (&[usize], usize)) -> Self {
        let kept = kept.to_vec();
        Self { inner, kept, of }
    }
}

/// The state of so many trials.
#[derive(Clone)]
pub(super) struct StackState<S> {
    inner: S,
    trials: usize,
}

/// Name of the number of trials in a record.
const TRIALS: &str = "trials";

impl<S: RecordState> RecordState for StackState<S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.inner.state_flatten(prefix, out);
        out.push_scalar(prefix, TRIALS, (self.trials as u64).into());
    }

    /// On the processor, for the reason that [`super::sgd`] gives.
    fn state_unflatten(prefix: &str, source: &mut StateSource, _device: &Device) -> Option<Self> {
        let trials: u64 = source.take_scalar(prefix, TRIALS)?.try_into().ok()?;
        Some(Self {
            inner: S::state_unflatten(prefix, source, &Device::flex())?,
            trials: usize::try_from(trials).ok()?,
        })
    }
}

impl<S: RecordState> StackState<S> {
    /// The state of the trials at `kept`; absent where a part of it cannot be read.
    fn select(self, kept: &[usize]) -> Option<Self> {
        let mut sink = StateSink::default();
        self.inner.state_flatten("", &mut sink);
        let mut source = StateSource::new(sink.scalars.into_iter().collect());
        for (name, data) in sink.tensors {
            let bytes = blocks_at(data.as_bytes(), kept, self.trials)?;
            let shape = shape_of_blocks(data.shape(), kept.len(), self.trials);
            source.insert_tensor(name, TensorData::from_bytes_vec(bytes, shape, data.dtype()));
        }
        Some(Self {
            inner: S::state_unflatten("", &mut source, &Device::flex())?,
            trials: kept.len(),
        })
    }
}

impl<O: Optimizer> Optimizer for Surviving<O> {
    type State<const D: usize> = StackState<O::State<D>>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let trials = self.kept.len();
        let state = match state {
            Some(state) if state.trials == self.of && self.of != trials => {
                let Some(state) = state.select(&self.kept) else {
                    // A state that is lost must not go unseen: the trials end as diverged.
                    return (weight.mul_scalar(f64::NAN), None);
                };
                Some(O::to_device(state.inner, &weight.device()))
            }
            state => state.map(|state| state.inner),
        };
        let (moved, inner) = self.inner.step(learning_rate, weight, gradient, state);
        (moved, inner.map(|inner| StackState { inner, trials }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        StackState {
            inner: O::to_device(state.inner, device),
            trials: state.trials,
        }
    }
}
