//! The numbers of a model, taken out and put in: parameters by their paths, and the running
//! statistics of batch normalization as `LAYER.running_mean` and `LAYER.running_variance`.

use crate::checkpoint::Weights;
use crate::error::{Error, Result};
use crate::model::{Network, NetworkConfig, RunningStatistics};
use crate::scaling::ScalingTable;
use crate::step::{NamedMapper, flat_parameters, map_named, parameters};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeMap;

/// Tensors by path.
type Named = BTreeMap<String, Weights>;

/// The weights that act, multipliers of the forward pass included: what another program would have
/// to multiply with to compute the same function.
///
/// # Errors
/// When a parameter is not in `table`.
pub fn effective_weights(
    model: &Network,
    config: &NetworkConfig,
    table: &ScalingTable,
) -> Result<Named> {
    let mut weights = stored_weights(model)?;
    for (name, multiplier) in multipliers(config, table) {
        if let Some(weights) = weights.get_mut(&name) {
            scale(weights, multiplier);
        }
    }
    Ok(weights)
}

/// `model` with the weights that [`effective_weights`] gives of another one.
///
/// # Errors
/// When a tensor is missing, has another shape, or is one too many.
pub fn with_effective_weights(
    model: Network,
    config: &NetworkConfig,
    table: &ScalingTable,
    mut weights: Named,
) -> Result<Network> {
    let refuse = |name: &str, problem: &str| {
        Error::invalid(
            format!("weight `{name}`"),
            problem,
            "the weights of this architecture and width, by the names that mup2 gives them",
        )
    };
    let expected = stored_weights(&model)?;
    for (name, own) in &expected {
        match weights.get(name) {
            Some(weights) if weights.shape == own.shape => {}
            Some(_) => return Err(refuse(name, "has another shape")),
            None => return Err(refuse(name, "is missing")),
        }
    }
    if let Some(extra) = weights.keys().find(|name| !expected.contains_key(*name)) {
        return Err(refuse(extra, "is one too many"));
    }
    for (name, multiplier) in multipliers(config, table) {
        if let Some(weights) = weights.get_mut(&name) {
            scale(weights, 1.0 / multiplier);
        }
    }
    Ok(replaced(model, weights, BTreeMap::new()))
}

fn multipliers(
    config: &NetworkConfig,
    table: &ScalingTable,
) -> impl Iterator<Item = (String, f64)> {
    table.tensors.iter().map(|row| {
        let multiplier = row.weight_mult * config.output_multiplier(&row.name);
        (row.name.clone(), multiplier)
    })
}

fn scale(weights: &mut Weights, factor: f64) {
    if factor != 1.0 {
        for value in &mut weights.values {
            *value = (f64::from(*value) * factor) as f32;
        }
    }
}

/// The weights as they are stored, and running statistics.
pub(super) fn stored_weights(model: &Network) -> Result<Named> {
    let mut values = flat_parameters(model);
    let mut weights = Named::new();
    for parameter in parameters(model) {
        let Some(value) = values.remove(&parameter.name) else {
            continue;
        };
        let values = value.into_data().convert::<f32>().try_to_vec::<f32>();
        let values = values.map_err(|error| {
            let place = format!("parameter `{}`", parameter.name);
            Error::invalid(place, format!("{error:?}"), "a tensor of floats")
        })?;
        let shape = parameter.shape;
        weights.insert(parameter.name, Weights { shape, values });
    }
    for (layer, running) in model.running_statistics() {
        let vector = |values: &[f32]| Weights {
            shape: vec![values.len()],
            values: values.to_vec(),
        };
        weights.insert(format!("{layer}.running_mean"), vector(&running.mean));
        weights.insert(
            format!("{layer}.running_variance"),
            vector(&running.variance),
        );
    }
    Ok(weights)
}

/// CRC-32C of the bits of all parameters and running statistics.
pub(super) fn checksum(model: &Network) -> u32 {
    struct Bits(u32);
    impl ModuleVisitor for Bits {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let data = param.val().without_autodiff().into_data();
            self.0 = crc32c::crc32c_append(self.0, data.as_bytes());
        }
    }
    let mut bits = Bits(0);
    model.visit(&mut bits);
    for (_, running) in model.running_statistics() {
        for value in running.mean.iter().chain(&running.variance) {
            bits.0 = crc32c::crc32c_append(bits.0, &value.to_ne_bytes());
        }
    }
    bits.0
}

/// Paths of the layers that have running statistics.
pub(super) fn running_layers(model: &Network) -> Vec<String> {
    let layers = model.running_statistics().into_iter();
    layers.map(|(layer, _)| layer.to_owned()).collect()
}

pub(super) fn running_statistics(weights: &Named, layer: &str) -> Option<RunningStatistics> {
    let values = |part: &str| {
        let weights = weights.get(&format!("{layer}.running_{part}"))?;
        Some(weights.values.clone())
    };
    Some(RunningStatistics {
        mean: values("mean")?,
        variance: values("variance")?,
    })
}

/// `model` with other values, and other ids where there are any, by the paths of its parameters.
/// What is missing stays as it is.
pub(super) fn replaced(mut model: Network, weights: Named, ids: BTreeMap<String, u64>) -> Network {
    for layer in running_layers(&model) {
        if let Some(running) = running_statistics(&weights, &layer) {
            model.set_running_statistics(&layer, running);
        }
    }
    map_named(model, &mut Replacement { weights, ids })
}

struct Replacement {
    weights: Named,
    ids: BTreeMap<String, u64>,
}

impl NamedMapper for Replacement {
    fn map<const D: usize>(&mut self, name: &str, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(weights) = self.weights.remove(name) else {
            return param;
        };
        let id = self.ids.get(name).map_or(param.id, |id| ParamId::from(*id));
        let old = param.val();
        let (device, dtype): (Device, _) = (old.device(), old.dtype());
        let data = TensorData::new(weights.values, weights.shape).convert_dtype(dtype);
        let value = Tensor::from_data(data, (&device, dtype));
        Param::initialized(id, value.set_require_grad(old.is_require_grad()))
    }
}
