//! What one pass over all pixels of a dataset finds: mean, deviation, digest.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::images::{ImageShape, Images};
use super::loader::Loader;
use super::normalization::{Normalization, PixelCounts};
use super::spec::{Corrupt, DataSpec, Storage};
use super::verified::hexadecimal;
use super::{LoadProgress, LoadStage};
use crate::error::Result;

/// What is measured of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Measures {
    /// Of the training images.
    pub normalization: Normalization,
    /// See [`super::Dataset::digest`].
    pub digest: String,
}

/// Bytes of pixels in one batch of the pass.
const BATCH_BYTES: usize = 1 << 24;
/// Images in one batch of the pass, at most.
const BATCH_IMAGES: usize = 256;
/// Batches that are decoded ahead: enough for many threads.
const AHEAD: usize = 3;

/// Measures the training, validation and test images, and gives the pixels to `keep`, batch by
/// batch, with the place of their split among the three.
pub(super) fn measure(
    classes: usize,
    splits: [&Images; 3],
    progress: &mut dyn FnMut(LoadProgress),
    mut keep: impl FnMut(usize, &[u8]),
) -> Result<Measures> {
    let total = splits.iter().map(|images| images.len()).sum();
    let mut done = 0;
    // Lengths come before what they count, so that no two datasets give the same bytes.
    let mut hash = Sha256::new();
    hash.update(b"mup2 dataset\0");
    hash.update((classes as u64).to_le_bytes());
    let mut counts = PixelCounts::new(splits[0].shape);
    for (split, images) in splits.into_iter().enumerate() {
        let ImageShape {
            channels,
            height,
            width,
        } = images.shape;
        for length in [images.len(), channels, height, width] {
            hash.update((length as u64).to_le_bytes());
        }
        for label in &images.labels {
            hash.update(label.to_le_bytes());
        }
        let batch = (BATCH_BYTES / images.shape.values()).clamp(1, BATCH_IMAGES);
        let all: Vec<usize> = (0..images.len()).collect();
        for batch in Loader::new(images, all.chunks(batch), AHEAD) {
            let batch = batch?;
            hash.update(&batch.pixels);
            if split == 0 {
                counts.add(&batch.pixels);
            }
            keep(split, &batch.pixels);
            done += batch.indices.len();
            progress(LoadProgress {
                stage: LoadStage::Decoding,
                done,
                total,
            });
        }
    }
    Ok(Measures {
        normalization: counts.normalization(),
        digest: hexadecimal(&hash.finalize()),
    })
}

/// What the measures of a folder of images depend on: its files, and the keys of the spec that decide
/// which of them are used and how.
pub(super) fn key(stamp: &[u8], spec: &DataSpec) -> Vec<u8> {
    let what_counts = DataSpec {
        path: None,
        label_noise: 0.0,
        storage: Storage::default(),
        corrupt: Corrupt::default(),
        decode_threads: None,
        ..spec.clone()
    };
    // A spec of these types is always valid JSON.
    let spec = serde_json::to_vec(&what_counts).unwrap_or_default();
    [stamp, &spec].concat()
}
