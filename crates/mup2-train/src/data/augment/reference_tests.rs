//! Every operation against Pillow and NumPy: tests/fixtures/augmentations.json, written by
//! scripts/reference/augmentations.py.

use super::crop::{Offset, crop};
use super::mixing::{Mixing, MixingKind};
use super::rand_augment::{Action, Operation};
use super::{ImageShape, Region};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Fixture {
    images: BTreeMap<String, Image>,
    operations: Vec<OperationCase>,
    magnitudes: Magnitudes,
    crops: Vec<CropCase>,
    mixing: MixingCases,
}

#[derive(Deserialize)]
struct Image {
    shape: [usize; 3],
    pixels: String,
}

#[derive(Deserialize)]
struct OperationCase {
    image: String,
    operation: String,
    value: Option<f64>,
    pixels: String,
}

#[derive(Deserialize)]
struct Magnitudes {
    height: usize,
    width: usize,
    values: BTreeMap<String, Vec<f64>>,
}

#[derive(Deserialize)]
struct CropCase {
    image: String,
    down: isize,
    right: isize,
    flip: bool,
    pixels: String,
}

#[derive(Deserialize)]
struct MixingCases {
    shape: [usize; 4],
    pixels: Vec<f32>,
    partners: Vec<usize>,
    cases: Vec<MixingCase>,
}

#[derive(Deserialize)]
struct MixingCase {
    own_share: f64,
    #[serde(rename = "box")]
    region: Option<[usize; 4]>,
    pixels: Vec<f32>,
}

fn fixture() -> Fixture {
    let text = include_str!("../../../tests/fixtures/augmentations.json");
    serde_json::from_str(text).unwrap()
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks_exact(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

impl Image {
    fn shape(&self) -> ImageShape {
        let [channels, height, width] = self.shape;
        ImageShape {
            channels,
            height,
            width,
        }
    }
}

fn action(operation: &str, value: Option<f64>) -> Action {
    let value = value.unwrap_or(f64::NAN);
    match operation {
        "shear-x" => Action::ShearX(value),
        "shear-y" => Action::ShearY(value),
        "translate-x" => Action::TranslateX(value as i64),
        "translate-y" => Action::TranslateY(value as i64),
        "rotate" => Action::Rotate(value),
        "brightness" => Action::Brightness(value),
        "colour" => Action::Colour(value),
        "contrast" => Action::Contrast(value),
        "sharpness" => Action::Sharpness(value),
        "posterize" => Action::Posterize(value as u32),
        "solarize" => Action::Solarize(value),
        "auto-contrast" => Action::AutoContrast,
        "equalize" => Action::Equalize,
        other => panic!("{other}"),
    }
}

#[test]
fn every_operation_makes_the_pixels_that_pillow_makes() {
    let fixture = fixture();
    let mut changed = BTreeSet::new();
    for case in &fixture.operations {
        let image = &fixture.images[&case.image];
        let before = bytes(&image.pixels);
        let mut after = before.clone();
        let action = action(&case.operation, case.value);
        action.apply(&mut after, image.shape());
        assert_eq!(after, bytes(&case.pixels), "{action:?} of {}", case.image);
        if after != before {
            changed.insert(case.operation.as_str());
        }
    }
    // All but identity, and each with at least one case in which it does something.
    assert_eq!(changed.len(), Operation::ALL.len() - 1, "{changed:?}");
}

#[test]
fn magnitudes_are_torchvisions() {
    let table = fixture().magnitudes;
    let shape = ImageShape {
        channels: 3,
        height: table.height,
        width: table.width,
    };
    for operation in Operation::ALL {
        let name = match operation {
            Operation::Identity | Operation::AutoContrast | Operation::Equalize => continue,
            Operation::ShearX => "shear-x",
            Operation::ShearY => "shear-y",
            Operation::TranslateX => "translate-x",
            Operation::TranslateY => "translate-y",
            Operation::Rotate => "rotate",
            Operation::Brightness => "brightness",
            Operation::Colour => "colour",
            Operation::Contrast => "contrast",
            Operation::Sharpness => "sharpness",
            Operation::Posterize => "posterize",
            Operation::Solarize => "solarize",
        };
        assert_eq!(table.values[name].len(), 31, "{name}");
        for (magnitude, &expected) in table.values[name].iter().enumerate() {
            let close = |value: f64, expected: f64| {
                // torchvision's table is in single precision.
                assert!(
                    (value - expected).abs() < 2e-5,
                    "{name} at {magnitude}: {value}"
                );
            };
            match operation.at(magnitude, false, shape) {
                Action::Posterize(bits) => close(f64::from(bits), expected),
                Action::Solarize(threshold) => close(threshold, expected),
                _ => {
                    // The other direction is as far from nothing: from 0 or from a factor of 1.
                    let nothing = value(operation.at(0, false, shape));
                    close(value(operation.at(magnitude, false, shape)), expected);
                    let negative = value(operation.at(magnitude, true, shape));
                    close(negative, 2.0 * nothing - expected);
                }
            }
        }
    }
}

fn value(action: Action) -> f64 {
    match action {
        Action::ShearX(value)
        | Action::ShearY(value)
        | Action::Rotate(value)
        | Action::Brightness(value)
        | Action::Colour(value)
        | Action::Contrast(value)
        | Action::Sharpness(value) => value,
        Action::TranslateX(pixels) | Action::TranslateY(pixels) => pixels as f64,
        other => panic!("{other:?} has one direction"),
    }
}

#[test]
fn crops_and_flips_are_numpys() {
    let fixture = fixture();
    for case in &fixture.crops {
        let image = &fixture.images[&case.image];
        let before = bytes(&image.pixels);
        let mut after = vec![99; before.len()];
        let offset = Offset {
            down: case.down,
            right: case.right,
        };
        crop(&before, image.shape(), offset, case.flip, &mut after);
        assert_eq!(after, bytes(&case.pixels), "{offset:?} {}", case.flip);
    }
}

#[test]
fn mixed_batches_are_numpys() {
    let fixture = fixture().mixing;
    let [_, channels, height, width] = fixture.shape;
    let shape = ImageShape {
        channels,
        height,
        width,
    };
    for case in &fixture.cases {
        let kind = match case.region {
            None => MixingKind::Mixup,
            Some([top, left, height, width]) => MixingKind::Cutmix(Region {
                top,
                left,
                height,
                width,
            }),
        };
        let mixing = Mixing::new(shape, kind, case.own_share, fixture.partners.clone());
        let mut pixels = fixture.pixels.clone();
        mixing.apply(&mut pixels);
        for (found, expected) in pixels.iter().zip(&case.pixels) {
            assert!((found - expected).abs() < 1e-6, "{kind:?}");
        }
    }
}
