//! Accuracy of a model on a split.

use super::batch::{Batch, images_tensor};
use crate::data::{BATCHES_AHEAD, BatchOrder, Dataset, Images, Loader, Normalization};
use crate::error::Result;
use crate::model::{Network, Pass, RunningStatistics};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use std::collections::BTreeMap;
use std::ops::Range;

/// Images per forward pass: large enough for a full matrix product, small enough for a cache.
const EVALUATION_BATCH: usize = 256;
/// The same for each trial of a stack, which together make the product full.
const STACK_EVALUATION_BATCH: usize = 64;

/// Share of `images` whose largest logit is the label, 0 to 1; absent for an empty split.
///
/// # Errors
/// When an image cannot be read or decoded.
pub fn accuracy(
    model: &Network,
    images: &Images,
    normalization: &Normalization,
    device: &Device,
) -> Result<Option<f64>> {
    let batches = 0..evaluation_batches(images);
    let correct = correct(model, images, batches, normalization, device)?;
    Ok(share_of(correct, images))
}

/// As [`accuracy`], of each of the `trials` that `model` is a stack of.
///
/// # Errors
/// As [`accuracy`]'s.
pub(super) fn accuracies(
    model: &Network,
    trials: usize,
    images: &Images,
    normalization: &Normalization,
    device: &Device,
) -> Result<Vec<Option<f64>>> {
    let size = match trials {
        1 => EVALUATION_BATCH,
        _ => STACK_EVALUATION_BATCH,
    };
    let batches = 0..images.len().div_ceil(size);
    let images_in = Chunks {
        images,
        size,
        batches,
    };
    let counts = correct_of_trials(model, trials, &images_in, normalization, device)?;
    let counts = counts.into_iter();
    Ok(counts.map(|count| share_of(count, images)).collect())
}

/// `correct` images as a share of all; absent for an empty split.
pub(super) fn share_of(correct: usize, images: &Images) -> Option<f64> {
    (!images.is_empty()).then(|| correct as f64 / images.len() as f64)
}

/// Batches that a split is evaluated in.
pub(super) fn evaluation_batches(images: &Images) -> usize {
    images.len().div_ceil(EVALUATION_BATCH)
}

/// Images in those `batches` of a split whose largest logit is the label.
///
/// # Errors
/// When an image cannot be read or decoded.
pub(super) fn correct(
    model: &Network,
    images: &Images,
    batches: Range<usize>,
    normalization: &Normalization,
    device: &Device,
) -> Result<usize> {
    let size = EVALUATION_BATCH;
    let chunks = Chunks {
        images,
        size,
        batches,
    };
    let counts = correct_of_trials(model, 1, &chunks, normalization, device)?;
    Ok(counts.into_iter().sum())
}

/// Some of the batches that a split is divided into.
struct Chunks<'a> {
    images: &'a Images,
    size: usize,
    batches: Range<usize>,
}

fn correct_of_trials(
    model: &Network,
    trials: usize,
    chunks: &Chunks,
    normalization: &Normalization,
    device: &Device,
) -> Result<Vec<usize>> {
    let model = model.valid();
    let indices: Vec<usize> = (0..chunks.images.len()).collect();
    let mut pixels = Vec::new();
    let mut correct = vec![0; trials];
    let Chunks {
        images,
        size,
        batches,
    } = chunks;
    let chunks = indices.chunks(*size);
    let chunks = chunks.skip(batches.start).take(batches.len());
    for loaded in Loader::new(images, chunks, BATCHES_AHEAD) {
        let loaded = loaded?;
        normalization.apply(&loaded.pixels, images.shape, &mut pixels);
        let batch = loaded.indices;
        let pixels = std::mem::take(&mut pixels);
        let x = images_tensor(pixels, images.shape, batch.len(), device);
        let x = match trials {
            1 => x,
            // The trials of a stack see the same images, each by itself.
            _ => Tensor::cat(vec![x; trials], 0),
        };
        let predicted: Tensor<2, Int> = model.forward(x, &mut Pass::evaluation()).argmax(1);
        let predicted: Vec<i64> = predicted.into_data().iter::<i64>().collect();
        for (correct, predicted) in correct.iter_mut().zip(predicted.chunks(batch.len())) {
            let labels = batch.iter().map(|&index| i64::from(images.labels[index]));
            *correct += predicted
                .iter()
                .zip(labels)
                .filter(|(p, l)| *p == l)
                .count();
        }
    }
    Ok(correct)
}

/// Replaces the running statistics of `model` by the mean of those of `batches` training batches,
/// not augmented: the statistics of these very weights, where running ones are of the weights on
/// the way.
///
/// # Errors
/// When an image cannot be read or decoded.
pub(super) fn recalibrate(
    model: &mut Network,
    data: &Dataset,
    order: &BatchOrder,
    batches: usize,
    device: &Device,
) -> Result<()> {
    let permutation = order.epoch(0);
    let chosen = order.batches(&permutation).take(batches);
    let mut sums: BTreeMap<String, RunningStatistics> = BTreeMap::new();
    let evaluated = model.valid();
    let mut count = 0.0;
    for indices in chosen {
        let labels = &data.train.labels;
        let batch = Batch::new(&data.train, labels, indices, data, device)?;
        let mut pass = Pass::training(0, 0).without_masks().observing();
        batch.forward(&evaluated, &mut pass);
        for seen in pass.into_statistics() {
            let channels = seen.mean.len();
            let sum = sums.entry(seen.layer).or_insert_with(|| RunningStatistics {
                mean: vec![0.0; channels],
                variance: vec![0.0; channels],
            });
            let pairs = [
                (&mut sum.mean, &seen.mean),
                (&mut sum.variance, &seen.variance),
            ];
            for (sum, seen) in pairs {
                sum.iter_mut()
                    .zip(seen)
                    .for_each(|(sum, seen)| *sum += seen);
            }
        }
        count += 1.0;
    }
    for (layer, mut sum) in sums {
        for value in sum.mean.iter_mut().chain(&mut sum.variance) {
            *value /= count;
        }
        model.set_running_statistics(&layer, sum);
    }
    Ok(())
}
