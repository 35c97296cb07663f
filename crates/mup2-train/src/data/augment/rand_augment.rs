//! RandAugment (Cubuk et al. 2020): operations drawn for each image from torchvision's list of 14,
//! all at one magnitude.

use rand::Rng;

use super::super::images::ImageShape;
use super::super::order::below;
use super::draws::coin;
use super::spec::RandAugment;
use super::{colour, geometry, histogram};

/// Magnitudes are 0 to 30: 31 bins, torchvision's default.
pub(super) const HIGHEST_MAGNITUDE: usize = 30;

const GREATEST_SHEAR: f64 = 0.3;
const GREATEST_ROTATION: f64 = 30.0;
/// The greatest distance of a factor from 1.
const GREATEST_FACTOR: f64 = 0.9;

/// An operation of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Colour,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

/// An operation with its strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    Identity,
    /// Pixels a row.
    ShearX(f64),
    /// Pixels a column.
    ShearY(f64),
    /// Pixels to the right.
    TranslateX(i64),
    /// Pixels down.
    TranslateY(i64),
    /// Degrees, counterclockwise.
    Rotate(f64),
    Brightness(f64),
    Colour(f64),
    Contrast(f64),
    Sharpness(f64),
    /// Bits that are kept.
    Posterize(u32),
    /// The lowest value that is inverted.
    Solarize(f64),
    AutoContrast,
    Equalize,
}

impl Operation {
    pub const ALL: [Self; 14] = [
        Self::Identity,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
        Self::Rotate,
        Self::Brightness,
        Self::Colour,
        Self::Contrast,
        Self::Sharpness,
        Self::Posterize,
        Self::Solarize,
        Self::AutoContrast,
        Self::Equalize,
    ];

    /// The operation at a magnitude of 0 to 30; `negative` turns those that have two directions.
    pub fn at(self, magnitude: usize, negative: bool, shape: ImageShape) -> Action {
        let sign = if negative { -1 } else { 1 };
        let share = magnitude as f64 / HIGHEST_MAGNITUDE as f64;
        let signed = |greatest: f64| f64::from(sign) * greatest * share;
        let factor = 1.0 + signed(GREATEST_FACTOR);
        // The paper's 150 pixels are of images of 331.
        let pixels = |length: usize| {
            i64::from(sign) * (150 * length * magnitude / (331 * HIGHEST_MAGNITUDE)) as i64
        };
        match self {
            Self::Identity => Action::Identity,
            Self::ShearX => Action::ShearX(signed(GREATEST_SHEAR)),
            Self::ShearY => Action::ShearY(signed(GREATEST_SHEAR)),
            Self::TranslateX => Action::TranslateX(pixels(shape.width)),
            Self::TranslateY => Action::TranslateY(pixels(shape.height)),
            Self::Rotate => Action::Rotate(signed(GREATEST_ROTATION)),
            Self::Brightness => Action::Brightness(factor),
            Self::Colour => Action::Colour(factor),
            Self::Contrast => Action::Contrast(factor),
            Self::Sharpness => Action::Sharpness(factor),
            // From 8 bits to 4.
            Self::Posterize => Action::Posterize(8 - (4.0 * share).round() as u32),
            Self::Solarize => Action::Solarize(255.0 * (1.0 - share)),
            Self::AutoContrast => Action::AutoContrast,
            Self::Equalize => Action::Equalize,
        }
    }
}

impl Action {
    /// Changes a grey or red, green, blue image of `shape`.
    pub fn apply(self, image: &mut [u8], shape: ImageShape) {
        match self {
            Self::Identity => {}
            Self::ShearX(factor) => geometry::shear_x(image, shape, factor),
            Self::ShearY(factor) => geometry::shear_y(image, shape, factor),
            Self::TranslateX(pixels) => geometry::translate(image, shape, pixels, 0),
            Self::TranslateY(pixels) => geometry::translate(image, shape, 0, pixels),
            Self::Rotate(degrees) => geometry::rotate(image, shape, degrees),
            Self::Brightness(factor) => colour::brightness(image, factor),
            Self::Colour(factor) => colour::saturation(image, shape, factor),
            Self::Contrast(factor) => colour::contrast(image, shape, factor),
            Self::Sharpness(factor) => colour::sharpness(image, shape, factor),
            Self::Posterize(bits) => colour::posterize(image, bits),
            Self::Solarize(threshold) => colour::solarize(image, threshold),
            Self::AutoContrast => histogram::autocontrast(image, shape),
            Self::Equalize => histogram::equalize(image, shape),
        }
    }
}

impl RandAugment {
    /// The actions for one image, in order: operations drawn uniformly with replacement, their
    /// directions by a coin.
    pub(super) fn draw(self, shape: ImageShape, random: &mut impl Rng) -> Vec<Action> {
        let mut actions = Vec::with_capacity(self.operations);
        for _ in 0..self.operations {
            let operation = Operation::ALL[below(Operation::ALL.len(), random)];
            actions.push(operation.at(self.magnitude, coin(random), shape));
        }
        actions
    }
}
