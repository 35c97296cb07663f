//! The float parameters of a module with their paths, visited and mapped.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// What is done with each float parameter of a module, known by its path, such as
/// `hidden.0.weight`.
pub trait NamedVisitor {
    /// Visits one.
    fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>);
}

/// What becomes of each float parameter of a module, known by its path.
pub trait NamedMapper {
    /// Maps one.
    fn map<const D: usize>(&mut self, name: &str, param: Param<Tensor<D>>) -> Param<Tensor<D>>;
}

/// Visits the float parameters of `model`, in its order.
pub fn visit_named<M: Module>(model: &M, visitor: &mut impl NamedVisitor) {
    let path = Vec::new();
    model.visit(&mut Named {
        path,
        inner: visitor,
    });
}

/// Maps the float parameters of `model`, in its order.
pub fn map_named<M: Module>(model: M, mapper: &mut impl NamedMapper) -> M {
    let path = Vec::new();
    model.map(&mut Named {
        path,
        inner: mapper,
    })
}

/// Keeps the path.
struct Named<'a, V> {
    path: Vec<String>,
    inner: &'a mut V,
}

impl<V: NamedVisitor> ModuleVisitor for Named<'_, V> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.inner.visit(&self.path.join("."), param);
    }
}

impl<V: NamedMapper> ModuleMapper for Named<'_, V> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.inner.map(&self.path.join("."), param)
    }
}
