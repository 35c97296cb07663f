//! A batch of images on the device, and the loss on it.

use crate::data::{Dataset, ImageShape, Images};
use crate::error::Result;
use crate::model::{Network, Pass};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// One batch on the device.
pub(crate) struct Batch {
    images: Tensor<4>,
    targets: Targets,
    /// Trials whose batches these are, one after the other.
    trials: usize,
}

/// What the network is to say of the images.
enum Targets {
    /// One class an image, `[batch, 1]`.
    Labels(Tensor<2, Int>),
    /// Shares of all classes, `[batch, classes]`, each row with the sum 1.
    Shares(Tensor<2>),
}

impl Targets {
    fn labels(&self) -> Option<Tensor<2, Int>> {
        match self {
            Self::Labels(labels) => Some(labels.clone()),
            Self::Shares(_) => None,
        }
    }

    fn shares(&self) -> Option<Tensor<2>> {
        match self {
            Self::Shares(shares) => Some(shares.clone()),
            Self::Labels(_) => None,
        }
    }
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
        let labels: Vec<u16> = indices.iter().map(|&index| labels[index]).collect();
        Ok(Self::labelled(pixels, images.shape, &labels, device))
    }

    /// Normalized pixels, a row of channels · height · width an image, with a class each.
    pub fn labelled(pixels: Vec<f32>, shape: ImageShape, labels: &[u16], device: &Device) -> Self {
        let count = labels.len();
        let labels: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
        let labels = Tensor::from_data(TensorData::new(labels, [count, 1]), device);
        Self {
            images: images_tensor(pixels, shape, count, device),
            targets: Targets::Labels(labels),
            trials: 1,
        }
    }

    /// As [`Batch::labelled`], with `classes` shares an image.
    pub fn shared(
        pixels: Vec<f32>,
        shape: ImageShape,
        shares: &[f32],
        classes: usize,
        device: &Device,
    ) -> Self {
        let count = shares.len() / classes.max(1);
        let shares = TensorData::new(shares.to_vec(), [count, classes]);
        Self {
            images: images_tensor(pixels, shape, count, device),
            targets: Targets::Shares(Tensor::from_data(shares, device)),
            trials: 1,
        }
    }

    /// The batch of a stack, made of a batch for each trial.
    pub fn stacked(batches: &[&Self]) -> Self {
        let images = batches.iter().map(|batch| batch.images.clone());
        let labels: Option<Vec<_>> = batches.iter().map(|batch| batch.targets.labels()).collect();
        let shares: Option<Vec<_>> = batches.iter().map(|batch| batch.targets.shares()).collect();
        let targets = match (labels, shares) {
            (Some(labels), _) => Targets::Labels(Tensor::cat(labels, 0)),
            (None, shares) => Targets::Shares(Tensor::cat(shares.unwrap_or_default(), 0)),
        };
        Self {
            images: Tensor::cat(images.collect(), 0),
            targets,
            trials: batches.len(),
        }
    }

    /// Mean cross-entropy, of each trial, and the gradients of the sum, which for each trial's own parameters
    /// are those of its own loss.
    pub fn gradient(&self, model: &Network, pass: &mut Pass) -> (Tensor<1>, GradientsParams) {
        let losses = self.losses(model.forward(self.images.clone(), pass));
        let sum = match self.trials {
            1 => losses.clone(),
            _ => losses.clone().sum(),
        };
        let gradients = GradientsParams::from_grads(sum.backward(), model);
        (losses, gradients)
    }

    /// `[trials]`.
    fn losses(&self, logits: Tensor<2>) -> Tensor<1> {
        let log_likelihood = log_softmax(logits, 1);
        let of_images = match &self.targets {
            Targets::Labels(labels) => log_likelihood.gather(1, labels.clone()),
            Targets::Shares(shares) => (log_likelihood * shares.clone()).sum_dim(1),
        };
        if self.trials == 1 {
            return of_images.mean().neg();
        }
        let [images, _] = of_images.dims();
        let by_trial = of_images.reshape([self.trials, images / self.trials]);
        by_trial.mean_dim(1).reshape([self.trials]).neg()
    }

    /// A forward pass alone; `model` should carry no graph.
    pub fn forward(&self, model: &Network, pass: &mut Pass) {
        model.forward(self.images.clone().without_autodiff(), pass);
    }
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
