use super::{AugmentSpec, ImageShape, Mixer, Mixing, MixingKind, Region};
use crate::random::stream;
use proptest::prelude::*;
use rand::Rng;

const SHAPE: ImageShape = ImageShape {
    channels: 2,
    height: 8,
    width: 6,
};

fn mixer(mixup: f64, cutmix: f64, seed: u64) -> Mixer {
    let spec = AugmentSpec {
        mixup,
        cutmix,
        ..AugmentSpec::default()
    };
    Mixer::new(&spec, SHAPE, seed).unwrap().unwrap()
}

fn noise(batch: usize, seed: u64) -> Vec<f32> {
    let mut random = stream(seed, "test");
    let draw = |_| (random.next_u32() >> 8) as f32 / (1 << 24) as f32 - 0.5;
    (0..batch * SHAPE.values()).map(draw).collect()
}

#[test]
fn nothing_is_mixed_unless_asked_for() {
    let none = Mixer::new(&AugmentSpec::default(), SHAPE, 0).unwrap();
    assert!(none.is_none());
    let wrong = AugmentSpec {
        mixup: -1.0,
        ..AugmentSpec::default()
    };
    assert!(Mixer::new(&wrong, SHAPE, 0).is_err());
}

#[test]
fn seed_and_step_decide_how_a_batch_is_mixed() {
    let draw = |seed, step| mixer(1.0, 0.0, seed).draw(step, 8);
    assert_eq!(draw(1, 3), draw(1, 3));
    assert_ne!(draw(1, 3), draw(2, 3));
    assert_ne!(draw(1, 3), draw(1, 4));
}

#[test]
fn the_first_mixing_is_what_it_has_always_been() {
    // Printed by this code when it was written: a change here changes every mixed result.
    let mixup = mixer(0.4, 0.0, 0).draw(1, 6);
    assert_eq!(mixup.partners(), [3, 2, 1, 4, 0, 5]);
    // The logarithms in it may differ in the last digit from one platform to the next.
    assert!(
        (mixup.own_share() - 0.717_837_124_223_603_9).abs() < 1e-12,
        "{}",
        mixup.own_share()
    );
    let cutmix = mixer(0.0, 1.0, 0).draw(0, 6);
    assert_eq!(
        cutmix.kind(),
        MixingKind::Cutmix(Region {
            top: 3,
            left: 3,
            height: 3,
            width: 2,
        })
    );
}

#[test]
fn shares_follow_the_beta_distribution() {
    // scripts/reference/augmentations.py, by SciPy 1.17.1: quantiles at 0.1, 0.25 and 0.4.
    let quantiles = [
        (
            0.2,
            [0.000_247_764_691_9, 0.023_814_718_77, 0.216_341_858_9],
        ),
        (1.0, [0.1, 0.25, 0.4]),
        (4.0, [0.278_602_048_6, 0.378_848_440_6, 0.453_895_711_9]),
    ];
    for (alpha, quantiles) in quantiles {
        let mixer = mixer(alpha, 0.0, 0);
        let shares: Vec<f64> = (0..10_000)
            .map(|step| mixer.draw(step, 1).own_share())
            .collect();
        for (quantile, probability) in quantiles.into_iter().zip([0.1, 0.25, 0.4]) {
            // The distribution is symmetric.
            let below = shares.iter().filter(|&&share| share < quantile).count();
            let above = shares
                .iter()
                .filter(|&&share| share > 1.0 - quantile)
                .count();
            for count in [below, above] {
                let far = (count as f64 - 10_000.0 * probability).abs();
                // Five standard deviations.
                let allowed = 5.0 * (10_000.0 * probability * (1.0 - probability)).sqrt();
                assert!(far < allowed, "α = {alpha}, {probability}: {count}");
            }
        }
    }
}

#[test]
fn with_both_on_half_of_the_batches_take_each() {
    let mixer = mixer(1.0, 1.0, 0);
    let is_mixup = |step: &u64| mixer.draw(*step, 2).kind() == MixingKind::Mixup;
    let count = (0..2000).filter(is_mixup).count() as i32;
    assert!((count - 1000).abs() < 112, "{count}");
}

#[test]
fn turning_cutmix_on_leaves_partners_and_shares_of_mixup_as_they_were() {
    let (alone, both) = (mixer(0.4, 0.0, 0), mixer(0.4, 1.0, 0));
    let draws = (0..50).map(|step| (alone.draw(step, 9), both.draw(step, 9)));
    let mut compared = 0;
    for (alone, both) in draws {
        assert_eq!(alone.partners(), both.partners());
        if both.kind() == MixingKind::Mixup {
            assert_eq!(alone, both);
            compared += 1;
        }
    }
    assert!(compared > 10);
}

#[test]
fn the_boxes_of_cutmix_have_the_area_that_the_paper_gives_them() {
    // A side of s times the image's, around a place drawn uniformly, keeps s (1 − s/4) on average;
    // 1 − s² is drawn from Beta(1, 1). So the mean of s² (1 − s/4)² is 1/2 − 1/5 + 1/48.
    let spec = AugmentSpec {
        cutmix: 1.0,
        ..AugmentSpec::default()
    };
    let large = ImageShape {
        channels: 1,
        height: 400,
        width: 300,
    };
    let mixer = Mixer::new(&spec, large, 0).unwrap().unwrap();
    let sum: f64 = (0..10_000)
        .map(|step| 1.0 - mixer.draw(step, 1).own_share())
        .sum();
    let (mean, expected) = (sum / 10_000.0, 0.5 - 0.2 + 1.0 / 48.0);
    assert!((mean - expected).abs() < 0.012, "{mean}");
}

proptest! {
    #[test]
    fn a_mixing_is_a_permutation_with_a_share_from_0_to_1(
        seed: u64, step in 0_u64..1000, size in 1_usize..40,
        mixup in prop_oneof![Just(0.01), Just(100.0), 0.01..3.0], both: bool
    ) {
        let mixing = mixer(mixup, if both { mixup } else { 0.0 }, seed).draw(step, size);
        let mut partners = mixing.partners().to_vec();
        partners.sort_unstable();
        prop_assert!(partners.into_iter().eq(0..size));
        prop_assert!((0.0..=1.0).contains(&mixing.own_share()));
    }

    #[test]
    fn mixed_targets_sum_to_1_and_keep_what_the_batch_has_of_each_class(
        seed: u64, labels in proptest::collection::vec(0_u16..5, 1..20), cutmix: bool
    ) {
        let mixer = if cutmix { mixer(0.0, 1.0, seed) } else { mixer(0.5, 0.0, seed) };
        let mixing = mixer.draw(0, labels.len());
        let mut targets = vec![9.0];
        mixing.targets(&labels, 5, &mut targets);
        prop_assert_eq!(targets.len(), 5 * labels.len());
        for row in targets.chunks_exact(5) {
            prop_assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            prop_assert!(row.iter().all(|&target| (0.0..=1.0 + 1e-6).contains(&target)));
        }
        for class in 0..5 {
            let mass: f32 = targets.iter().skip(class).step_by(5).sum();
            let count = labels.iter().filter(|&&label| usize::from(label) == class).count();
            prop_assert!((mass - count as f32).abs() < 1e-4);
        }
        for (row, label) in targets.chunks_exact(5).zip(mixing.labels(&labels)) {
            if label.own != label.partner {
                prop_assert_eq!(row[usize::from(label.own)], label.own_share as f32);
            }
        }
    }

    #[test]
    fn an_image_keeps_as_many_pixels_under_cutmix_as_its_label_says(seed: u64, batch in 1_usize..9) {
        let mixing = mixer(0.0, 1.0, seed).draw(0, batch);
        let before = noise(batch, seed);
        let mut after = before.clone();
        mixing.apply(&mut after);
        let values = SHAPE.values();
        for (image, &partner) in mixing.partners().iter().enumerate() {
            let own = &before[image * values..][..values];
            let other = &before[partner * values..][..values];
            let mixed = &after[image * values..][..values];
            let kept = mixed.iter().zip(own).filter(|(mixed, own)| mixed == own).count();
            for ((mixed, own), other) in mixed.iter().zip(own).zip(other) {
                prop_assert!(mixed == own || mixed == other);
            }
            if partner != image {
                // Two draws of 24 bits are hardly ever equal.
                let share = kept as f64 / values as f64;
                prop_assert!((share - mixing.own_share()).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn mixup_is_the_average_of_an_image_and_its_partner(seed: u64, batch in 1_usize..9) {
        let mixing: Mixing = mixer(1.0, 0.0, seed).draw(0, batch);
        let before = noise(batch, seed);
        let mut after = before.clone();
        mixing.apply(&mut after);
        let (values, share) = (SHAPE.values(), mixing.own_share());
        for (at, mixed) in after.iter().enumerate() {
            let other = mixing.partners()[at / values] * values + at % values;
            let expected = share * f64::from(before[at]) + (1.0 - share) * f64::from(before[other]);
            prop_assert!((f64::from(*mixed) - expected).abs() < 1e-6);
        }
    }
}
