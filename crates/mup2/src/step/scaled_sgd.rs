//! Stochastic gradient descent of a module, by gradients that are dense or factors.

use super::optimizer::Sgd;
use super::parameters::{bind, flat};
use super::scaled_optimizer::unreadable;
use super::sgd::{LEAF, PLACE, SgdStep};
use super::tracking::Tracking;
use crate::error::Result;
use crate::ghost_norm::ModelGradients;
use crate::scaling::ScalingTable;
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::{Bytes, Device, Tensor, TensorData};
use burn_pack::{Reader, Tensor as PackedTensor, Writer};
use std::collections::HashMap;

/// SGD of one module.
#[derive(Clone)]
pub(super) struct ScaledSgd {
    parameters: HashMap<ParamId, SgdParameter>,
}

/// One parameter of it.
#[derive(Clone)]
struct SgdParameter {
    name: String,
    shape: Vec<usize>,
    step: SgdStep,
    /// Flat, so that all ranks have one type.
    velocity: Option<Tensor<1>>,
}

impl ScaledSgd {
    /// With learning rates `rates` times a step's, for each trial of a stack.
    ///
    /// # Errors
    /// When a parameter has no row in the table or another shape.
    pub fn new<M: Module>(
        config: &Sgd,
        model: &M,
        table: &ScalingTable,
        rates: &[f64],
    ) -> Result<Self> {
        let bound = bind(model, table, rates.len())?.into_iter();
        let parameters = bound.filter_map(|(parameter, row)| {
            let sgd = SgdParameter {
                name: parameter.name,
                shape: parameter.shape,
                step: SgdStep::new(config, row?, rates),
                velocity: None,
            };
            Some((parameter.id, sgd))
        });
        Ok(Self {
            parameters: parameters.collect(),
        })
    }

    pub fn takes_factors(&self) -> bool {
        let mut parameters = self.parameters.values();
        parameters.all(|parameter| parameter.step.takes_factors())
    }

    pub fn descend<M: Module>(
        &mut self,
        learning_rate: ModuleLearningRate,
        model: M,
        gradients: ModelGradients,
    ) -> M {
        model.map(&mut Descend {
            sgd: self,
            learning_rate,
            gradients,
        })
    }

    /// The velocities, as Burn writes the state of its own SGD.
    ///
    /// # Errors
    /// When they are too large for the format.
    pub fn to_bytes(&self) -> std::result::Result<Bytes, burn_pack::Error> {
        let velocities = self.parameters.iter().filter_map(|(id, parameter)| {
            let data = parameter.velocity.as_ref()?.to_data();
            let bytes = Bytes::from_bytes_vec(data.as_bytes().to_vec());
            let (name, id) = (format!("{}.{PLACE}.{LEAF}", id.val()), Some(id.val()));
            let shape = parameter.shape.clone();
            Some(PackedTensor::new(name, data.dtype(), shape, id, bytes))
        });
        let mut writer = Writer::new(velocities.collect());
        for (id, parameter) in &self.parameters {
            let id = id.val().to_string();
            let rank = parameter.shape.len();
            writer = writer.with_scalar(&format!("{id}.__rank"), rank.into());
            writer = writer.with_metadata(&id, &parameter.name);
        }
        writer.into_bytes()
    }

    /// Takes over velocities. They stay on the processor until the next step moves them to their
    /// parameter's device.
    ///
    /// # Errors
    /// When the bytes are not those of [`ScaledSgd::to_bytes`] of the same parameters.
    pub fn load(&mut self, bytes: Bytes) -> Result<()> {
        let reader = Reader::from_bytes(bytes).map_err(|error| unreadable(&error))?;
        let mut loaded = HashMap::new();
        for tensor in reader.into_tensors().map_err(|error| unreadable(&error))? {
            let parts = tensor.into_parts().map_err(|error| unreadable(&error))?;
            let (name, dtype, shape, id, bytes) = parts;
            let id = id.map(ParamId::from);
            let known = id.and_then(|id| Some((id, self.parameters.get(&id)?)));
            let Some((id, parameter)) = known else {
                return Err(unreadable(&format!("`{name}` is of no parameter")));
            };
            if shape.to_vec() != parameter.shape {
                let name = &parameter.name;
                return Err(unreadable(&format!("that of `{name}` has another shape")));
            }
            let count: usize = parameter.shape.iter().product();
            let data = TensorData::from_bytes(bytes, [count], dtype);
            loaded.insert(id, Tensor::from_data(data, (&Device::flex(), dtype)));
        }
        for (id, parameter) in &mut self.parameters {
            parameter.velocity = loaded.remove(id);
        }
        Ok(())
    }
}

struct Descend<'a> {
    sgd: &'a mut ScaledSgd,
    learning_rate: ModuleLearningRate,
    gradients: ModelGradients,
}

impl ModuleMapper for Descend<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        let Some(parameter) = self.sgd.parameters.get_mut(&id) else {
            return param;
        };
        let Some(gradient) = self.gradients.remove::<D>(id) else {
            return param;
        };
        param.map(|weight| {
            let tracking = Tracking::of(&weight);
            let weight = weight.without_autodiff();
            let velocity = parameter.velocity.take();
            let velocity =
                velocity.map(|flat| flat.to_device(&weight.device()).reshape(weight.shape()));
            let rates = &self.learning_rate;
            let rate = rates.lr_from_param(id, Some(&parameter.name));
            let (weight, velocity) = parameter.step.moved(rate, weight, gradient, velocity);
            parameter.velocity = velocity.map(flat);
            tracking.restore(weight)
        })
    }
}
