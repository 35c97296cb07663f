//! The moving average of a model's weights, which is evaluated in their place.

use crate::model::Network;
use crate::step::{NamedMapper, flat_parameters, map_named};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use std::collections::HashMap;

/// `average ← decay·average + (1 − decay)·weights` after each step, from the initial weights on.
#[derive(Debug, Clone)]
pub(crate) struct Average {
    pub decay: f64,
    pub model: Network,
}

impl Average {
    /// The average at the start; absent where the weights themselves are evaluated.
    pub fn new(decay: f64, model: &Network) -> Option<Self> {
        (decay > 0.0).then(|| Self {
            decay,
            model: model.valid(),
        })
    }

    /// Takes in the weights after a step. Running statistics are not averaged but taken over, as
    /// PyTorch's `AveragedModel` does.
    pub fn follow(&mut self, model: &Network) {
        let mut towards = Towards {
            weights: flat_parameters(model),
            share: 1.0 - self.decay,
        };
        self.model = map_named(self.model.clone(), &mut towards);
        for (layer, running) in model.running_statistics() {
            self.model.set_running_statistics(layer, running.clone());
        }
    }
}

struct Towards {
    weights: HashMap<String, Tensor<1>>,
    share: f64,
}

impl NamedMapper for Towards {
    fn map<const D: usize>(&mut self, name: &str, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(weights) = self.weights.remove(name) else {
            return param;
        };
        param.map(|average| {
            let weights = weights.reshape(average.shape());
            average.clone() + (weights - average).mul_scalar(self.share)
        })
    }
}
