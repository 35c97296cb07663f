use super::crop::{Offset, crop};
use super::rand_augment::{Action, Operation};
use super::{AugmentSpec, ImageShape};
use super::{Augmenter, Normalization, RandAugment, Region};
use crate::data::Images;
use crate::random::stream;
use proptest::prelude::*;
use rand::Rng;

const SHAPE: ImageShape = ImageShape {
    channels: 3,
    height: 12,
    width: 10,
};

fn photographs(count: usize) -> Images {
    let mut random = stream(0, "test images");
    let pixels = (0..count * SHAPE.values())
        .map(|_| (random.next_u32() >> 24) as u8)
        .collect();
    Images::new(pixels, vec![0; count], SHAPE).unwrap()
}

fn batch(images: &Images, indices: &[usize]) -> Vec<u8> {
    let mut pixels = Vec::new();
    images.fill(indices, &mut pixels).unwrap();
    pixels
}

fn everything() -> AugmentSpec {
    AugmentSpec {
        crop_padding: 2,
        flip: true,
        rand_augment: Some(RandAugment::default()),
        cutout: 3,
        random_erasing: 0.5,
        ..AugmentSpec::default()
    }
}

fn augmenter(spec: &AugmentSpec, seed: u64, images: &Images) -> Augmenter {
    Augmenter::new(
        spec,
        images.shape,
        &Normalization::of(images).unwrap(),
        seed,
    )
    .unwrap()
}

fn augmented(augmenter: &Augmenter, images: &Images, epoch: u64, sample: usize) -> Vec<u8> {
    let values = images.shape.values();
    let mut out = vec![1; values];
    let image = &images.in_memory().unwrap()[sample * values..][..values];
    augmenter.augment(image, epoch, sample, &mut out);
    out
}

#[test]
fn what_becomes_of_an_image_does_not_depend_on_order_or_threads() {
    let images = photographs(24);
    let augmenter = augmenter(&everything(), 5, &images);
    let all = |samples: &mut dyn Iterator<Item = usize>| -> Vec<(usize, Vec<u8>)> {
        let of = |sample| (sample, augmented(&augmenter, &images, 3, sample));
        samples.map(of).collect()
    };
    let forwards = all(&mut (0..24));
    let mut backwards = all(&mut (0..24).rev());
    backwards.reverse();
    assert_eq!(forwards, backwards);
    for workers in [1, 2, 5] {
        let mut found: Vec<(usize, Vec<u8>)> = std::thread::scope(|scope| {
            let all = &all;
            let started: Vec<_> = (0..workers)
                .map(|worker| scope.spawn(move || all(&mut (worker..24).step_by(workers))))
                .collect();
            let parts = started.into_iter().map(|part| part.join().unwrap());
            parts.flatten().collect()
        });
        found.sort();
        assert_eq!(found, forwards, "{workers} threads");
    }
}

#[test]
fn seed_epoch_and_sample_each_change_what_becomes_of_an_image() {
    let images = photographs(1).select(&[0, 0]);
    let of = |seed, epoch, sample| {
        let augmenter = augmenter(&everything(), seed, &images);
        augmented(&augmenter, &images, epoch, sample)
    };
    assert_ne!(of(1, 0, 0), of(2, 0, 0));
    assert_ne!(of(1, 0, 0), of(1, 1, 0));
    assert_ne!(of(1, 0, 0), of(1, 0, 1));
    // (1, 11) and (11, 1) must not be one purpose.
    let augmenter = augmenter(&everything(), 0, &images);
    let image = &images.in_memory().unwrap()[..SHAPE.values()];
    let mut outs = [vec![0; SHAPE.values()], vec![0; SHAPE.values()]];
    augmenter.augment(image, 1, 11, &mut outs[0]);
    augmenter.augment(image, 11, 1, &mut outs[1]);
    assert_ne!(outs[0], outs[1]);
}

#[test]
fn the_first_draws_are_what_they_have_always_been() {
    // Printed by this code when it was written: a change here, in a draw or in the name of its
    // stream, changes every augmented result.
    let offset = Offset {
        down: -2,
        right: -2,
    };
    let actions = [
        Action::TranslateY(-3),
        Action::TranslateY(3),
        Action::Rotate(20.0),
        Action::Colour(0.4),
    ];
    let square = Region {
        top: 2,
        left: 5,
        height: 4,
        width: 4,
    };
    let erased = Region {
        top: 3,
        left: 2,
        height: 6,
        width: 4,
    };
    let mut random = stream(0, "augment/0/0/rand-augment");
    let rand_augment = RandAugment {
        operations: 4,
        magnitude: 20,
    };
    assert_eq!(rand_augment.draw(SHAPE, &mut random), actions);

    let images = photographs(1);
    let image = images.in_memory().unwrap();
    let mean = augmenter(&AugmentSpec::default(), 0, &images).mean;
    let changed = |change: &dyn Fn(&mut [u8])| {
        let mut out = image.to_vec();
        change(&mut out);
        out
    };
    let cropped = |offset, flip| changed(&|out| crop(image, SHAPE, offset, flip, out));
    for (text, expected) in [
        ("crop_padding = 4", cropped(offset, false)),
        ("flip = true", cropped(Offset::default(), true)),
        (
            "rand_augment = { operations = 4, magnitude = 20 }",
            changed(&|out| actions.iter().for_each(|action| action.apply(out, SHAPE))),
        ),
        ("cutout = 4", changed(&|out| square.fill(out, SHAPE, &mean))),
        (
            "random_erasing = 1.0",
            changed(&|out| erased.fill(out, SHAPE, &mean)),
        ),
    ] {
        let augmenter = augmenter(&toml::from_str(text).unwrap(), 0, &images);
        assert_eq!(augmented(&augmenter, &images, 0, 0), expected, "{text}");
    }
}

#[test]
fn turning_cutout_on_leaves_crop_and_flip_as_they_were() {
    let images = photographs(16);
    let without = AugmentSpec {
        crop_padding: 3,
        flip: true,
        ..AugmentSpec::default()
    };
    let with = AugmentSpec {
        cutout: 5,
        ..without.clone()
    };
    let (without, with) = (
        augmenter(&without, 0, &images),
        augmenter(&with, 0, &images),
    );
    for sample in 0..16 {
        let before = augmented(&without, &images, 0, sample);
        let after = augmented(&with, &images, 0, sample);
        let changed = |plane: usize| {
            let plane = plane * SHAPE.plane()..(plane + 1) * SHAPE.plane();
            let pairs = before[plane.clone()].iter().zip(&after[plane]);
            pairs.filter(|(before, after)| before != after).count()
        };
        assert!(changed(0) > 0 && changed(0) <= 25, "{}", changed(0));
    }
}

#[test]
fn without_augmentation_batches_are_those_of_the_images_bit_for_bit() {
    let images = photographs(6);
    let expected = batch(&images, &[4, 0, 5]);
    let mut found = expected.clone();
    let nothing = augmenter(&AugmentSpec::default(), 0, &images);
    nothing.apply(&mut found, &[4, 0, 5], 7);
    assert_eq!(found, expected);
}

#[test]
fn an_image_is_augmented_by_its_place_in_the_training_set_not_in_the_batch() {
    let images = photographs(6);
    let augmenter = augmenter(&everything(), 0, &images);
    let (mut one, mut other) = (batch(&images, &[4, 2]), batch(&images, &[0, 2, 4]));
    augmenter.apply(&mut one, &[4, 2], 1);
    augmenter.apply(&mut other, &[0, 2, 4], 1);
    let values = SHAPE.values();
    assert_ne!(one, batch(&images, &[4, 2]));
    assert_eq!(one[..values], other[2 * values..]);
    assert_eq!(one[values..], other[values..2 * values]);
}

#[test]
fn half_of_the_images_are_flipped() {
    let images = photographs(2000);
    let flip = AugmentSpec {
        flip: true,
        ..AugmentSpec::default()
    };
    let augmenter = augmenter(&flip, 0, &images);
    let is_same = |&sample: &usize| {
        let image = &images.in_memory().unwrap()[sample * SHAPE.values()..][..SHAPE.values()];
        augmented(&augmenter, &images, 0, sample) == image
    };
    let same = (0..2000).filter(is_same).count() as i32;
    // Five standard deviations.
    assert!((same - 1000).abs() < 112, "{same}");
}

#[test]
fn all_crops_of_the_padded_image_are_drawn_equally_often() {
    let mut random = stream(0, "test");
    let mut counts = [[0_i32; 5]; 5];
    for _ in 0..25_000 {
        let Offset { down, right } = Offset::draw(2, &mut random);
        counts[(down + 2) as usize][(right + 2) as usize] += 1;
    }
    // Five standard deviations of a count of 1,000.
    let even = |count: &i32| (count - 1000).abs() < 158;
    assert!(counts.iter().flatten().all(even), "{counts:?}");
}

#[test]
fn all_operations_are_drawn_equally_often_and_in_both_directions() {
    let mut random = stream(0, "test");
    let spec = RandAugment {
        operations: 14,
        magnitude: 30,
    };
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..2000 {
        let actions = spec.draw(SHAPE, &mut random);
        assert_eq!(actions.len(), 14);
        for action in actions {
            *counts.entry(format!("{action:?}")).or_insert(0_i32) += 1;
        }
    }
    // Nine operations have two directions.
    assert_eq!(counts.len(), Operation::ALL.len() + 9, "{counts:?}");
    for (action, count) in counts {
        let far = (count - 2000).abs().min((count - 1000).abs());
        assert!(far < 220, "{action}: {count}");
    }
}

#[test]
fn cutout_sets_a_square_to_the_mean_and_may_leave_the_image() {
    let mut random = stream(0, "test");
    let mut total = 0;
    let mut smallest = usize::MAX;
    for _ in 0..20_000 {
        let square = Region::around_a_pixel(5, 5, SHAPE, &mut random);
        assert!(square.height <= 5 && square.width <= 5);
        assert!(square.top + square.height <= SHAPE.height);
        assert!(square.left + square.width <= SHAPE.width);
        total += square.area();
        smallest = smallest.min(square.area());
    }
    // A side of 5 around each of n pixels loses 2 · (1 + 2) pixels in all: (5 − 6/12) (5 − 6/10).
    assert!((total as f64 / 20_000.0 - 4.5 * 4.4).abs() < 0.2, "{total}");
    // In a corner three of the five rows and columns remain.
    assert_eq!(smallest, 9);

    let images = photographs(1);
    let cutout = AugmentSpec {
        cutout: 5,
        ..AugmentSpec::default()
    };
    let augmenter = augmenter(&cutout, 0, &images);
    let after = augmented(&augmenter, &images, 0, 0);
    let mut values = vec![];
    Normalization::of(&images)
        .unwrap()
        .apply(&after, SHAPE, &mut values);
    let std = Normalization::of(&images).unwrap().std;
    for (channel, std) in std.into_iter().enumerate() {
        let plane = channel * SHAPE.plane()..(channel + 1) * SHAPE.plane();
        let mean = augmenter.mean[channel];
        for at in plane {
            if after[at] != images.in_memory().unwrap()[at] {
                assert_eq!(after[at], mean);
                // The mean, rounded to a pixel value, is nearly 0 after normalization.
                assert!(f64::from(values[at]).abs() <= 0.5 / 255.0 / std + 1e-6);
            }
        }
    }
}

#[test]
fn erased_rectangles_have_the_shares_and_shapes_of_torchvisions_defaults() {
    let shape = ImageShape {
        channels: 3,
        height: 224,
        width: 224,
    };
    let mut random = stream(0, "test");
    let mut count = 0_i32;
    let (mut areas, mut aspects) = (0.0, 0.0);
    for _ in 0..8000 {
        let Some(region) = Region::to_erase(0.25, shape, &mut random) else {
            continue;
        };
        count += 1;
        assert!(region.top + region.height <= 224 && region.left + region.width <= 224);
        let area = region.area() as f64 / shape.plane() as f64;
        let aspect = region.height as f64 / region.width as f64;
        // Sides are rounded to pixels.
        assert!((0.0195..0.334).contains(&area), "{area}");
        assert!((0.29..3.4).contains(&aspect), "{aspect}");
        areas += area;
        aspects += aspect.ln();
    }
    // Five standard deviations each.
    assert!((count - 2000).abs() < 194, "{count}");
    assert!((areas / f64::from(count) - 0.175).abs() < 0.011, "{areas}");
    let middle = (0.3_f64.ln() + 3.3_f64.ln()) / 2.0;
    assert!((aspects / f64::from(count) - middle).abs() < 0.08);
}

#[test]
fn an_image_too_small_to_erase_from_stays_whole() {
    let shape = ImageShape {
        channels: 1,
        height: 1,
        width: 50,
    };
    let mut random = stream(0, "test");
    for _ in 0..100 {
        assert_eq!(Region::to_erase(1.0, shape, &mut random), None);
    }
}

proptest! {
    #[test]
    fn a_flip_undoes_a_flip_and_a_crop_of_no_offset_is_the_image(
        height in 1_usize..9, width in 1_usize..9, channels in 1_usize..4, seed: u64
    ) {
        let shape = ImageShape { channels, height, width };
        let mut random = stream(seed, "test");
        let image: Vec<u8> = (0..shape.values()).map(|_| random.next_u32() as u8).collect();
        let (mut once, mut twice) = (image.clone(), image.clone());
        crop(&image, shape, Offset::default(), true, &mut once);
        crop(&once, shape, Offset::default(), true, &mut twice);
        prop_assert_eq!(&twice, &image);
        crop(&image, shape, Offset::default(), false, &mut once);
        prop_assert_eq!(&once, &image);
        prop_assert_eq!(Offset::draw(0, &mut random), Offset::default());
    }

    #[test]
    fn any_offset_keeps_pixels_or_makes_them_black(
        down in -12_isize..12, right in -12_isize..12, flip: bool
    ) {
        let shape = ImageShape { channels: 2, height: 6, width: 5 };
        let image = vec![7; shape.values()];
        let mut out = vec![1; shape.values()];
        crop(&image, shape, Offset { down, right }, flip, &mut out);
        let kept = 6_usize.saturating_sub(down.unsigned_abs())
            * 5_usize.saturating_sub(right.unsigned_abs());
        prop_assert_eq!(out.iter().filter(|&&pixel| pixel == 7).count(), 2 * kept);
        prop_assert_eq!(out.iter().filter(|&&pixel| pixel == 0).count(), 2 * (30 - kept));
    }

    #[test]
    fn no_operation_leaves_an_image_of_any_shape_undefined(
        height in 1_usize..7, width in 1_usize..7, grey: bool, seed: u64
    ) {
        let shape = ImageShape { channels: if grey { 1 } else { 3 }, height, width };
        let mut random = stream(seed, "test");
        let image: Vec<u8> = (0..shape.values()).map(|_| random.next_u32() as u8).collect();
        for operation in Operation::ALL {
            for magnitude in [0, 9, 30] {
                for negative in [false, true] {
                    let mut out = image.clone();
                    operation.at(magnitude, negative, shape).apply(&mut out, shape);
                    prop_assert_eq!(out.len(), image.len());
                    // At magnitude 0 only these three do anything, solarize to pure white.
                    let acts = [Operation::AutoContrast, Operation::Equalize, Operation::Solarize];
                    if magnitude == 0 && !acts.contains(&operation) {
                        prop_assert_eq!(&out, &image, "{:?}", operation);
                    }
                }
            }
        }
    }
}
