//! The checkpoint as bytes, and back with every check.

use super::safetensors_file::{self, Numbers, OutTensor, check_shapes};
use super::{CHECKPOINT_FORMAT, Checkpoint, TrainingState, Weights};
use crate::error::{Error, Result};
use mup2_sweep::config::RunId;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

const MODEL: &str = "model/";
const OPTIMIZER: &str = "optimizer";
pub(super) const STATE: &str = "state";
const CHECKSUM: &str = "sha256";

impl Checkpoint {
    /// The file's bytes.
    ///
    /// # Errors
    /// When a weight's values do not fill its shape.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let failed = |error: io::Error| refused(error.to_string());
        self.prepared()?.write(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    /// The file, ready to be written without a copy of the weights.
    ///
    /// # Errors
    /// When a weight's values do not fill its shape.
    pub(super) fn prepared(&self) -> Result<Prepared<'_>> {
        let state =
            serde_json::to_string(&self.state).map_err(|error| refused(error.to_string()))?;
        let tensors: Vec<OutTensor> = self
            .weights
            .iter()
            .map(|(name, weights)| OutTensor {
                name: format!("{MODEL}{name}"),
                shape: &weights.shape,
                numbers: Numbers::Floats(&weights.values),
            })
            .collect();
        check_shapes(&tensors)?;
        let length = [self.optimizer.len()];
        let mut checksum = Checksum::new(&state);
        for tensor in &tensors {
            checksum.add(&tensor.name, tensor.shape, tensor.numbers);
        }
        // After `model/` in the order of names.
        checksum.add(OPTIMIZER, &length, Numbers::Bytes(&self.optimizer));
        let metadata = BTreeMap::from([
            (STATE.to_owned(), state),
            (CHECKSUM.to_owned(), checksum.digits()),
        ]);
        Ok(Prepared {
            metadata,
            tensors,
            optimizer: &self.optimizer,
            length,
        })
    }

    /// Reads a file's bytes; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the bytes are torn, changed, of another format or of another run.
    pub fn from_bytes(bytes: &[u8], id: &RunId, path: &Path) -> Result<Self> {
        let refuse = |problem: String| {
            let advice = "remove it, and the run starts from an older checkpoint or anew";
            Error::corrupt(path, problem, advice)
        };
        let torn =
            |error: &dyn std::fmt::Display| refuse(format!("is not a whole checkpoint ({error})"));
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| torn(&error))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| torn(&error))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let text = |key: &str| {
            let missing = || refuse(format!("is no checkpoint of mup2: it has no `{key}`"));
            metadata.get(key).ok_or_else(missing)
        };
        let (state_text, expected) = (text(STATE)?, text(CHECKSUM)?);
        let views: BTreeMap<String, TensorView> = tensors.tensors().into_iter().collect();
        let mut checksum = Checksum::new(state_text);
        for (name, view) in &views {
            checksum.add(name, view.shape(), Numbers::Bytes(view.data()));
        }
        if checksum.digits() != *expected {
            return Err(refuse(
                "was changed or damaged: its SHA-256 is another".to_owned(),
            ));
        }
        let state: TrainingState = serde_json::from_str(state_text)
            .map_err(|error| refuse(format!("was written by another version of mup2 ({error})")))?;
        if state.format != CHECKPOINT_FORMAT {
            return Err(refuse(format!(
                "is of format {}, not {CHECKPOINT_FORMAT}",
                state.format
            )));
        }
        if state.id != *id || RunId::of(&state.result.spec) != *id {
            return Err(refuse(format!("belongs to run {}, not to {id}", state.id)));
        }
        let mut weights = BTreeMap::new();
        let mut optimizer = None;
        for (name, view) in &views {
            match (name.strip_prefix(MODEL), view.dtype()) {
                (Some(parameter), Dtype::F32) => {
                    let values = view
                        .data()
                        .chunks_exact(4)
                        .filter_map(|bytes| Some(f32::from_le_bytes(*bytes.first_chunk::<4>()?)));
                    let values = values.collect();
                    let shape = view.shape().to_vec();
                    weights.insert(parameter.to_owned(), Weights { shape, values });
                }
                (None, Dtype::U8) if name == OPTIMIZER => optimizer = Some(view.data().to_vec()),
                _ => return Err(refuse(format!("holds an unknown tensor `{name}`"))),
            }
        }
        let optimizer =
            optimizer.ok_or_else(|| refuse("has no state of the optimizer".to_owned()))?;
        Ok(Self {
            state,
            weights,
            optimizer,
        })
    }
}

fn refused(problem: String) -> Error {
    Error::invalid(
        "checkpoint",
        problem,
        "weights whose values fill their shapes",
    )
}

/// A checkpoint that only needs to be written.
pub(super) struct Prepared<'a> {
    metadata: BTreeMap<String, String>,
    tensors: Vec<OutTensor<'a>>,
    optimizer: &'a [u8],
    length: [usize; 1],
}

impl Prepared<'_> {
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut tensors = self.tensors.clone();
        tensors.push(OutTensor {
            name: OPTIMIZER.to_owned(),
            shape: &self.length,
            numbers: Numbers::Bytes(self.optimizer),
        });
        safetensors_file::write(out, &self.metadata, &tensors)
    }
}

/// SHA-256 of the state and of every tensor's name, shape and bytes, with lengths before what they
/// count.
struct Checksum(Sha256);

impl Checksum {
    fn new(state: &str) -> Self {
        let mut checksum = Self(Sha256::new());
        checksum.add_bytes(state.as_bytes());
        checksum
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn add(&mut self, name: &str, shape: &[usize], numbers: Numbers) {
        self.add_bytes(name.as_bytes());
        let sides: Vec<u8> = shape
            .iter()
            .flat_map(|side| (*side as u64).to_le_bytes())
            .collect();
        self.add_bytes(&sides);
        self.0.update((numbers.byte_len() as u64).to_le_bytes());
        // Hashing does not fail.
        let _ = numbers.each_bytes(&mut |bytes| {
            self.0.update(bytes);
            Ok(())
        });
    }

    fn digits(self) -> String {
        let digest = self.0.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
