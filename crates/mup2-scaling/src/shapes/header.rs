//! The header of a safetensors file: names, types and shapes, without reading a weight.

use super::names::check_name;
use crate::error::{Error, Result};
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;
use std::path::Path;

/// Bytes before the header: its length, little-endian.
const PREFIX: u64 = 8;

/// The format's own limit on a header, which also bounds what a hostile file makes us read.
pub(super) const MAX_HEADER: u64 = 100_000_000;

/// The format's key for what is no tensor.
const METADATA: &str = "__metadata__";

/// What to do about a file that is not what it should be.
const ADVICE: &str = "fetch or save it again, with `safetensors.torch.save_file`";

/// One tensor as the header describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderTensor {
    /// Name in the state dictionary.
    pub name: String,
    /// Type of its numbers.
    pub dtype: Dtype,
    /// Sides, in PyTorch's order.
    pub shape: Vec<usize>,
    /// First byte, and the one after the last, counted from the end of the header.
    pub bytes: (usize, usize),
}

/// Reads the header at the start of `file`, which has `length` bytes, and nothing behind it; `path` is
/// for messages. The tensors come in the order of their bytes.
///
/// The `safetensors` crate reads a header only from a buffer with the whole file behind it, and lets
/// a second tensor of the same name replace the first; hence the own reading. Its checks are kept:
/// the bytes of the tensors fill the file without gap or overlap, and each range has the length
/// that type and shape ask for.
///
/// # Errors
/// [`Error::Corrupt`] when the header is not one or does not fit the file, [`Error::Io`] when it
/// cannot be read.
pub fn read_header(mut file: impl Read, length: u64, path: &Path) -> Result<Vec<HeaderTensor>> {
    let corrupt = |problem: String| Error::corrupt(path, problem, ADVICE);
    if length < PREFIX {
        return Err(corrupt(format!(
            "has {length} bytes and cannot be a safetensors file, which begins with 8 bytes of length"
        )));
    }
    let mut prefix = [0; PREFIX as usize];
    file.read_exact(&mut prefix)
        .map_err(Error::io("read", path))?;
    let header = u64::from_le_bytes(prefix);
    if header > MAX_HEADER {
        return Err(corrupt(format!(
            "is not a safetensors file, or a damaged one: its first 8 bytes announce a header of {header} bytes, \
             and the format allows {MAX_HEADER}"
        )));
    }
    let Some(data) = length
        .checked_sub(PREFIX)
        .and_then(|rest| rest.checked_sub(header))
    else {
        return Err(corrupt(format!(
            "announces a header of {header} bytes and has {length} bytes in all"
        )));
    };
    let mut bytes = Vec::new();
    file.take(header)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    if bytes.len() as u64 != header {
        return Err(corrupt("ends within its header".to_owned()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        corrupt(format!(
            "has a header that is not UTF-8 (at its byte {})",
            error.valid_up_to()
        ))
    })?;
    let entries: Entries<TensorInfo> =
        serde_json::from_str(text).map_err(|error| corrupt(json_problem("header", &error)))?;
    let mut tensors = Vec::with_capacity(entries.0.len());
    for (name, info) in entries.0 {
        check_name(&name).map_err(&corrupt)?;
        tensors.push(HeaderTensor {
            name,
            dtype: info.dtype,
            shape: info.shape,
            bytes: info.data_offsets,
        });
    }
    // An empty tensor shares its place with the next one.
    tensors.sort_by(|one, other| (one.bytes, &one.name).cmp(&(other.bytes, &other.name)));
    check_bytes(&tensors, data).map_err(corrupt)?;
    Ok(tensors)
}

/// Whether the tensors fill `data` bytes one after the other, each as long as its type and shape ask.
fn check_bytes(tensors: &[HeaderTensor], data: u64) -> std::result::Result<(), String> {
    let mut end = 0;
    let mut previous = "the header";
    for tensor in tensors {
        let (name, (first, last)) = (&tensor.name, tensor.bytes);
        let length = byte_length(tensor)?;
        if last.checked_sub(first) != Some(length) {
            return Err(format!(
                "gives tensor `{name}` of type {} and shape {:?} the bytes {first} to {last}, which should be {length}",
                tensor.dtype, tensor.shape
            ));
        }
        if first < end {
            return Err(format!(
                "has tensors that overlap: `{name}` begins at byte {first}, and `{previous}` ends at {end}"
            ));
        }
        if first > end {
            return Err(format!(
                "has a gap: `{name}` begins at byte {first}, and `{previous}` ends at {end}"
            ));
        }
        end = last;
        previous = name;
    }
    if end as u64 != data {
        return Err(format!(
            "has {data} bytes of weights where its header describes {end}"
        ));
    }
    Ok(())
}

fn byte_length(tensor: &HeaderTensor) -> std::result::Result<usize, String> {
    let HeaderTensor {
        name, dtype, shape, ..
    } = tensor;
    // A side of 0 makes no other side smaller.
    let bits = shape
        .iter()
        .try_fold(dtype.bitsize(), |bits, side| {
            bits.checked_mul((*side).max(1))
        })
        .ok_or_else(|| {
            format!("has a tensor `{name}` of shape {shape:?}, which no memory could hold")
        })?;
    let bits = if shape.contains(&0) { 0 } else { bits };
    if bits % 8 != 0 {
        return Err(format!(
            "has a tensor `{name}` of type {dtype} and shape {shape:?} that ends within a byte"
        ));
    }
    Ok(bits / 8)
}

/// One sentence of what a JSON reader says, whatever the file makes it quote.
pub(super) fn json_problem(part: &str, error: &serde_json::Error) -> String {
    let said: String = error.to_string().chars().take(300).collect();
    format!("has a {part} that cannot be read ({said})")
}

/// A JSON object's members in the file's order, `__metadata__` left out; a repeated name is an error,
/// which serde's maps would merge.
pub(super) struct Entries<T>(pub Vec<(String, T)>);

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        EntriesSeed(PhantomData).deserialize(deserializer)
    }
}

struct EntriesSeed<T>(PhantomData<T>);

impl<'de, T: serde::Deserialize<'de>> DeserializeSeed<'de> for EntriesSeed<T> {
    type Value = Entries<T>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: serde::Deserialize<'de>> Visitor<'de> for EntriesSeed<T> {
    type Value = Entries<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object with a tensor's name before each entry")
    }

    fn visit_map<M: MapAccess<'de>>(
        self,
        mut map: M,
    ) -> std::result::Result<Self::Value, M::Error> {
        let mut seen = HashSet::new();
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(M::Error::custom(format_args!("`{name}` occurs twice")));
            }
            if name == METADATA {
                map.next_value::<Option<HashMap<String, String>>>()?;
            } else {
                entries.push((name, map.next_value()?));
            }
        }
        Ok(Entries(entries))
    }
}
