//! Weights alone, by name, as safetensors files: what other programs read and write.

use super::Weights;
use crate::error::{Error, Result};
use crate::publish::write_atomically;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// How many batches a normalization of PyTorch has seen: a counter that no result depends on.
const COUNTER: &str = "num_batches_tracked";

/// Reads a safetensors file of 32-bit or 64-bit floats; PyTorch's batch counters are left out.
///
/// # Errors
/// When the file cannot be read, is not a safetensors file, or holds another type of number.
pub fn read_weights(path: &Path) -> Result<BTreeMap<String, Weights>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| foreign(path, &error))?;
    let mut weights = BTreeMap::new();
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
        weights.insert(name, Weights { shape, values });
    }
    Ok(weights)
}

/// Writes a safetensors file of 32-bit floats, whole or not at all, with `metadata`.
///
/// # Errors
/// When a tensor's values do not fill its shape, or the file cannot be written.
pub fn write_weights(
    path: &Path,
    weights: &BTreeMap<String, Weights>,
    metadata: HashMap<String, String>,
) -> Result<()> {
    let failed = |error: safetensors::SafeTensorError| {
        Error::invalid(
            "weights",
            error.to_string(),
            "tensors whose values fill their shapes",
        )
    };
    let bytes: Vec<Vec<u8>> = weights
        .values()
        .map(|tensor| tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = weights
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

/// The metadata of a safetensors file.
///
/// # Errors
/// When the file cannot be read or is not a safetensors file.
pub fn read_metadata(path: &Path) -> Result<HashMap<String, String>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| foreign(path, &error))?;
    Ok(header.metadata().clone().unwrap_or_default())
}

fn foreign(path: &Path, error: &safetensors::SafeTensorError) -> Error {
    Error::corrupt(
        path,
        format!("is not a safetensors file ({error})"),
        "save it with `safetensors.torch.save_file(model.state_dict(), PATH)`",
    )
}
