//! Accuracy of a model on a split.

use crate::data::{BATCHES_AHEAD, Images, Loader, Normalization};
use crate::error::Result;
use crate::model::Mlp;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Images per forward pass: large enough for a full matrix product, small enough for a cache.
const EVALUATION_BATCH: usize = 256;

/// Share of `images` whose largest logit is the label, 0 to 1; absent for an empty split.
///
/// # Errors
/// When an image cannot be read or decoded.
pub fn accuracy(
    model: &Mlp,
    images: &Images,
    normalization: &Normalization,
    device: &Device,
) -> Result<Option<f64>> {
    if images.is_empty() {
        return Ok(None);
    }
    let model = model.valid();
    let indices: Vec<usize> = (0..images.len()).collect();
    let mut pixels = Vec::new();
    let mut correct = 0;
    for loaded in Loader::new(images, indices.chunks(EVALUATION_BATCH), BATCHES_AHEAD) {
        let loaded = loaded?;
        normalization.apply(&loaded.pixels, images.shape, &mut pixels);
        let batch = loaded.indices;
        let shape = [batch.len(), images.shape.values()];
        let x = Tensor::<2>::from_data(TensorData::new(std::mem::take(&mut pixels), shape), device);
        let predicted: Tensor<2, Int> = model.forward(x).argmax(1);
        let predicted = predicted.into_data();
        let labels = batch.iter().map(|&index| i64::from(images.labels[index]));
        correct += predicted
            .iter::<i64>()
            .zip(labels)
            .filter(|(p, l)| p == l)
            .count();
    }
    Ok(Some(correct as f64 / images.len() as f64))
}
