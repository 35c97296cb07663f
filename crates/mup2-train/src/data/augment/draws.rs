//! The draws that augmentations are made of.
//!
//! Written out, as in `data/order.rs`, so that a new version of `rand` cannot change them.

use std::ops::Range;

use rand::Rng;

/// A uniform draw from [0, 1): a multiple of 2⁻⁵³.
pub(super) fn unit(random: &mut impl Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A uniform draw from a range of reals.
pub(super) fn uniform(range: &Range<f64>, random: &mut impl Rng) -> f64 {
    range.start + (range.end - range.start) * unit(random)
}

/// `true` with probability ½.
pub(super) fn coin(random: &mut impl Rng) -> bool {
    random.next_u64() >> 63 == 1
}

#[cfg(test)]
mod tests {
    use super::{coin, uniform, unit};
    use crate::random::stream;

    #[test]
    fn draws_fill_the_unit_interval_evenly() {
        let mut random = stream(0, "test");
        let mut counts = [0_i32; 10];
        for _ in 0..100_000 {
            counts[(unit(&mut random) * 10.0) as usize] += 1;
        }
        // Five standard deviations of a count of 10,000.
        let even = |count: &i32| (count - 10_000).abs() < 500;
        assert!(counts.iter().all(even), "{counts:?}");
    }

    #[test]
    fn a_range_is_kept_and_its_middle_is_the_mean() {
        let mut random = stream(0, "test");
        let draws: Vec<f64> = (0..10_000)
            .map(|_| uniform(&(-1.0..3.0), &mut random))
            .collect();
        assert!(draws.iter().all(|draw| (-1.0..3.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 1.0).abs() < 0.06, "{mean}");
    }

    #[test]
    fn a_coin_falls_on_either_side_equally_often() {
        let mut random = stream(0, "test");
        let heads = (0..10_000).filter(|_| coin(&mut random)).count() as i32;
        assert!((heads - 5_000).abs() < 250, "{heads}");
    }
}
