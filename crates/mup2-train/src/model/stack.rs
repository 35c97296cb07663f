//! A stack: several trials of one shape as one model, for devices that a single trial leaves idle.
//!
//! Every parameter is the trials' own, one after the other along its first dimension: a weight `[inputs, outputs]`
//! becomes `[trials · inputs, outputs]`. One trial is the ordinary case, and no operation here changes it. What
//! flows through the layers is the trials' batches one after the other, or, between convolutions, the trials'
//! channels beside each other, as grouped convolutions have them.

use burn::tensor::Tensor;

/// `x` `[trials · rows, columns]` plus each trial's vector of `shift` `[trials · columns]`.
pub(super) fn add_to_rows(x: Tensor<2>, shift: Tensor<1>, trials: usize) -> Tensor<2> {
    if trials == 1 {
        return x + shift.unsqueeze();
    }
    let [rows, columns] = x.dims();
    let sum = by_trial(x, trials) + shift.reshape([trials, 1, columns]);
    sum.reshape([rows, columns])
}

/// `x` `[trials · rows, columns]` times each trial's vector of `factor` `[trials · columns]`.
pub(super) fn multiply_rows(x: Tensor<2>, factor: Tensor<1>, trials: usize) -> Tensor<2> {
    let [rows, columns] = x.dims();
    let product = by_trial(x, trials) * factor.reshape([trials, 1, columns]);
    product.reshape([rows, columns])
}

/// `[trials, rows, columns]`.
fn by_trial(x: Tensor<2>, trials: usize) -> Tensor<3> {
    let [rows, columns] = x.dims();
    x.reshape([trials, rows / trials.max(1), columns])
}

/// From batches one after the other, `[trials · batch, channels, …]`, to channels beside each other, `[batch,
/// trials · channels, …]`.
pub(super) fn beside(x: Tensor<4>, trials: usize) -> Tensor<4> {
    if trials == 1 {
        return x;
    }
    let [images, channels, height, width] = x.dims();
    let batch = images / trials;
    x.reshape([trials, batch, channels, height, width])
        .swap_dims(0, 1)
        .reshape([batch, trials * channels, height, width])
}

/// From channels beside each other, `[batch, trials · channels]`, to batches one after the other, `[trials ·
/// batch, channels]`.
pub(super) fn one_after_the_other(x: Tensor<2>, trials: usize) -> Tensor<2> {
    if trials == 1 {
        return x;
    }
    let [batch, all_channels] = x.dims();
    let channels = all_channels / trials;
    x.reshape([batch, trials, channels])
        .swap_dims(0, 1)
        .reshape([trials * batch, channels])
}
