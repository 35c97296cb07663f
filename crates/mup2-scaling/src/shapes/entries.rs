//! Which entries of a state dictionary are parameters: numbers that an optimizer changes.

use super::declarations::{Declarations, Topic};
use super::file::{ModelShapes, StoredTensor};
use super::growth::Shapes;
use crate::error::{Error, Result};
use safetensors::Dtype;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// PyTorch's names for the running statistics of a normalization by batch. They are fixed in
/// `torch.nn`, and as buffers they have no role that a name could be guessed from.
const RUNNING_STATISTICS: [&str; 2] = ["running_mean", "running_var"];

/// An entry that is no parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Name in the state dictionary.
    pub name: String,
    /// Why it is none.
    pub reason: Reason,
}

/// Why an entry is no parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Integers and truth values have no gradient.
    #[strum(serialize = "integers")]
    Integers,
    /// The running mean or variance of a batch normalization.
    #[strum(serialize = "running statistics")]
    RunningStatistics,
    /// Declared in `roles.toml`.
    #[strum(serialize = "declared a buffer")]
    Declared,
}

/// The parameters of one file.
pub(super) type Parameters<'a> = BTreeMap<&'a str, &'a StoredTensor>;

/// The entries of one state dictionary, divided.
pub(super) struct Entries<'a> {
    pub parameters: Parameters<'a>,
    pub left_out: Vec<LeftOut>,
    /// Paths of the layers that have running statistics, with the shape of those.
    batch_norms: HashSet<(&'a str, &'a [usize])>,
}

impl<'a> Entries<'a> {
    pub fn divide(shapes: &'a ModelShapes, declarations: &Declarations) -> Result<Self> {
        let mut entries = Self {
            parameters: BTreeMap::new(),
            left_out: Vec::new(),
            batch_norms: HashSet::new(),
        };
        for tensor in &shapes.tensors {
            let name = &tensor.name;
            let (layer, last) = path(name);
            let reason = if declarations.of(name, Topic::Buffer)?.is_some() {
                Some(Reason::Declared)
            } else if is_integer(tensor.dtype) {
                Some(Reason::Integers)
            } else if RUNNING_STATISTICS.contains(&last) {
                entries.batch_norms.insert((layer, &tensor.shape));
                Some(Reason::RunningStatistics)
            } else {
                None
            };
            if let Some(reason) = reason {
                let name = name.clone();
                entries.left_out.push(LeftOut { name, reason });
                continue;
            }
            check_parameter(&shapes.place, tensor)?;
            entries.parameters.insert(name, tensor);
        }
        if entries.parameters.is_empty() {
            return Err(Error::invalid(
                &shapes.place,
                "holds no parameter",
                "the state dictionary of a model, with at least one tensor of floating-point numbers",
            ));
        }
        Ok(entries)
    }

    /// Whether the tensor is a gain or bias beside running statistics of its own shape.
    pub fn is_batch_norm(&self, name: &str, shape: &[usize]) -> bool {
        self.batch_norms.contains(&(path(name).0, shape))
    }
}

/// The layer's path, and the name within it.
fn path(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

fn is_integer(dtype: Dtype) -> bool {
    use Dtype::*;
    matches!(dtype, BOOL | U8 | I8 | U16 | I16 | U32 | I32 | U64 | I64)
}

fn check_parameter(place: &str, tensor: &StoredTensor) -> Result<()> {
    let invalid = |problem: String, allowed: &str| {
        let place = format!("{place}: tensor `{}`", tensor.name);
        Err(Error::invalid(place, problem, allowed))
    };
    if tensor.dtype == Dtype::C64 {
        return invalid(
            "is of complex numbers, for which the scaling is not derived".to_owned(),
            "real parameters; a buffer is declared by `buffer` in roles.toml",
        );
    }
    if tensor.shape.contains(&0) {
        return invalid(
            format!("has shape {:?}", tensor.shape),
            "sides of at least 1; a buffer is declared by `buffer` in roles.toml",
        );
    }
    Ok(())
}

/// The shapes alone.
pub(super) fn shapes_of<'a>(parameters: &Parameters<'a>) -> Shapes<'a> {
    let shapes = parameters.iter();
    shapes
        .map(|(name, tensor)| (*name, &tensor.shape[..]))
        .collect()
}

/// Checks that two files hold the same parameters with the same numbers of sides.
///
/// # Errors
/// The first parameter of which that is not so.
pub(super) fn check_same_model(one: (&str, &Parameters), other: (&str, &Parameters)) -> Result<()> {
    for ((place, parameters), (other_place, others)) in [(one, other), (other, one)] {
        for (name, tensor) in parameters {
            let Some(match_) = others.get(name) else {
                return Err(Error::invalid(
                    format!("tensor `{name}`"),
                    format!("is a parameter in {place} and not in {other_place}"),
                    "one model at two widths; a buffer is declared by `buffer` in roles.toml",
                ));
            };
            if match_.shape.len() != tensor.shape.len() {
                return Err(Error::invalid(
                    format!("tensor `{name}`"),
                    format!(
                        "has shape {:?} in {place} and {:?} in {other_place}",
                        tensor.shape, match_.shape
                    ),
                    "as many sides at both widths",
                ));
            }
        }
    }
    Ok(())
}
