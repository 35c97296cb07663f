//! A batch of images on the device, and the loss on it.

use crate::data::{Dataset, ImageShape, Images};
use crate::error::Result;
use crate::fused::cross_entropy;
use crate::ghost_norm::ModelGradients;
use crate::model::{Network, Pass};
use burn::tensor::{Device, Tensor, TensorData};

/// One batch on the device.
pub(crate) struct Batch {
    images: Tensor<4>,
    /// Shares of all classes, `[batch, classes]`, each row with the sum 1.
    targets: Tensor<2>,
    /// Trials whose batches these are, one after the other.
    trials: usize,
}

impl Batch {
    /// The images at `indices` as they are.
    ///
    /// # Errors
    /// When an image cannot be read or decoded.
    pub fn new(
        images: &Images,
        labels: &[u16],
        indices: &[usize],
        data: &Dataset,
        device: &Device,
    ) -> Result<Self> {
        let mut pixels = Vec::new();
        images.gather(indices, &data.normalization, &mut pixels)?;
        let labels = indices.iter().map(|&index| labels[index]);
        let shares = one_class_each(labels, data.classes);
        Ok(Self::shared(
            pixels,
            images.shape,
            shares,
            data.classes,
            device,
        ))
    }

    /// Normalized pixels, a row of channels · height · width an image, with a share of each of
    /// `classes`.
    pub fn shared(
        pixels: Vec<f32>,
        shape: ImageShape,
        shares: Vec<f32>,
        classes: usize,
        device: &Device,
    ) -> Self {
        let count = shares.len() / classes.max(1);
        let shares = TensorData::new(shares, [count, classes]);
        Self {
            images: images_tensor(pixels, shape, count, device),
            targets: Tensor::from_data(shares, device),
            trials: 1,
        }
    }

    /// The batch of a stack, made of a batch for each trial.
    pub fn stacked(batches: &[&Self]) -> Self {
        let images = batches.iter().map(|batch| batch.images.clone());
        let targets = batches.iter().map(|batch| batch.targets.clone());
        Self {
            images: Tensor::cat(images.collect(), 0),
            targets: Tensor::cat(targets.collect(), 0),
            trials: batches.len(),
        }
    }

    /// Mean cross-entropy, of each trial, and the gradients of the sum, which for each trial's own
    /// parameters are those of its own loss.
    pub fn gradient(&self, model: &Network, pass: &mut Pass) -> (Tensor<1>, ModelGradients) {
        let logits = model.forward(self.images.clone(), pass);
        let losses = cross_entropy(logits, self.targets.clone(), self.trials);
        let sum = match self.trials {
            1 => losses.clone(),
            _ => losses.clone().sum(),
        };
        (losses, pass.gradients(sum.backward(), model))
    }

    /// A forward pass alone; `model` should carry no graph.
    pub fn forward(&self, model: &Network, pass: &mut Pass) {
        model.forward(self.images.clone().without_autodiff(), pass);
    }
}

/// A row of `classes` for each of `labels`, all of whose share is the label's.
pub(super) fn one_class_each(
    labels: impl ExactSizeIterator<Item = u16>,
    classes: usize,
) -> Vec<f32> {
    let mut shares = vec![0.0; labels.len() * classes];
    for (row, label) in shares.chunks_exact_mut(classes.max(1)).zip(labels) {
        row[usize::from(label)] = 1.0;
    }
    shares
}

/// `[count, channels, height, width]`.
pub(super) fn images_tensor(
    pixels: Vec<f32>,
    shape: ImageShape,
    count: usize,
    device: &Device,
) -> Tensor<4> {
    let shape = [count, shape.channels, shape.height, shape.width];
    Tensor::from_data(TensorData::new(pixels, shape), device)
}
