//! Batches of pixels in the order of a permutation, decoded before they are asked for.

use std::collections::VecDeque;

use super::decode_pool::Pending;
use super::files::collect;
use super::images::Images;
use crate::error::Result;

/// Batches ahead that keep the dataset's threads busy while a step is computed.
pub const BATCHES_AHEAD: usize = 2;

/// The pixels of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageBatch<'a> {
    /// Which images they are.
    pub indices: &'a [usize],
    /// `indices.len()` · channels · height · width values, 0 to 255, in that order of axes: to be
    /// augmented in place, and then to be given to [`super::Normalization::apply`].
    pub pixels: Vec<u8>,
}

/// An iterator over the pixels of batches, in order.
///
/// For images on disk, the dataset's threads decode the next `ahead` batches while the caller works
/// on the last one. At most `ahead` + 1 batches are in memory: `ahead` that are decoded or being
/// decoded, and the one that is handed out (one more if the caller keeps that while it asks for the
/// next). To it each thread adds the image that it is at: the file, the decoded image and the
/// resized one. For images in memory nothing is done ahead, as a batch is a copy.
///
/// It has no threads of its own. When it is dropped in the middle of an epoch, files that no thread
/// has begun are not decoded, and what is decoded is freed.
///
/// ```no_run
/// # use mup2_train::data::{BATCHES_AHEAD, BatchOrder, DataSpec, Loader, load};
/// # fn train_on(_: &[f32], _: &[usize]) {}
/// # fn main() -> mup2_scaling::error::Result<()> {
/// let data = load(&DataSpec::default())?;
/// let order = BatchOrder::new(0, data.train.len(), 64)?;
/// let permutation = order.epoch(0);
/// let mut values = Vec::new();
/// for batch in Loader::new(&data.train, order.batches(&permutation), BATCHES_AHEAD) {
///     let batch = batch?;
///     // Augmentation, if any, changes `batch.pixels` here.
///     data.normalization.apply(&batch.pixels, data.train.shape, &mut values);
///     train_on(&values, batch.indices);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Loader<'a, Batches> {
    images: &'a Images,
    batches: Batches,
    ahead: usize,
    begun: VecDeque<(&'a [usize], Pending<Vec<u8>>)>,
}

impl<'a, Batches: Iterator<Item = &'a [usize]>> Loader<'a, Batches> {
    /// Loads `batches` of indices into `images`, up to `ahead` of them before they are asked for. 0
    /// decodes each batch, in parallel, when it is asked for.
    ///
    /// # Panics
    /// Here or in [`Iterator::next`], if an index is not below [`Images::len`].
    pub fn new(
        images: &'a Images,
        batches: impl IntoIterator<IntoIter = Batches>,
        ahead: usize,
    ) -> Self {
        let mut loader = Self {
            images,
            batches: batches.into_iter(),
            ahead,
            begun: VecDeque::new(),
        };
        loader.begin(ahead);
        loader
    }

    /// Sees to it that `wanted` batches are begun, where the images are on disk.
    fn begin(&mut self, wanted: usize) {
        let Some(files) = self.images.files() else {
            return;
        };
        while self.begun.len() < wanted {
            let Some(indices) = self.batches.next() else {
                return;
            };
            self.begun.push_back((indices, files.begin(indices)));
        }
    }

    fn next_from_disk(&mut self) -> Option<Result<ImageBatch<'a>>> {
        self.begin(self.ahead.max(1));
        let (indices, pending) = self.begun.pop_front()?;
        let mut pixels = Vec::new();
        let collected = collect(pending, self.images.shape, &mut pixels);
        self.begin(self.ahead);
        Some(collected.map(|()| ImageBatch { indices, pixels }))
    }
}

impl<'a, Batches: Iterator<Item = &'a [usize]>> Iterator for Loader<'a, Batches> {
    type Item = Result<ImageBatch<'a>>;

    /// The next batch, or the error that names the file for which there is none. The batches behind
    /// it can still be asked for.
    fn next(&mut self) -> Option<Self::Item> {
        if self.images.files().is_some() {
            return self.next_from_disk();
        }
        let indices = self.batches.next()?;
        let mut pixels = Vec::new();
        let filled = self.images.fill(indices, &mut pixels);
        Some(filled.map(|()| ImageBatch { indices, pixels }))
    }
}

#[cfg(test)]
#[path = "loader_tests.rs"]
mod tests;
