//! The parameters of a module by their path, and their rows in a scaling table.

use super::named::{NamedVisitor, visit_named};
use crate::error::{Error, Result};
use crate::scaling::{ScalingTable, TensorScaling};
use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use std::collections::HashMap;

/// A float parameter of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Burn's id, by which gradients and optimizer states are kept.
    pub id: ParamId,
    /// Path of the parameter, such as `hidden.0.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// False on a device with gradients for what has none: frozen parameters and running
    /// statistics.
    pub trained: bool,
}

/// Lists a module's float parameters in the order in which the module visits them.
pub fn parameters<M: Module>(model: &M) -> Vec<Parameter> {
    struct Collector(Vec<Parameter>);
    impl NamedVisitor for Collector {
        fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
            self.0.push(Parameter {
                id: param.id,
                name: name.to_owned(),
                shape: param.lazy_shape().to_vec(),
                // Only a value says whether it is frozen, so that a lazy one is made here.
                trained: !param.lazy_device().is_autodiff() || param.is_require_grad(),
            });
        }
    }
    let mut collector = Collector(Vec::new());
    visit_named(model, &mut collector);
    collector.0
}

/// Finds the table's row of every parameter; of what is not trained, if it has one. A parameter of
/// a stack has the rows of its `trials` one after the other.
///
/// # Errors
/// When a parameter has no row (its role is unknown), or a shape is not that of the row.
pub(super) fn bind<'a, M: Module>(
    model: &M,
    table: &'a ScalingTable,
    trials: usize,
) -> Result<Vec<(Parameter, Option<&'a TensorScaling>)>> {
    let stacked = |row: &TensorScaling| {
        let mut shape = row.shape.clone();
        if let Some(first) = shape.first_mut() {
            *first *= trials;
        }
        shape
    };
    let rows: HashMap<&str, &TensorScaling> = table
        .tensors
        .iter()
        .map(|row| (row.name.as_str(), row))
        .collect();
    parameters(model)
        .into_iter()
        .map(|parameter| match rows.get(parameter.name.as_str()) {
            Some(row) if stacked(row) == parameter.shape => Ok((parameter, Some(*row))),
            Some(row) => Err(Error::invalid(
                format!("parameter `{}`", parameter.name),
                format!("has shape {:?}", parameter.shape),
                format!("the shape {:?} of the scaling table", stacked(row)),
            )),
            None if !parameter.trained => Ok((parameter, None)),
            None => Err(Error::invalid(
                format!("parameter `{}`", parameter.name),
                "is not in the scaling table, so its role is unknown",
                "a table with a row for every parameter of the model",
            )),
        })
        .collect()
}

/// The values of a module's float parameters, flattened and detached from the graph of gradients,
/// by path. They share memory with the module until one of the two is changed.
pub fn flat_parameters<M: Module>(model: &M) -> HashMap<String, Tensor<1>> {
    struct Values(HashMap<String, Tensor<1>>);
    impl NamedVisitor for Values {
        fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
            let value = param.val().without_autodiff();
            self.0.insert(name.to_owned(), flat(value));
        }
    }
    let mut values = Values(HashMap::new());
    visit_named(model, &mut values);
    values.0
}

/// The gradients of a module's float parameters, flattened, by path; parameters that had no part in
/// the loss are left out.
pub fn flat_gradients<M: Module>(
    model: &M,
    gradients: GradientsParams,
) -> HashMap<String, Tensor<1>> {
    struct Flat {
        left: GradientsParams,
        found: HashMap<String, Tensor<1>>,
    }
    impl NamedVisitor for Flat {
        fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.left.remove::<D>(param.id) {
                self.found.insert(name.to_owned(), flat(gradient));
            }
        }
    }
    let mut visitor = Flat {
        left: gradients,
        found: HashMap::new(),
    };
    visit_named(model, &mut visitor);
    visitor.found
}

/// All entries in one row.
pub(super) fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.shape().num_elements();
    x.reshape([count])
}
