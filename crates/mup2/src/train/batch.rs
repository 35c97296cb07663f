//! A batch of images on the device, and the loss on it.

use crate::data::{Dataset, Images};
use crate::model::{Network, Pass};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// One batch on the device.
pub(crate) struct Batch {
    images: Tensor<4>,
    labels: Tensor<2, Int>,
}

impl Batch {
    pub fn new(
        images: &Images,
        labels: &[u16],
        indices: &[usize],
        data: &Dataset,
        device: &Device,
    ) -> Self {
        let mut pixels = Vec::new();
        images.gather(indices, &data.normalization, &mut pixels);
        let labels: Vec<i64> = indices
            .iter()
            .map(|&index| i64::from(labels[index]))
            .collect();
        let count = indices.len();
        let shape = images.shape;
        let shape = [count, shape.channels, shape.height, shape.width];
        Self {
            images: Tensor::from_data(TensorData::new(pixels, shape), device),
            labels: Tensor::from_data(TensorData::new(labels, [count, 1]), device),
        }
    }

    /// Mean cross-entropy and its gradients.
    pub fn gradient(&self, model: &Network, pass: &mut Pass) -> (Tensor<1>, GradientsParams) {
        let logits = model.forward(self.images.clone(), pass);
        let log_likelihood = log_softmax(logits, 1).gather(1, self.labels.clone());
        let loss = log_likelihood.mean().neg();
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        (loss, gradients)
    }

    /// A forward pass alone; `model` should carry no graph.
    pub fn forward(&self, model: &Network, pass: &mut Pass) {
        model.forward(self.images.clone().without_autodiff(), pass);
    }
}
