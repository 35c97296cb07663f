//! What a Burn module shows of its parameters: paths, shapes, and the layer that each stands in.

use super::layers::{Known, known};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// One float tensor of a module.
#[derive(Debug, Clone)]
pub(super) struct Outlined {
    /// Path, such as `blocks.0.linear.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What Burn's own layer says of it, if it stands in one.
    pub known: Option<Known>,
    /// Name of the struct that holds it; empty in a list or tuple.
    pub layer: String,
    /// False for what has no gradient: frozen parameters and running statistics.
    pub trained: bool,
}

/// The float tensors of `model`, in the order in which it is visited.
pub(super) fn outline<M: Module>(model: &M) -> Vec<Outlined> {
    let mut visitor = Outliner::default();
    model.visit(&mut visitor);
    visitor.found
}

#[derive(Default)]
struct Outliner {
    /// Names on the way from the root, each with the type of what holds it.
    path: Vec<(String, String)>,
    found: Vec<Outlined>,
}

impl ModuleVisitor for Outliner {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push((name.to_owned(), container_type.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let names: Vec<&str> = self.path.iter().map(|(name, _)| name.as_str()).collect();
        let (field, layer) = self.path.last().map_or(("", ""), |(name, container)| {
            (name, container.strip_prefix("Struct:").unwrap_or_default())
        });
        self.found.push(Outlined {
            name: names.join("."),
            shape: param.lazy_shape().to_vec(),
            known: known(layer, field, D),
            layer: layer.to_owned(),
            // Only a value says whether it is frozen, so that a lazy one is made here.
            trained: !param.lazy_device().is_autodiff() || param.is_require_grad(),
        });
    }
}
