//! A batch of images on the device, and the loss on it.

use crate::data::{Dataset, Images};
use crate::error::Result;
use crate::model::{Mlp, Trace};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// One batch on the device.
pub(crate) struct Batch {
    x: Tensor<2>,
    labels: Tensor<2, Int>,
}

impl Batch {
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
        let labels: Vec<i64> = indices
            .iter()
            .map(|&index| i64::from(labels[index]))
            .collect();
        let count = indices.len();
        let x = TensorData::new(pixels, [count, images.shape.values()]);
        Ok(Self {
            x: Tensor::from_data(x, device),
            labels: Tensor::from_data(TensorData::new(labels, [count, 1]), device),
        })
    }

    /// Mean cross-entropy and its gradients.
    pub fn gradient(&self, model: &Mlp) -> (Tensor<1>, GradientsParams) {
        self.gradient_traced(model, &mut Trace::off())
    }

    /// As [`Batch::gradient`], telling `trace` what the forward pass did.
    pub fn gradient_traced(&self, model: &Mlp, trace: &mut Trace) -> (Tensor<1>, GradientsParams) {
        let logits = model.forward_traced(self.x.clone(), trace);
        let log_likelihood = log_softmax(logits, 1).gather(1, self.labels.clone());
        let loss = log_likelihood.mean().neg();
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        (loss, gradients)
    }

    /// What a forward pass alone does; `model` should carry no graph.
    pub fn trace(&self, model: &Mlp) -> Trace {
        let mut trace = Trace::recording();
        model.forward_traced(self.x.clone().without_autodiff(), &mut trace);
        trace
    }
}
