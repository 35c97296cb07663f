//! Where one of mup2's tensors is found in a PyTorch state dictionary, and in which order.

use super::State;
use crate::checkpoint::Weights;
use crate::error::{Error, Result};

/// The order of a tensor's numbers on the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The same on both.
    Same,
    /// Ours `[fan_in, fan_out]`, PyTorch's `Linear` `[fan_out, fan_in]`. A convolution whose patches
    /// do not overlap, `[fan_out, channels, height, width]`, is such a matrix with its last three
    /// sides as one.
    Transposed,
}

/// One of mup2's tensors in a PyTorch state dictionary.
#[derive(Debug, Clone, PartialEq)]
pub struct StateEntry {
    /// Path in mup2's model.
    pub ours: String,
    /// Shape in mup2's model.
    pub shape: Vec<usize>,
    /// Name in the state dictionary.
    pub theirs: String,
    /// Shape in the state dictionary.
    pub their_shape: Vec<usize>,
    /// Which part of how many, along the first side: queries, keys and values are one tensor there.
    pub part: (usize, usize),
    /// The order of the numbers.
    pub layout: Layout,
}

impl StateEntry {
    /// Ours, out of theirs.
    ///
    /// # Errors
    /// When theirs has another shape.
    pub fn take(&self, theirs: &Weights) -> Result<Weights> {
        check(&self.theirs, theirs, &self.their_shape)?;
        let (index, parts) = self.part;
        let count = theirs.values.len() / parts.max(1);
        let part = &theirs.values[index * count..][..count];
        let values = match (self.layout, &self.shape[..]) {
            (Layout::Transposed, &[rows, columns]) => transposed(part, columns, rows),
            _ => part.to_vec(),
        };
        Ok(Weights {
            shape: self.shape.clone(),
            values,
        })
    }

    /// Puts ours into its part of theirs.
    ///
    /// # Errors
    /// When ours has another shape.
    pub fn put(&self, ours: &Weights, state: &mut State) -> Result<()> {
        check(&self.ours, ours, &self.shape)?;
        let theirs = state.entry(self.theirs.clone()).or_insert_with(|| Weights {
            shape: self.their_shape.clone(),
            values: vec![0.0; self.their_shape.iter().product()],
        });
        let (index, parts) = self.part;
        let count = theirs.values.len() / parts.max(1);
        let values = match (self.layout, &self.shape[..]) {
            (Layout::Transposed, &[rows, columns]) => transposed(&ours.values, rows, columns),
            _ => ours.values.clone(),
        };
        theirs.values[index * count..][..count].copy_from_slice(&values);
        Ok(())
    }
}

fn check(name: &str, tensor: &Weights, shape: &[usize]) -> Result<()> {
    if tensor.shape == shape && tensor.values.len() == shape.iter().product::<usize>() {
        return Ok(());
    }
    Err(Error::invalid(
        format!("weight `{name}`"),
        format!("has shape {:?}", tensor.shape),
        format!("the model's shape {shape:?}"),
    ))
}

/// A matrix of `rows` × `columns` with its sides exchanged.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let column = |column| (0..rows).map(move |row| values[row * columns + column]);
    (0..columns).flat_map(column).collect()
}
