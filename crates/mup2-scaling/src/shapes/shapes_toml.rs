//! `shapes.toml`: the shapes of a model as a small file to keep, read and write by hand.

use super::file::{ModelShapes, StoredTensor};
use super::names::check_name;
use crate::error::{Error, Result};
use crate::publish::write_atomically;
use safetensors::Dtype;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A model of a hundred thousand tensors fits.
const MAX_BYTES: u64 = 10_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShapesFile {
    tensors: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
}

/// Writes `shapes` as a `.toml` file that [`read_shapes`](super::read_shapes) takes in place of the
/// weights: a line a tensor.
///
/// # Errors
/// When the name does not end in `.toml`, or the file cannot be written.
pub fn write_shapes(path: &Path, shapes: &ModelShapes) -> Result<()> {
    if path.extension().is_none_or(|extension| extension != "toml") {
        return Err(Error::invalid(
            path.display().to_string(),
            "has a name with another ending",
            "a name that ends in `.toml`",
        ));
    }
    write_atomically(path, text(shapes).as_bytes())
}

fn text(shapes: &ModelShapes) -> String {
    let mut text = String::from(
        "# Shapes of a model's tensors, written by `mup2 scale --save-shapes`: stands in for the weights.\n\n[tensors]\n",
    );
    for tensor in &shapes.tensors {
        let name = toml::Value::String(tensor.name.clone());
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{name} = {{ dtype = \"{}\", shape = {:?} }}",
            tensor.dtype, tensor.shape
        );
    }
    text
}

pub(super) fn read(path: &Path) -> Result<Vec<StoredTensor>> {
    let invalid = |problem: String| {
        Error::invalid(
            path.display().to_string(),
            problem,
            "a file written by `mup2 scale --base MODEL.safetensors --save-shapes FILE`",
        )
    };
    let text = read_text(path, MAX_BYTES)?;
    let file: ShapesFile = toml::from_str(&text).map_err(|error| {
        invalid(format!(
            "is not a file of shapes ({})",
            error.message().trim()
        ))
    })?;
    file.tensors
        .into_iter()
        .map(|(name, entry)| {
            check_name(&name).map_err(&invalid)?;
            Ok(StoredTensor {
                name,
                dtype: entry.dtype,
                shape: entry.shape,
            })
        })
        .collect()
}

/// The text of a file that is written by hand, and therefore small; pipes too, such as a shell's
/// `<(…)`.
pub fn read_text(path: &Path, max_bytes: u64) -> Result<String> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut text = String::new();
    // A device's length says nothing.
    file.take(max_bytes + 1)
        .read_to_string(&mut text)
        .map_err(Error::io("read", path))?;
    if text.len() as u64 > max_bytes {
        return Err(Error::invalid(
            path.display().to_string(),
            "is too long",
            format!("a text of at most {max_bytes} bytes"),
        ));
    }
    Ok(text)
}
