//! Files good and bad, roles from shapes, and what is made of them.

mod comparing;
mod reading;
mod scaling;

use super::{Declarations, ModelShapes, StoredTensor, Widths, compare};
use crate::error::Result;
use safetensors::Dtype;

/// Shapes of 32-bit floats.
fn shapes(place: &str, tensors: &[(&str, &[usize])]) -> ModelShapes {
    let tensors = tensors.iter().map(|(name, shape)| StoredTensor {
        name: (*name).to_owned(),
        dtype: Dtype::F32,
        shape: shape.to_vec(),
    });
    ModelShapes::new(place, tensors.collect())
}

/// Two widths compared, with the text of a `roles.toml`.
fn compared(base: &ModelShapes, target: &ModelShapes, roles: &str) -> Result<super::Comparison> {
    let widths = Widths {
        base,
        target,
        other: None,
    };
    compare(&widths, &Declarations::parse(roles, "roles.toml")?)
}

/// A multilayer perceptron without biases, as `torch.nn` names and shapes it.
fn mlp(place: &str, width: usize) -> ModelShapes {
    shapes(
        place,
        &[
            ("input.weight", &[width, 784]),
            ("hidden.weight", &[width, width]),
            ("readout.weight", &[10, width]),
        ],
    )
}
