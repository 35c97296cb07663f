//! Products of a linear layer for a thin batch: so few rows that reading the weights is most of the work.
//!
//! `x` is `[rows, inputs]`, `w` `[inputs, outputs]` and `y` `[rows, outputs]`, all row by row. Each product
//! reads or writes the weights once, along their rows.

mod descend;
mod forward;
mod input_gradient;
mod panels;
mod sparse_gradient;
mod sparse_product;
mod tile;
mod weight_gradient;
mod zeros;

pub use descend::{Descent, descend, descend_with_velocity};
pub use forward::{add_linear, linear};
pub use input_gradient::input_gradient;
pub use weight_gradient::weight_gradient;

use std::ops::Range;

/// `count` in pieces of at most `most`.
fn pieces(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(most)
        .map(move |first| first..(first + most).min(count))
}
