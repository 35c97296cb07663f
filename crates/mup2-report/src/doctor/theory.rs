//! The theory of one scheme as the doctor reads it: which tensors grow or shrink, and by how much.

use super::finding::Evidence;
use super::words::{factor, shortened};
use mup2_scaling::number::trimmed;
use mup2_scaling::{ScalingTable, TensorScaling};

/// A network this many times as wide stands for "wide" where the sweep has the base width only.
const IMAGINED_RATIO: f64 = 16.0;
/// At most this many tensors are named in a sentence.
const NAMED_TENSORS: usize = 3;

/// The scaling of one scheme at its widest width.
#[derive(Debug, Clone, PartialEq)]
pub struct Theory {
    /// Name of the scheme, as the report has it.
    pub scheme: String,
    /// Width at which every multiplier is 1.
    pub base_width: usize,
    /// The widest width of the scheme in the sweep.
    pub width: usize,
    /// What [`scale`](mup2_scaling::scale) says of the scheme at `width`.
    pub table: ScalingTable,
}

impl Theory {
    /// Widest width over base width.
    pub(super) fn ratio(&self) -> f64 {
        if self.is_wider() {
            self.width as f64 / self.base_width as f64
        } else {
            IMAGINED_RATIO
        }
    }

    fn is_wider(&self) -> bool {
        self.width > self.base_width && self.base_width > 0
    }

    /// The widths between which factors are given, as in `from width 24 to width 384`.
    pub(super) fn span(&self) -> String {
        if self.is_wider() {
            format!("from width {} to {}", self.base_width, self.width)
        } else {
            format!(
                "in a network {} times as wide as {}",
                trimmed(IMAGINED_RATIO),
                self.base_width
            )
        }
    }
}

/// Tensors with one exponent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Growth {
    pub exponent: f64,
    pub tensors: Vec<String>,
}

impl Growth {
    /// `r^p`, from the base width to the widest.
    pub fn factor(&self, theory: &Theory) -> f64 {
        theory.ratio().powf(self.exponent)
    }

    /// The tensors as in running text.
    pub fn names(&self) -> String {
        shortened(&self.tensors, NAMED_TENSORS)
    }

    /// The factor as evidence; `what` is an update or a perturbation.
    pub fn evidence(&self, theory: &Theory, what: &str) -> Evidence {
        let value = self.factor(theory);
        Evidence::number(
            format!("effect of the {what} of {}", self.names()),
            value,
            format!("× {} (exponent {})", factor(value), trimmed(self.exponent)),
        )
    }
}

/// The tensors for which `exponent` gives a number, by that number, in the model's order.
pub(super) fn groups(
    theory: &Theory,
    exponent: impl Fn(&TensorScaling) -> Option<f64>,
) -> Vec<Growth> {
    let mut groups: Vec<Growth> = Vec::new();
    for tensor in &theory.table.tensors {
        let Some(exponent) = exponent(tensor) else {
            continue;
        };
        match groups.iter_mut().find(|group| group.exponent == exponent) {
            Some(group) => group.tensors.push(tensor.name.clone()),
            None => groups.push(Growth {
                exponent,
                tensors: vec![tensor.name.clone()],
            }),
        }
    }
    groups
}
