//! The arithmetic of layers on the processor, where the engine's own is slow: plain `f32` slices, in
//! vectors as wide as the processor has.
//!
//! Every function runs on the thread that calls it, in one order: the same bits each time. Nothing
//! here knows of tensors or gradients' graphs; crate `mup2` makes operations of the engine of these.

mod activation;
mod blocks;
mod convolution;
mod cross_entropy;
mod gram;
mod linear;
mod normalization;
mod piece;
mod row_products;
mod scratch;
mod sums;
#[cfg(test)]
mod tests;
mod vector;

pub use activation::{
    add_relu, gelu, gelu_backward, relu, relu_backward, softmax, softmax_backward,
};
pub use convolution::{ConvolutionShape, backward_input, backward_weight, forward};
pub use cross_entropy::{cross_entropy, cross_entropy_backward};
pub use gram::gram_product;
pub use linear::{
    Descent, add_linear, descend, descend_with_velocity, input_gradient, linear, weight_gradient,
};
pub use normalization::{
    BatchNormalization, ChannelMap, channel_moments, map_channels, normalize_rows,
    normalize_rows_backward,
};
pub use row_products::{gram, row_products};
pub use sums::{add_scaled, inner_product, scale_and_add, squared_norm};
