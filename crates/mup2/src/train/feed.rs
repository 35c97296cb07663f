//! From the bytes of a batch to what a step computes with: augmented, mixed, in parts.

use super::batch::Batch;
use crate::config::RunSpec;
use crate::data::{Augmenter, Dataset, ImageBatch, Mixer, noisy_labels};
use crate::error::Result;
use crate::model::{BatchStatistics, Network, Pass};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};

/// Everything that stands between the dataset and a step of one run.
pub(super) struct Feed<'a> {
    data: &'a Dataset,
    labels: Vec<u16>,
    augmenter: Augmenter,
    mixer: Option<Mixer>,
    smoothing: f64,
    parts: usize,
    seed: u64,
    device: Device,
}

impl<'a> Feed<'a> {
    /// # Errors
    /// When the augmentation does not suit the images.
    pub fn new(spec: &RunSpec, data: &'a Dataset, device: &Device) -> Result<Self> {
        let shape = data.train.shape;
        let noise = spec.data.label_noise;
        Ok(Self {
            labels: noisy_labels(&data.train.labels, data.classes, noise, spec.seed),
            augmenter: Augmenter::new(&spec.augment, shape, &data.normalization, spec.seed)?,
            mixer: Mixer::new(&spec.augment, shape, spec.seed)?,
            smoothing: spec.train.label_smoothing,
            parts: spec.train.micro_batches,
            seed: spec.seed,
            device: device.clone(),
            data,
        })
    }

    /// The training labels, with their noise.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The batch of a step; epochs and steps count from 0 over the whole run.
    pub fn batch(&self, mut loaded: ImageBatch, epoch: u64, step: u64) -> StepBatch {
        self.augmenter
            .apply(&mut loaded.pixels, loaded.indices, epoch);
        let shape = self.data.train.shape;
        let mut pixels = Vec::new();
        self.data
            .normalization
            .apply(&loaded.pixels, shape, &mut pixels);
        let labels = loaded.indices.iter().map(|&index| self.labels[index]);
        let labels: Vec<u16> = labels.collect();
        let shares = self.shares(&labels, &mut pixels, step);
        let size = labels.len() / self.parts;
        let parts = (0..self.parts).map(|part| {
            let from = part * size;
            // The one part of an undivided batch is the whole buffer, which is not copied.
            let rest = pixels.split_off(size * shape.values());
            let pixels = std::mem::replace(&mut pixels, rest);
            match &shares {
                None => Batch::labelled(pixels, shape, &labels[from..][..size], &self.device),
                Some(shares) => {
                    let classes = self.data.classes;
                    let shares = &shares[from * classes..][..size * classes];
                    Batch::shared(pixels, shape, shares, classes, &self.device)
                }
            }
        });
        StepBatch {
            seen: (0..self.parts).map(|_| None).collect(),
            parts: parts.collect(),
            seed: self.seed,
            step,
        }
    }

    /// Mixes the images, and gives each its share of every class; none where each has one class.
    fn shares(&self, labels: &[u16], pixels: &mut [f32], step: u64) -> Option<Vec<f32>> {
        let classes = self.data.classes;
        let mut shares = Vec::new();
        if let Some(mixer) = &self.mixer {
            let mixing = mixer.draw(step, labels.len());
            mixing.apply(pixels);
            mixing.targets(labels, classes, &mut shares);
        } else if self.smoothing > 0.0 {
            shares.resize(labels.len() * classes, 0.0);
            for (row, &label) in shares.chunks_exact_mut(classes).zip(labels) {
                row[usize::from(label)] = 1.0;
            }
        } else {
            return None;
        }
        let everywhere = self.smoothing / classes as f64;
        for share in &mut shares {
            *share = ((1.0 - self.smoothing) * f64::from(*share) + everywhere) as f32;
        }
        Some(shares)
    }
}

/// The parts of one step's batch, and what batch normalization saw of each.
pub(super) struct StepBatch {
    parts: Vec<Batch>,
    seen: Vec<Option<Vec<BatchStatistics>>>,
    seed: u64,
    step: u64,
}

impl StepBatch {
    /// Number of parts.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Mean loss and its gradients over the whole batch.
    pub fn gradient(&mut self, model: &Network) -> (Tensor<1>, GradientsParams) {
        let (first, gradients) = self.part_gradient(model, 0);
        if self.parts.len() == 1 {
            return (first, gradients);
        }
        let mut sum = GradientsAccumulator::new();
        sum.accumulate(model, gradients);
        let mut loss = first;
        for part in 1..self.parts.len() {
            let (more, gradients) = self.part_gradient(model, part);
            sum.accumulate(model, gradients);
            loss = loss + more;
        }
        let share = 1.0 / self.parts.len() as f64;
        let gradients = crate::step::scale_gradients(model, sum.grads(), share);
        (loss.mul_scalar(share), gradients)
    }

    /// Mean loss and its gradients over one part.
    ///
    /// The statistics of batch normalization are those of the weights, not of the perturbed ones:
    /// only the first pass over a part moves them.
    pub fn part_gradient(&mut self, model: &Network, part: usize) -> (Tensor<1>, GradientsParams) {
        // Parts have masks of their own, the passes over one part have the same.
        let place = self.step * self.parts.len() as u64 + part as u64;
        let mut pass = Pass::training(self.seed, place);
        if self.seen[part].is_some() {
            return self.parts[part].gradient(model, &mut pass);
        }
        let mut pass = pass.observing();
        let gradient = self.parts[part].gradient(model, &mut pass);
        self.seen[part] = Some(pass.into_statistics());
        gradient
    }

    /// What the first passes saw, part by part.
    pub fn into_statistics(self) -> Vec<Vec<BatchStatistics>> {
        self.seen.into_iter().flatten().collect()
    }
}
