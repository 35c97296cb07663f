//! The checkpoint as bytes, and back with every check.

use super::{CHECKPOINT_FORMAT, Checkpoint, TrainingState, Weights};
use crate::config::RunId;
use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const MODEL: &str = "model/";
const OPTIMIZER: &str = "optimizer";
const STATE: &str = "state";
const CHECKSUM: &str = "sha256";

impl Checkpoint {
    /// The file's bytes.
    ///
    /// # Errors
    /// When a weight's values do not fill its shape.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let failed = |error: String| {
            Error::invalid(
                "checkpoint",
                error,
                "weights whose values fill their shapes",
            )
        };
        let state =
            serde_json::to_string(&self.state).map_err(|error| failed(error.to_string()))?;
        let mut buffers: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = BTreeMap::new();
        for (name, weights) in &self.weights {
            let bytes = weights.values.iter().flat_map(|value| value.to_le_bytes());
            let entry = (Dtype::F32, weights.shape.clone(), bytes.collect());
            buffers.insert(format!("{MODEL}{name}"), entry);
        }
        let optimizer = (
            Dtype::U8,
            vec![self.optimizer.len()],
            self.optimizer.clone(),
        );
        buffers.insert(OPTIMIZER.to_owned(), optimizer);
        let checksum = checksum(
            &state,
            buffers
                .iter()
                .map(|(name, (_, shape, bytes))| (name.as_str(), &shape[..], &bytes[..])),
        );
        let metadata = HashMap::from([(STATE.to_owned(), state), (CHECKSUM.to_owned(), checksum)]);
        let views = buffers
            .iter()
            .map(|(name, (dtype, shape, bytes))| {
                Ok((
                    name.as_str(),
                    TensorView::new(*dtype, shape.clone(), bytes)?,
                ))
            })
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|error| failed(error.to_string()))?;
        serialize(views, Some(metadata)).map_err(|error| failed(error.to_string()))
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
        let mut parts: Vec<(&str, &[usize], &[u8])> = Vec::new();
        let views: BTreeMap<String, TensorView> = tensors.tensors().into_iter().collect();
        for (name, view) in &views {
            parts.push((name, view.shape(), view.data()));
        }
        if checksum(state_text, parts.into_iter()) != *expected {
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

/// SHA-256 of the state and of every tensor's name, shape and bytes, with lengths before what they
/// count.
fn checksum<'a>(
    state: &str,
    tensors: impl Iterator<Item = (&'a str, &'a [usize], &'a [u8])>,
) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(state.as_bytes());
    for (name, shape, bytes) in tensors {
        add(name.as_bytes());
        let sides: Vec<u8> = shape
            .iter()
            .flat_map(|side| (*side as u64).to_le_bytes())
            .collect();
        add(&sides);
        add(bytes);
    }
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
