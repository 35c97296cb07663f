//! The shapes of a model from whatever file has them: safetensors, an index of shards, `shapes.toml`.

use super::header::{Entries, MAX_HEADER, json_problem, read_header};
use super::names::reading_order;
use super::shapes_toml;
use crate::error::{Error, Result};
use crate::publish::{open_regular, read_regular};
use safetensors::Dtype;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One entry of a state dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTensor {
    /// Name in the state dictionary.
    pub name: String,
    /// Type of its numbers.
    pub dtype: Dtype,
    /// Sides, in PyTorch's order.
    pub shape: Vec<usize>,
}

/// The entries of one state dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelShapes {
    /// Where they come from, for messages.
    pub place: String,
    /// The entries, each name once, in [reading order](ModelShapes::new).
    pub tensors: Vec<StoredTensor>,
}

impl ModelShapes {
    /// Puts `tensors` into alphabetical order, numbers by their value.
    ///
    /// A safetensors file keeps no order of a model's layers, and shards have none among them.
    pub fn new(place: impl Into<String>, mut tensors: Vec<StoredTensor>) -> Self {
        tensors.sort_by(|one, other| reading_order(&one.name, &other.name));
        Self {
            place: place.into(),
            tensors,
        }
    }

    /// The entry of that name.
    pub fn get(&self, name: &str) -> Option<&StoredTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

/// Reads the shapes in `path`: a `.safetensors` file (its header only), the index of a sharded one
/// (`….safetensors.index.json`, and the headers of the shards beside it), or a `.toml` file that
/// [`write_shapes`](super::write_shapes) wrote. The name's ending decides.
///
/// # Errors
/// When a file cannot be read, is none of the three, or is damaged; see
/// [`read_header`](super::read_header).
pub fn read_shapes(path: &Path) -> Result<ModelShapes> {
    let name = path.to_string_lossy();
    let tensors = if name.ends_with(".safetensors") {
        read_file(path)?
    } else if name.ends_with(".json") {
        read_index(path)?
    } else if name.ends_with(".toml") {
        shapes_toml::read(path)?
    } else {
        return Err(Error::invalid(
            name,
            "has a name with another ending",
            "a `.safetensors` file, the `.safetensors.index.json` of a sharded one, or a `.toml` file of `--save-shapes`",
        ));
    };
    Ok(ModelShapes::new(name, tensors))
}

fn read_file(path: &Path) -> Result<Vec<StoredTensor>> {
    let file = open_regular(path)?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let tensors = read_header(file, length, path)?.into_iter();
    let tensors = tensors.map(|tensor| StoredTensor {
        name: tensor.name,
        dtype: tensor.dtype,
        shape: tensor.shape,
    });
    Ok(tensors.collect())
}

/// The part of an index that says which shard holds which tensor.
#[derive(serde::Deserialize)]
struct Index {
    weight_map: Entries<String>,
}

fn read_index(path: &Path) -> Result<Vec<StoredTensor>> {
    let corrupt = |problem: String| Error::corrupt(path, problem, "fetch or save it again");
    let map = parse_index(path)?;
    let shards: BTreeSet<&String> = map.values().collect();
    let mut tensors: BTreeMap<String, StoredTensor> = BTreeMap::new();
    for shard in shards {
        // Another directory is not the index's to name.
        if shard.contains(['/', '\\']) || !shard.ends_with(".safetensors") {
            return Err(corrupt(format!(
                "names the shard `{shard}`, which is not the name of a safetensors file beside it"
            )));
        }
        let file = path.with_file_name(shard);
        for tensor in read_file(&file)? {
            let name = &tensor.name;
            match map.get(name) {
                None => {
                    return Err(corrupt(format!(
                        "does not list the tensor `{name}` of its shard `{shard}`"
                    )));
                }
                Some(other) if other != shard => {
                    return Err(corrupt(format!(
                        "places the tensor `{name}` in `{other}`, and it is in `{shard}`"
                    )));
                }
                Some(_) => {
                    tensors.insert(name.clone(), tensor);
                }
            }
        }
    }
    if let Some((name, shard)) = map.iter().find(|(name, _)| !tensors.contains_key(*name)) {
        return Err(corrupt(format!(
            "places the tensor `{name}` in `{shard}`, which does not have it"
        )));
    }
    Ok(tensors.into_values().collect())
}

/// From each tensor's name to its shard's.
fn parse_index(path: &Path) -> Result<BTreeMap<String, String>> {
    let corrupt = |problem: String| {
        let advice = "give the `.safetensors.index.json` of a sharded model";
        Error::corrupt(path, problem, advice)
    };
    let length = std::fs::metadata(path)
        .map_err(Error::io("read", path))?
        .len();
    if length > MAX_HEADER {
        return Err(corrupt(format!(
            "has {length} bytes; an index has at most {MAX_HEADER}"
        )));
    }
    let bytes = read_regular(path)?;
    let index: Index =
        serde_json::from_slice(&bytes).map_err(|error| corrupt(json_problem("text", &error)))?;
    if index.weight_map.0.is_empty() {
        return Err(corrupt("lists no tensor".to_owned()));
    }
    Ok(index.weight_map.0.into_iter().collect())
}
