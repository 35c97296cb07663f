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

/// Parts of names that come from a module around another one, wherever they stand: compiled,
/// sharded and checkpointed modules.
const WRAPPERS: [&str; 3] = [
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// What all names begin with in a model trained on several devices.
const PARALLEL: &str = "module.";

/// The tensors under the names that they have without wrappers.
///
/// # Errors
/// When two of them then have the same name.
fn unwrapped(state: &State) -> Result<BTreeMap<String, &Weights>> {
    let mut found = BTreeMap::new();
    let parallel = state
        .keys()
        .all(|name| without_wrappers(name).starts_with(PARALLEL));
    for (name, weights) in state {
        let mut plain = without_wrappers(name);
        if parallel {
            plain = plain[PARALLEL.len()..].to_owned();
        }
        if found.insert(plain.clone(), weights).is_some() {
            return Err(Error::invalid(
                format!("weight `{name}`"),
                format!("is `{plain}` without the names of wrappers, which is there twice"),
                "the state dictionary of one model",
            ));
        }
    }
    Ok(found)
}

fn without_wrappers(name: &str) -> String {
    let parts = name.split('.').filter(|part| !WRAPPERS.contains(part));
    parts.collect::<Vec<_>>().join(".")
}

/// Takes a PyTorch state dictionary apart into mup2's tensors. Names may have what `torch.compile`,
/// `DataParallel` and the like put before or into them.
///
/// # Errors
/// When a tensor is missing, has another shape than `entries` say, or is one too many.
pub fn from_pytorch(entries: &[StateEntry], state: &State) -> Result<State> {
    let mut ours = State::new();
    let state = unwrapped(state)?;
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
