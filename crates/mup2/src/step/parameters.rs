//! The parameters of a module by their path, and their rows in a scaling table.

use crate::error::{Error, Result};
use crate::scaling::{ScalingTable, TensorScaling};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
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
    /// False on a device with gradients for what has none: frozen parameters and running statistics.
    pub trained: bool,
}

/// Lists a module's float parameters in the order in which the module visits them.
pub fn parameters<M: Module>(model: &M) -> Vec<Parameter> {
    let mut visitor = Collector::default();
    model.visit(&mut visitor);
    visitor.found
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    found: Vec<Parameter>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push(Parameter {
            id: param.id,
            name: self.path.join("."),
            shape: param.lazy_shape().to_vec(),
            // Only a value says whether it is frozen, so that a lazy one is made here.
            trained: !param.lazy_device().is_autodiff() || param.is_require_grad(),
        });
    }
}

/// Finds the table's row of every parameter; of what is not trained, if it has one. A parameter of a stack has
/// the rows of its `trials` one after the other.
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
    #[derive(Default)]
    struct Values {
        path: Vec<String>,
        found: HashMap<String, Tensor<1>>,
    }
    impl ModuleVisitor for Values {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val().without_autodiff();
            let count = value.shape().num_elements();
            self.found
                .insert(self.path.join("."), value.reshape([count]));
        }
    }
    let mut values = Values::default();
    model.visit(&mut values);
    values.found
}

/// The gradients of a module's float parameters, flattened, by path; parameters that had no part in
/// the loss are left out.
pub fn flat_gradients<M: Module>(
    model: &M,
    gradients: GradientsParams,
) -> HashMap<String, Tensor<1>> {
    struct Gradients {
        path: Vec<String>,
        left: GradientsParams,
        found: HashMap<String, Tensor<1>>,
    }
    impl ModuleVisitor for Gradients {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.left.remove::<D>(param.id) {
                let count = gradient.shape().num_elements();
                self.found
                    .insert(self.path.join("."), gradient.reshape([count]));
            }
        }
    }
    let mut visitor = Gradients {
        path: Vec::new(),
        left: gradients,
        found: HashMap::new(),
    };
    model.visit(&mut visitor);
    visitor.found
}
