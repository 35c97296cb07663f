//! Which sides of each tensor grow from one width to the other, and that all do by one ratio.

use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// By how much one side of one tensor grows: the evidence for the ratio of all.
#[derive(Debug, Clone, Copy)]
pub struct Growth<'a> {
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

/// Shapes of a model's parameters at one width, by name.
pub type Shapes<'a> = BTreeMap<&'a str, &'a [usize]>;

/// All sides that differ between `base` and `wide`, which hold the same parameters.
pub fn growths<'a>(base: &Shapes<'a>, wide: &Shapes<'a>) -> Vec<Growth<'a>> {
    let mut growths = Vec::new();
    for (name, shape) in base {
        let Some(wide) = wide.get(name) else { continue };
        for (side, (&base, &target)) in shape.iter().zip(*wide).enumerate() {
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
pub fn one_ratio<'a>(growths: &[Growth<'a>]) -> Result<Option<Growth<'a>>> {
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

/// Which sides of two shapes of one tensor differ.
pub fn sides_differ(one: &[usize], other: &[usize]) -> Vec<bool> {
    let sides = one.iter().zip(other);
    sides.map(|(one, other)| one != other).collect()
}

/// Checks that of the tensor `name` the `growing` sides grow from `base` to `target`, unless the model's
/// `ratio` is 1, and no others do.
///
/// # Errors
/// The first side that should have grown, or should not have; `allowed` says what is right.
pub fn check_growing(
    name: &str,
    (base, target): (&[usize], &[usize]),
    growing: &[bool],
    ratio: f64,
    allowed: &str,
) -> Result<()> {
    for (side, (differs, grows)) in sides_differ(base, target).iter().zip(growing).enumerate() {
        if *differs != (*grows && ratio != 1.0) {
            let growth = format!("{} to {}", base[side], target[side]);
            let problem = match grows {
                true => format!(
                    "side {side} grows with the width, and is {growth} where others grow by {ratio}"
                ),
                false => format!(
                    "side {side} is the same at both widths that were compared, and {growth} here"
                ),
            };
            return Err(Error::invalid(format!("tensor `{name}`"), problem, allowed));
        }
    }
    Ok(())
}
