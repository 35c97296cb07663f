//! Weights under the names and in the layouts of the common PyTorch models: torchvision's ResNet,
//! timm's Vision Transformer, `torch.nn.GRU`; and back.
//!
//! Nothing is computed but the order of numbers: a weight that PyTorch has transposed, or that it
//! keeps in one tensor with two others, is the same weight.

mod entry;
mod names;

pub use entry::{Layout, StateEntry};
pub use names::state_entries;

use crate::checkpoint::Weights;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// Tensors by name.
pub type State = BTreeMap<String, Weights>;

/// Takes a PyTorch state dictionary apart into mup2's tensors.
///
/// # Errors
/// When a tensor is missing, has another shape than `entries` say, or is one too many.
pub fn from_pytorch(entries: &[StateEntry], state: &State) -> Result<State> {
    let mut ours = State::new();
    for entry in entries {
        let Some(theirs) = state.get(&entry.theirs) else {
            return Err(Error::invalid(
                format!("weight `{}`", entry.theirs),
                "is missing from the file",
                "the state dictionary of the PyTorch model of this architecture",
            ));
        };
        ours.insert(entry.ours.clone(), entry.take(theirs)?);
    }
    let known = |name: &str| entries.iter().any(|entry| entry.theirs == name);
    let extra = state.keys().find(|name| !known(name));
    match extra {
        None => Ok(ours),
        Some(name) => Err(Error::invalid(
            format!("weight `{name}`"),
            "is in the file but not in the model",
            "the state dictionary of the PyTorch model of this architecture",
        )),
    }
}

/// Puts mup2's tensors together as a PyTorch state dictionary.
///
/// # Errors
/// When a tensor is missing or has another shape than `entries` say.
pub fn to_pytorch(entries: &[StateEntry], state: &State) -> Result<State> {
    let mut theirs = State::new();
    for entry in entries {
        let Some(ours) = state.get(&entry.ours) else {
            return Err(Error::invalid(
                format!("weight `{}`", entry.ours),
                "is missing",
                "every weight of the model",
            ));
        };
        entry.put(ours, &mut theirs)?;
    }
    Ok(theirs)
}

#[cfg(test)]
mod tests;
