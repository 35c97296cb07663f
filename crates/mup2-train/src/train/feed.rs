//! From the bytes of a batch to what a step computes with: augmented, mixed, in parts.

use super::batch::{Batch, one_class_each};
use super::share::Share;
use crate::config::RunSpec;
use crate::data::{Augmenter, Dataset, ImageBatch, Mixer, noisy_labels};
use crate::error::{Error, Result};
use crate::model::{BatchStatistics, Network, Pass};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use std::ops::Range;

/// Everything that stands between the dataset and a step of one run.
pub(super) struct Feed<'a> {
    data: &'a Dataset,
    labels: Vec<u16>,
    augmenter: Augmenter,
    mixer: Option<Mixer>,
    smoothing: f64,
    share: &'a Share<'a>,
    seed: u64,
    device: Device,
}

impl<'a> Feed<'a> {
    /// Feeds a process with its share of each batch.
    ///
    /// # Errors
    /// When the augmentation does not suit the images.
    pub fn new(
        spec: &RunSpec,
        data: &'a Dataset,
        share: &'a Share<'a>,
        device: &Device,
    ) -> Result<Self> {
        let shape = data.train.shape;
        let noise = spec.data.label_noise;
        Ok(Self {
            labels: noisy_labels(&data.train.labels, data.classes, noise, spec.seed),
            augmenter: Augmenter::new(&spec.augment, shape, &data.normalization, spec.seed)?,
            mixer: Mixer::new(&spec.augment, shape, spec.seed)?,
            smoothing: spec.train.label_smoothing,
            share,
            seed: spec.seed,
            device: device.clone(),
            data,
        })
    }

    /// The training labels, with their noise.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The parts of a batch that are loaded: this process's, or all where images take from others.
    fn loaded_parts(&self) -> Range<usize> {
        match self.mixer {
            Some(_) => 0..self.share.of(),
            None => self.share.parts(),
        }
    }

    /// The images of a batch that are loaded.
    pub fn loaded<'b>(&self, batch: &'b [usize]) -> &'b [usize] {
        let size = batch.len() / self.share.of();
        let parts = self.loaded_parts();
        &batch[parts.start * size..parts.end * size]
    }

    /// The batch of a step, of which the images that [`Feed::loaded`] names are loaded; epochs and
    /// steps count from 0 over the whole run.
    pub fn batch(&self, loaded: ImageBatch, epoch: u64, step: u64) -> StepBatch<'a> {
        // Parts have masks of their own, the passes over one part have the same.
        let place = |part: usize| step * self.share.of() as u64 + part as u64;
        let pass = |part| Pass::training(self.seed, place(part)).observing();
        let batches = self.parts(loaded, epoch, step).into_iter();
        StepBatch {
            parts: batches.zip(self.share.parts().map(pass)).collect(),
            share: self.share,
        }
    }

    /// This process's parts of the batch of a step.
    pub fn parts(&self, mut loaded: ImageBatch, epoch: u64, step: u64) -> Vec<Batch> {
        self.augmenter
            .apply(&mut loaded.pixels, loaded.indices, epoch);
        let shape = self.data.train.shape;
        let mut pixels = Vec::new();
        self.data
            .normalization
            .apply(&loaded.pixels, shape, &mut pixels);
        let labels = loaded.indices.iter().map(|&index| self.labels[index]);
        let labels: Vec<u16> = labels.collect();
        let (classes, shares) = (self.data.classes, self.shares(&labels, &mut pixels, step));
        let first_loaded = self.loaded_parts().start;
        let size = labels.len() / self.loaded_parts().len();
        pixels.drain(..(self.share.parts().start - first_loaded) * size * shape.values());
        let parts = self.share.parts().map(|part| {
            let from = (part - first_loaded) * size;
            // The one part of an undivided batch is the whole buffer, which is not copied.
            let rest = pixels.split_off(size * shape.values());
            let pixels = std::mem::replace(&mut pixels, rest);
            let shares = shares[from * classes..][..size * classes].to_vec();
            Batch::shared(pixels, shape, shares, classes, &self.device)
        });
        parts.collect()
    }

    /// Mixes the images, and gives each its share of every class.
    fn shares(&self, labels: &[u16], pixels: &mut [f32], step: u64) -> Vec<f32> {
        let classes = self.data.classes;
        let mut shares = Vec::new();
        if let Some(mixer) = &self.mixer {
            let mixing = mixer.draw(step, labels.len());
            mixing.apply(pixels);
            mixing.targets(labels, classes, &mut shares);
        } else {
            shares = one_class_each(labels.iter().copied(), classes);
        }
        if self.smoothing > 0.0 {
            let everywhere = self.smoothing / classes as f64;
            for share in &mut shares {
                *share = ((1.0 - self.smoothing) * f64::from(*share) + everywhere) as f32;
            }
        }
        shares
    }
}

/// This process's parts of one step's batch, each with what its passes share.
pub(super) struct StepBatch<'a> {
    parts: Vec<(Batch, Pass)>,
    share: &'a Share<'a>,
}

impl<'a> StepBatch<'a> {
    /// Whose parts they are.
    pub fn share(&self) -> &'a Share<'a> {
        self.share
    }

    /// The batch and its pass, where it has one part.
    pub fn whole(&mut self) -> Option<(&Batch, &mut Pass)> {
        match &mut self.parts[..] {
            [(batch, pass)] if self.share.of() == 1 => Some((batch, pass)),
            _ => None,
        }
    }

    /// Mean loss and its gradients over the whole batch, all processes together.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn gradient(&mut self, model: &Network) -> Result<(Tensor<1>, GradientsParams)> {
        let mut sum = GradientsAccumulator::new();
        let mut losses: Option<Tensor<1>> = None;
        for part in self.share.parts() {
            let (loss, gradients) = self.part_gradient(model, part)?;
            sum.accumulate(model, gradients);
            losses = Some(match losses {
                None => loss,
                Some(losses) => losses + loss,
            });
        }
        let loss = losses.ok_or_else(no_part)?;
        let (loss, sum) = self.share.sum(model, loss, sum.grads())?;
        let share = 1.0 / self.share.of() as f64;
        Ok((
            loss.mul_scalar(share),
            crate::step::scale_gradients(model, sum, share),
        ))
    }

    /// Mean loss and its gradients over one of this process's parts, counted over the whole batch.
    ///
    /// # Errors
    /// When it is none of this process's.
    pub fn part_gradient(
        &mut self,
        model: &Network,
        part: usize,
    ) -> Result<(Tensor<1>, GradientsParams)> {
        let own = part.checked_sub(self.share.parts().start);
        let own = own.and_then(|own| self.parts.get_mut(own));
        let (batch, pass) = own.ok_or_else(no_part)?;
        let (loss, gradients) = batch.gradient(model, pass);
        Ok((loss, gradients.into_dense()))
    }

    /// What the first passes saw, part by part.
    pub fn into_statistics(self) -> Vec<Vec<BatchStatistics>> {
        let passes = self.parts.into_iter().map(|(_, pass)| pass);
        passes.map(Pass::into_statistics).collect()
    }
}

fn no_part() -> Error {
    Error::invalid(
        "part of a batch",
        "is not of this process",
        "the parts of its share",
    )
}
