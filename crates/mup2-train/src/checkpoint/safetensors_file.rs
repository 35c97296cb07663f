//! safetensors files, written in one fixed order without a copy in memory, and their headers alone.

use crate::error::{Error, Result};
use crate::publish::open_regular;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

/// The format's own limit on a header, which also bounds what a hostile file makes us read.
const LONGEST_HEADER: u64 = 100_000_000;

/// The format's key for what is no tensor.
const METADATA: &str = "__metadata__";

/// What is done about a file that is none.
pub(super) const ADVICE: &str =
    "save it with `safetensors.torch.save_file(model.state_dict(), PATH)`";

/// What a file says of itself before its tensors.
#[derive(Debug)]
pub(super) struct FileHeader {
    pub metadata: BTreeMap<String, String>,
    pub tensors: BTreeMap<String, TensorInfo>,
}

/// Reads the header of a file. The tensors behind it are neither read nor checked.
///
/// # Errors
/// When the file cannot be read or does not begin with such a header.
pub(super) fn read_header(path: &Path) -> Result<FileHeader> {
    let refuse = |problem: &dyn std::fmt::Display| {
        Error::corrupt(
            path,
            format!("is not a safetensors file ({problem})"),
            ADVICE,
        )
    };
    let mut file = open_regular(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => refuse(&"it is too short"),
            _ => Error::io("read", path)(error),
        })?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(refuse(&"its header would be too long"));
    }
    let mut bytes = Vec::new();
    file.take(length)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    if bytes.len() as u64 != length {
        return Err(refuse(&"it ends within its header"));
    }
    let mut entries: BTreeMap<String, Value> =
        serde_json::from_slice(&bytes).map_err(|error| refuse(&error))?;
    // PyTorch's reader takes null for no metadata.
    let metadata: Option<BTreeMap<String, String>> = match entries.remove(METADATA) {
        Some(metadata) => serde_json::from_value(metadata).map_err(|error| refuse(&error))?,
        None => None,
    };
    let tensors = entries
        .into_iter()
        .map(|(name, entry)| Ok((name, serde_json::from_value(entry)?)))
        .collect::<serde_json::Result<_>>()
        .map_err(|error| refuse(&error))?;
    Ok(FileHeader {
        metadata: metadata.unwrap_or_default(),
        tensors,
    })
}

/// The numbers of a tensor to write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Numbers<'a> {
    Floats(&'a [f32]),
    Bytes(&'a [u8]),
}

/// A tensor to write.
#[derive(Debug, Clone)]
pub(super) struct OutTensor<'a> {
    pub name: String,
    pub shape: &'a [usize],
    pub numbers: Numbers<'a>,
}

impl Numbers<'_> {
    fn dtype(self) -> Dtype {
        match self {
            Self::Floats(_) => Dtype::F32,
            Self::Bytes(_) => Dtype::U8,
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    pub fn byte_len(self) -> usize {
        match self {
            Self::Floats(values) => 4 * values.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Calls `take` with the bytes of the file, some at a time.
    pub fn each_bytes(self, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => take(bytes),
            Self::Floats(values) => {
                let mut buffer = Vec::with_capacity(1 << 16);
                for some in values.chunks(1 << 14) {
                    buffer.clear();
                    buffer.extend(some.iter().flat_map(|value| value.to_le_bytes()));
                    take(&buffer)?;
                }
                Ok(())
            }
        }
    }
}

/// Writes a file: equal contents are equal bytes. The widest types come first, as the format asks,
/// and then the names in order; so does the metadata.
pub(super) fn write(
    out: &mut dyn Write,
    metadata: &BTreeMap<String, String>,
    tensors: &[OutTensor],
) -> io::Result<()> {
    let mut ordered: Vec<&OutTensor> = tensors.iter().collect();
    ordered.sort_by_key(|tensor| {
        let bits = tensor.numbers.dtype().bitsize();
        (std::cmp::Reverse(bits), tensor.name.as_str())
    });
    let mut entries = Vec::new();
    if !metadata.is_empty() {
        entries.push(format!(
            "\"{METADATA}\":{}",
            serde_json::to_string(metadata)?
        ));
    }
    let mut end = 0;
    for tensor in &ordered {
        let info = TensorInfo {
            dtype: tensor.numbers.dtype(),
            shape: tensor.shape.to_vec(),
            data_offsets: (end, end + tensor.numbers.byte_len()),
        };
        end = info.data_offsets.1;
        let name = serde_json::to_string(&tensor.name)?;
        entries.push(format!("{name}:{}", serde_json::to_string(&info)?));
    }
    let mut header = format!("{{{}}}", entries.join(","));
    // The tensors begin at a multiple of eight bytes.
    while header.len() % 8 != 0 {
        header.push(' ');
    }
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    for tensor in ordered {
        tensor
            .numbers
            .each_bytes(&mut |bytes| out.write_all(bytes))?;
    }
    Ok(())
}

/// # Errors
/// When a tensor's values do not fill its shape.
pub(super) fn check_shapes(tensors: &[OutTensor]) -> Result<()> {
    for tensor in tensors {
        let expected: usize = tensor.shape.iter().product();
        if tensor.numbers.len() != expected {
            return Err(Error::invalid(
                format!("weight `{}`", tensor.name),
                format!(
                    "has {} values for shape {:?}",
                    tensor.numbers.len(),
                    tensor.shape
                ),
                "tensors whose values fill their shapes",
            ));
        }
    }
    Ok(())
}
