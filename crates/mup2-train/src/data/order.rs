//! What a seed decides about the data: the order of batches and which labels are wrong.
//!
//! The draws are written out here rather than taken from `rand`'s distributions, whose values may
//! change from one release to the next: a run must give the same result for years.

use rand::Rng;

use crate::error::{Error, Result};
use crate::random::stream;

/// The order in which a run sees its training images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOrder {
    seed: u64,
    examples: usize,
    batch_size: usize,
}

impl BatchOrder {
    /// The order of one seed over `examples` images in batches of `batch_size`.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless 1 ≤ `batch_size` ≤ `examples`.
    pub fn new(seed: u64, examples: usize, batch_size: usize) -> Result<Self> {
        if batch_size == 0 || batch_size > examples {
            return Err(Error::invalid(
                "train.batch_size",
                format!("{batch_size} with {examples} training images"),
                format!("1 to {examples}"),
            ));
        }
        Ok(Self {
            seed,
            examples,
            batch_size,
        })
    }

    /// The permutation of 0..examples for one epoch, counted from 0. Each epoch has its own
    /// random stream, so an epoch can be taken up again without replaying those before it.
    pub fn epoch(&self, epoch: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.examples).collect();
        shuffle(
            &mut order,
            &mut stream(self.seed, &format!("batch-order/epoch-{epoch}")),
        );
        order
    }

    /// The batches of one epoch's permutation, each of exactly `batch_size` indices. A last,
    /// shorter batch is dropped: its gradient would be noisier than the others', and the images in
    /// it differ from epoch to epoch.
    pub fn batches<'a>(&self, order: &'a [usize]) -> std::slice::ChunksExact<'a, usize> {
        order.chunks_exact(self.batch_size)
    }

    /// The number of batches, and so of steps, in an epoch.
    pub fn batches_per_epoch(&self) -> usize {
        self.examples / self.batch_size
    }
}

/// Copies `labels` with exactly round(`fraction` · N) of them, chosen uniformly, replaced by a
/// different class, chosen uniformly among the other `classes` − 1.
///
/// Under one seed the labels replaced at a small fraction are also replaced, by the same classes,
/// at every larger one. With fewer than 2 classes there is no different class and nothing changes;
/// a fraction outside 0 to 1 (which [`super::DataSpec::validate`] refuses) counts as the nearer
/// end.
pub fn noisy_labels(labels: &[u16], classes: usize, fraction: f64, seed: u64) -> Vec<u16> {
    let mut noisy = labels.to_vec();
    if classes < 2 {
        return noisy;
    }
    let count = (fraction.clamp(0.0, 1.0) * labels.len() as f64).round() as usize;
    let mut random = stream(seed, "label-noise");
    let mut indices: Vec<usize> = (0..labels.len()).collect();
    // The first `count` steps of a shuffle from the front, a new class drawn at each step.
    for place in 0..count.min(labels.len()) {
        let other = place + below(indices.len() - place, &mut random);
        indices.swap(place, other);
        let label = &mut noisy[indices[place]];
        let shift = 1 + below(classes - 1, &mut random);
        *label = ((usize::from(*label) + shift) % classes) as u16;
    }
    noisy
}

/// Shuffles uniformly (Fisher and Yates, from the front).
pub(super) fn shuffle(items: &mut [usize], random: &mut impl Rng) {
    for place in 0..items.len().saturating_sub(1) {
        let other = place + below(items.len() - place, random);
        items.swap(place, other);
    }
}

/// A uniform draw from 0..bound, without bias (Lemire 2019, "Fast random integer generation in an
/// interval"); 0 if `bound` is 0.
pub(super) fn below(bound: usize, random: &mut impl Rng) -> usize {
    let bound = bound as u64;
    loop {
        let product = u128::from(random.next_u64()) * u128::from(bound);
        let low = product as u64;
        if low >= bound || low >= bound.wrapping_neg().checked_rem(bound).unwrap_or(0) {
            return (product >> 64) as usize;
        }
    }
}

/// `samples` different indices below `count`, in ascending order, that depend on `seed` and `purpose` alone;
/// all of them if there are no more.
pub fn sample_indices(seed: u64, purpose: &str, count: usize, samples: usize) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..count).collect();
    if samples < count {
        shuffle(&mut indices, &mut stream(seed, purpose));
        indices.truncate(samples);
        indices.sort_unstable();
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::{BatchOrder, below, noisy_labels, sample_indices};
    use crate::random::stream;
    use proptest::prelude::*;

    #[test]
    fn a_batch_larger_than_the_training_set_is_an_error() {
        let message = BatchOrder::new(0, 10, 11).unwrap_err().to_string();
        assert!(message.contains("batch_size") && message.contains("1 to 10"));
        assert!(BatchOrder::new(0, 10, 0).is_err());
    }

    #[test]
    fn the_last_short_batch_is_dropped() {
        let order = BatchOrder::new(0, 10, 4).unwrap();
        let permutation = order.epoch(0);
        let batches: Vec<&[usize]> = order.batches(&permutation).collect();
        assert_eq!(batches, [&permutation[..4], &permutation[4..8]]);
        assert_eq!(order.batches_per_epoch(), 2);
    }

    #[test]
    fn orders_differ_between_epochs_and_between_seeds_only() {
        let order = |seed| BatchOrder::new(seed, 100, 10).unwrap();
        assert_eq!(order(1).epoch(3), order(1).epoch(3));
        assert_ne!(order(1).epoch(3), order(1).epoch(4));
        assert_ne!(order(1).epoch(3), order(2).epoch(3));
    }

    #[test]
    fn the_first_order_is_what_it_has_always_been() {
        // Printed by this code when it was written: a change here changes every published result.
        let first = BatchOrder::new(0, 8, 2).unwrap().epoch(0);
        assert_eq!(first, [4, 1, 6, 0, 2, 5, 3, 7]);
    }

    #[test]
    fn draws_below_a_bound_are_uniform() {
        let mut random = stream(0, "test");
        let mut counts = [0_i32; 7];
        for _ in 0..70_000 {
            counts[below(7, &mut random)] += 1;
        }
        // Five standard deviations of a count of 10,000.
        assert!(
            counts.iter().all(|count| (count - 10_000).abs() < 500),
            "{counts:?}"
        );
    }

    #[test]
    fn noise_is_spread_evenly_over_the_other_classes() {
        let noisy = noisy_labels(&[3; 9_000], 10, 1.0, 0);
        for class in (0..10).filter(|&class| class != 3) {
            let count = noisy.iter().filter(|&&label| label == class).count() as i64;
            assert!((count - 1_000).abs() < 150, "class {class}: {count}");
        }
    }

    #[test]
    fn more_noise_keeps_the_labels_that_less_noise_replaced() {
        let labels: Vec<u16> = (0..200).map(|index| index % 10).collect();
        let little = noisy_labels(&labels, 10, 0.1, 7);
        let much = noisy_labels(&labels, 10, 0.5, 7);
        for (index, &label) in labels.iter().enumerate() {
            assert!(little[index] == label || little[index] == much[index]);
        }
    }

    #[test]
    fn samples_are_different_indices_and_the_same_ones_every_time() {
        let samples = sample_indices(3, "test", 50, 20);
        assert_eq!(samples, sample_indices(3, "test", 50, 20));
        assert!(samples.windows(2).all(|pair| pair[0] < pair[1]) && samples[19] < 50);
        assert_ne!(samples, sample_indices(4, "test", 50, 20));
        assert!(sample_indices(3, "test", 5, 20).into_iter().eq(0..5));
    }

    #[test]
    fn one_class_has_no_different_class() {
        assert_eq!(noisy_labels(&[0; 5], 1, 1.0, 0), [0; 5]);
    }

    proptest! {
        #[test]
        fn an_epoch_is_a_permutation(seed: u64, examples in 1_usize..300, epoch in 0_u64..50) {
            let mut order = BatchOrder::new(seed, examples, 1).unwrap().epoch(epoch);
            order.sort_unstable();
            prop_assert!(order.into_iter().eq(0..examples));
        }

        #[test]
        fn exactly_the_rounded_fraction_of_labels_is_replaced(
            seed: u64, classes in 2_u16..20, count in 0_usize..400, fraction in 0.0..=1.0
        ) {
            let labels: Vec<u16> = (0..count).map(|index| index as u16 % classes).collect();
            let noisy = noisy_labels(&labels, usize::from(classes), fraction, seed);
            let replaced = labels.iter().zip(&noisy).filter(|(old, new)| old != new).count();
            prop_assert_eq!(replaced, (fraction * count as f64).round() as usize);
            prop_assert!(noisy.iter().all(|&label| label < classes));
        }
    }
}
