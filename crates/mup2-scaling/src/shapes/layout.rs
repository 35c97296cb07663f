//! What the sides of a tensor stand for, and what role follows from those that grow.

use crate::Role;
use serde::Serialize;
use strum::{Display, EnumString, VariantNames};

/// What one side of a tensor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Display, EnumString, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Side {
    /// What the layer gives.
    Out,
    /// What the layer takes.
    In,
    /// The pixels of a kernel: part of the fan-in, the same at every width.
    Kernel,
    /// Tensors of their own that are kept in one: the rows of an embedding table, which are looked up
    /// one by one, or the experts of a mixture. Part of no fan, the same at every width.
    Stack,
}

/// What each side of a tensor counts, in the tensor's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Layout(Vec<Side>);

impl Layout {
    /// PyTorch's: `[out, in]` of `Linear`, `[out, in, height, width]` of a convolution, `[out]` of a
    /// vector.
    pub fn of_pytorch(sides: usize) -> Self {
        let order = [Side::Out, Side::In].into_iter();
        Self(
            order
                .chain(std::iter::repeat(Side::Kernel))
                .take(sides)
                .collect(),
        )
    }

    /// `[in, out, …]`, of Hugging Face's `Conv1D` and of transposed convolutions.
    pub fn transposed(sides: usize) -> Self {
        let order = [Side::In, Side::Out].into_iter();
        Self(
            order
                .chain(std::iter::repeat(Side::Kernel))
                .take(sides)
                .collect(),
        )
    }

    /// `[…, width]`: rows that are looked up, or added as they are. A lookup is a product with a
    /// one-hot row, of which the width changes nothing: every row is a vector, with a fan-in of 1.
    pub fn embedding(sides: usize) -> Self {
        let mut order = vec![Side::Stack; sides.saturating_sub(1)];
        order.push(Side::Out);
        Self(order)
    }

    /// One entry a side.
    pub fn new(sides: impl IntoIterator<Item = Side>) -> Self {
        Self(sides.into_iter().collect())
    }

    /// One word a side, such as `stack out in`.
    ///
    /// # Errors
    /// The word that is none.
    pub fn parse(words: &str) -> Result<Self, String> {
        let sides = words.split_whitespace();
        let sides = sides.map(|word| word.parse().map_err(|_| word.to_owned()));
        sides.collect::<Result<_, _>>().map(Self)
    }

    /// One entry a side.
    pub fn sides(&self) -> &[Side] {
        &self.0
    }

    /// (fan-in, fan-out) of a tensor of `shape`, 1 where no side counts; `None` if the product is too
    /// large for a number.
    pub fn fans(&self, shape: &[usize]) -> Option<(usize, usize)> {
        let product = |counted: &[Side]| {
            let sides = self.0.iter().zip(shape);
            sides
                .filter(|(side, _)| counted.contains(side))
                .try_fold(1usize, |product, (_, length)| product.checked_mul(*length))
        };
        Some((product(&[Side::In, Side::Kernel])?, product(&[Side::Out])?))
    }

    /// The role of a tensor whose `growing` sides grow (METHOD section 1).
    pub fn role(&self, growing: &[bool]) -> Role {
        let grows = |counted: Side| {
            let mut sides = self.0.iter().zip(growing);
            sides.any(|(side, grows)| *side == counted && *grows)
        };
        match (grows(Side::In), grows(Side::Out)) {
            (false, true) => Role::Input,
            (true, true) => Role::Hidden,
            (true, false) => Role::Output,
            (false, false) => Role::Fixed,
        }
    }

    /// The first side that grows and should not.
    pub fn forbidden_growth(&self, growing: &[bool]) -> Option<(usize, Side)> {
        let sides = self.0.iter().zip(growing).enumerate();
        let mut forbidden = sides
            .filter(|(_, (side, grows))| **grows && matches!(side, Side::Kernel | Side::Stack));
        forbidden.next().map(|(index, (side, _))| (index, *side))
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        let words: Vec<String> = self.0.iter().map(Side::to_string).collect();
        formatter.write_str(&words.join(" "))
    }
}
