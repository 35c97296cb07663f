//! State dictionaries as safetensors files.

use super::{COUNTER, State};
use crate::checkpoint::Weights;
use crate::error::{Error, Result};
use crate::publish::write_atomically;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use std::collections::HashMap;
use std::path::Path;

/// Reads a safetensors file of 32-bit or 64-bit floats; batch counters are left out.
///
/// # Errors
/// When the file cannot be read, is not a safetensors file, or holds another type of number.
pub fn read_state(path: &Path) -> Result<State> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| {
        Error::corrupt(
            path,
            format!("is not a safetensors file ({error})"),
            "save it with `safetensors.torch.save_file(model.state_dict(), PATH)`",
        )
    })?;
    let mut state = State::new();
    for (name, tensor) in file.tensors() {
        if name.ends_with(COUNTER) {
            continue;
        }
        let values = match tensor.dtype() {
            Dtype::F32 => tensor
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Dtype::F64 => tensor
                .data()
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
                .map(|value| value as f32)
                .collect(),
            other => {
                return Err(Error::invalid(
                    format!("{}: weight `{name}`", path.display()),
                    format!("has type {other:?}"),
                    "32-bit or 64-bit floats",
                ));
            }
        };
        let shape = tensor.shape().to_vec();
        state.insert(name, Weights { shape, values });
    }
    Ok(state)
}

/// Writes a safetensors file of 32-bit floats, whole or not at all, with `metadata`.
///
/// # Errors
/// When a tensor's values do not fill its shape, or the file cannot be written.
pub fn write_state(path: &Path, state: &State, metadata: HashMap<String, String>) -> Result<()> {
    let failed = |error: safetensors::SafeTensorError| {
        Error::invalid(
            "weights",
            error.to_string(),
            "tensors whose values fill their shapes",
        )
    };
    let bytes: Vec<Vec<u8>> = state
        .values()
        .map(|tensor| tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = state
        .iter()
        .zip(&bytes)
        .map(|((name, tensor), bytes)| {
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
            Ok((name.as_str(), view.map_err(failed)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let metadata = (!metadata.is_empty()).then_some(metadata);
    let file = serialize(views, metadata).map_err(failed)?;
    write_atomically(path, &file)
}
