//! Which sides of each tensor grow from one file to the other, and that all do by one ratio.

use super::file::StoredTensor;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// By how much one side of one tensor grows: the evidence for the ratio of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth<'a> {
    pub name: &'a str,
    pub side: usize,
    pub base: usize,
    pub target: usize,
}

impl Growth<'_> {
    /// Target over base.
    pub fn ratio(&self) -> f64 {
        self.target as f64 / self.base as f64
    }

    fn is_by_the_same_ratio(&self, other: &Self) -> bool {
        // Exact: no ratio of two sides is rounded.
        self.target as u128 * other.base as u128 == other.target as u128 * self.base as u128
    }

    fn sentence(&self) -> String {
        let Self {
            name,
            side,
            base,
            target,
        } = self;
        format!("side {side} of `{name}` grows from {base} to {target}")
    }
}

/// The parameters of one file.
pub(super) type Parameters<'a> = BTreeMap<&'a str, &'a StoredTensor>;

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

/// All sides that differ between `base` and `wide`, which hold the same parameters.
pub(super) fn growths<'a>(base: &Parameters<'a>, wide: &Parameters<'a>) -> Vec<Growth<'a>> {
    let mut growths = Vec::new();
    for (name, tensor) in base {
        let Some(wide) = wide.get(name) else { continue };
        for (side, (&base, &target)) in tensor.shape.iter().zip(&wide.shape).enumerate() {
            if base != target {
                growths.push(Growth {
                    name,
                    side,
                    base,
                    target,
                });
            }
        }
    }
    growths
}

/// The one ratio of all `growths`; `None` if there are none.
///
/// # Errors
/// Two sides that grow by different ratios.
pub(super) fn one_ratio<'a>(growths: &[Growth<'a>]) -> Result<Option<Growth<'a>>> {
    let Some(first) = growths.first() else {
        return Ok(None);
    };
    match growths
        .iter()
        .find(|growth| !growth.is_by_the_same_ratio(first))
    {
        None => Ok(Some(*first)),
        Some(other) => Err(Error::invalid(
            format!("tensors `{}` and `{}`", first.name, other.name),
            format!("{}, and {}", first.sentence(), other.sentence()),
            "growth by one ratio: a model whose hidden sides are all multiplied by the same number",
        )),
    }
}
