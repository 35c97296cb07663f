//! Accuracy of a model on a split.

use crate::data::{Images, Normalization};
use crate::model::{Network, Pass};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Images per forward pass: large enough for a full matrix product, small enough for a cache.
const EVALUATION_BATCH: usize = 256;

/// Share of `images` whose largest logit is the label, 0 to 1; absent for an empty split.
pub fn accuracy(
    model: &Network,
    images: &Images,
    normalization: &Normalization,
    device: &Device,
) -> Option<f64> {
    if images.is_empty() {
        return None;
    }
    let model = model.valid();
    let indices: Vec<usize> = (0..images.len()).collect();
    let mut pixels = Vec::new();
    let mut correct = 0;
    for batch in indices.chunks(EVALUATION_BATCH) {
        images.gather(batch, normalization, &mut pixels);
        let shape = images.shape;
        let shape = [batch.len(), shape.channels, shape.height, shape.width];
        let x = Tensor::<4>::from_data(TensorData::new(std::mem::take(&mut pixels), shape), device);
        let predicted: Tensor<2, Int> = model.forward(x, &mut Pass::evaluation()).argmax(1);
        let predicted = predicted.into_data();
        let labels = batch.iter().map(|&index| i64::from(images.labels[index]));
        correct += predicted
            .iter::<i64>()
            .zip(labels)
            .filter(|(p, l)| p == l)
            .count();
    }
    Some(correct as f64 / images.len() as f64)
}
