//! The moving average of a model's weights, which is evaluated in their place.

use crate::model::Network;
use crate::step::flat_parameters;
use burn::module::{Module, ModuleMapper, Param};
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
            path: Vec::new(),
            weights: flat_parameters(model),
            share: 1.0 - self.decay,
        };
        self.model = self.model.clone().map(&mut towards);
        for (layer, running) in model.running_statistics() {
            self.model.set_running_statistics(layer, running.clone());
        }
    }
}

struct Towards {
    path: Vec<String>,
    weights: HashMap<String, Tensor<1>>,
    share: f64,
}

impl ModuleMapper for Towards {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(weights) = self.weights.remove(&self.path.join(".")) else {
            return param;
        };
        param.map(|average| {
            let weights = weights.reshape(average.shape());
            average.clone() + (weights - average).mul_scalar(self.share)
        })
    }
}
