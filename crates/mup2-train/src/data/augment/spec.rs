//! Which augmentations a run trains with: the `[augment]` table of a run or sweep file.

use serde::{Deserialize, Serialize};

use super::super::images::ImageShape;
use super::rand_augment::HIGHEST_MAGNITUDE;
use crate::error::{Error, Result};

const MOST_OPERATIONS: usize = 14;
const WEAKEST_BETA: f64 = 0.01;
const STRONGEST_BETA: f64 = 100.0;

/// The `[augment]` table: what happens to training images, in the order of the fields. Nothing by
/// default.
///
/// Validation and test images are never augmented. `docs/reference/augmentation.md` has the source
/// of each technique.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentSpec {
    /// Pixels of black padding at each side before a crop of the original size at a random place;
    /// below the image's shorter side, and 0 is no crop. 4 is usual for CIFAR.
    pub crop_padding: usize,
    /// Mirrors half of the images, left to right.
    pub flip: bool,
    /// RandAugment: operations drawn for each image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rand_augment: Option<RandAugment>,
    /// Side in pixels of a square, centred on any pixel, that is set to the training mean (Cutout);
    /// at most the image's shorter side, and 0 is none.
    pub cutout: usize,
    /// Probability, 0 to 1, that a rectangle of 2 to 33 % of the image is set to the training mean.
    pub random_erasing: f64,
    /// α of the Beta(α, α) that mixup draws its share from: 0 (off), or 0.01 to 100.
    pub mixup: f64,
    /// α of the Beta(α, α) that CutMix draws its share from: 0 (off), or 0.01 to 100. With `mixup`
    /// on too, each batch takes one of the two with probability ½.
    pub cutmix: f64,
}

/// `rand_augment`: how many operations of torchvision's list an image goes through, and how strong
/// they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandAugment {
    /// Operations an image, drawn with replacement; 1 to 14.
    pub operations: usize,
    /// Strength of all operations, 0 to 30.
    pub magnitude: usize,
}

impl Default for RandAugment {
    fn default() -> Self {
        Self {
            operations: 2,
            magnitude: 9,
        }
    }
}

impl AugmentSpec {
    /// Whether nothing is switched on.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether each training image stays as it is; batches may still be mixed.
    pub fn changes_no_image(&self) -> bool {
        let unmixed = Self {
            mixup: 0.0,
            cutmix: 0.0,
            ..self.clone()
        };
        unmixed.is_nothing()
    }

    /// Checks what can be checked without knowing the images; `place` names the table in messages,
    /// such as `run.toml: augment`.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the key and what is allowed.
    pub fn validate(&self, place: &str) -> Result<()> {
        let invalid = |key: &str, problem: String, allowed: String| {
            Err(Error::invalid(format!("{place}.{key}"), problem, allowed))
        };
        if let Some(RandAugment {
            operations,
            magnitude,
        }) = self.rand_augment
        {
            if !(1..=MOST_OPERATIONS).contains(&operations) {
                return invalid(
                    "rand_augment.operations",
                    format!("is {operations}"),
                    format!("whole numbers from 1 to {MOST_OPERATIONS}, or no `rand_augment`"),
                );
            }
            if magnitude > HIGHEST_MAGNITUDE {
                return invalid(
                    "rand_augment.magnitude",
                    format!("is {magnitude}"),
                    format!("whole numbers from 0 to {HIGHEST_MAGNITUDE}"),
                );
            }
        }
        // Ranges are tested by `contains`, which a NaN fails.
        if !(0.0..=1.0).contains(&self.random_erasing) {
            let problem = format!("{} is not a probability", self.random_erasing);
            return invalid("random_erasing", problem, "a number from 0 to 1".to_owned());
        }
        for (key, alpha) in [("mixup", self.mixup), ("cutmix", self.cutmix)] {
            if alpha != 0.0 && !(WEAKEST_BETA..=STRONGEST_BETA).contains(&alpha) {
                return invalid(
                    key,
                    format!("{alpha} is no α of its Beta distribution"),
                    format!("0 (off), or a number from {WEAKEST_BETA} to {STRONGEST_BETA}"),
                );
            }
        }
        Ok(())
    }

    /// Checks what depends on the images' shape; `place` as in [`AugmentSpec::validate`].
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the key and what is allowed.
    pub fn validate_for(&self, shape: ImageShape, place: &str) -> Result<()> {
        let shorter = shape.height.min(shape.width);
        let invalid = |key: &str, problem: String, allowed: String| {
            Err(Error::invalid(format!("{place}.{key}"), problem, allowed))
        };
        if self.crop_padding >= shorter && self.crop_padding > 0 {
            return invalid(
                "crop_padding",
                format!(
                    "{} pixels could push an image of {shape} out of its crop",
                    self.crop_padding
                ),
                format!("whole numbers from 0 to {}", shorter.saturating_sub(1)),
            );
        }
        if self.cutout > shorter {
            return invalid(
                "cutout",
                format!(
                    "a square of {} pixels is larger than an image of {shape}",
                    self.cutout
                ),
                format!("whole numbers from 0 to {shorter}"),
            );
        }
        if self.rand_augment.is_some() && ![1, 3].contains(&shape.channels) {
            return invalid(
                "rand_augment",
                format!("its colour operations do not know images of {shape}"),
                "images of 1 (grey) or 3 (red, green, blue) channels".to_owned(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{AugmentSpec, ImageShape, RandAugment};

    const CIFAR: ImageShape = ImageShape {
        channels: 3,
        height: 32,
        width: 32,
    };

    fn spec(text: &str) -> AugmentSpec {
        toml::from_str(text).unwrap()
    }

    fn message(text: &str) -> String {
        spec(text).validate("augment").unwrap_err().to_string()
    }

    #[test]
    fn the_default_does_nothing_and_every_key_does_something() {
        assert!(spec("").is_nothing());
        for text in [
            "crop_padding = 4",
            "flip = true",
            "rand_augment = {}",
            "cutout = 8",
            "random_erasing = 0.25",
            "mixup = 0.2",
            "cutmix = 1.0",
        ] {
            let spec = spec(text);
            assert!(!spec.is_nothing(), "{text}");
            spec.validate("augment").unwrap();
            spec.validate_for(CIFAR, "augment").unwrap();
        }
    }

    #[test]
    fn rand_augment_without_values_has_torchvisions_defaults() {
        let expected = RandAugment {
            operations: 2,
            magnitude: 9,
        };
        assert_eq!(spec("rand_augment = {}").rand_augment, Some(expected));
    }

    #[test]
    fn a_spec_survives_a_round_trip_through_toml() {
        let spec = AugmentSpec {
            crop_padding: 4,
            flip: true,
            rand_augment: Some(RandAugment::default()),
            cutout: 16,
            random_erasing: 0.1,
            mixup: 0.2,
            cutmix: 1.0,
        };
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(toml::from_str::<AugmentSpec>(&text).unwrap(), spec);
    }

    #[test]
    fn unknown_keys_are_errors_at_both_levels() {
        for text in ["flips = true", "rand_augment = { magnitudes = 3 }"] {
            assert!(toml::from_str::<AugmentSpec>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn messages_name_the_key_and_what_is_allowed() {
        for (text, begin, allowed) in [
            (
                "rand_augment = { operations = 0 }",
                "augment.rand_augment.operations: is 0",
                "1 to 14",
            ),
            (
                "rand_augment = { operations = 15 }",
                "augment.rand_augment.operations: is 15",
                "1 to 14",
            ),
            (
                "rand_augment = { magnitude = 31 }",
                "augment.rand_augment.magnitude: is 31",
                "0 to 30",
            ),
            (
                "random_erasing = 1.1",
                "augment.random_erasing: 1.1",
                "0 to 1",
            ),
            (
                "random_erasing = nan",
                "augment.random_erasing: NaN",
                "0 to 1",
            ),
            ("mixup = -1.0", "augment.mixup: -1", "0.01 to 100"),
            ("mixup = 1e-9", "augment.mixup: 0.000000001", "0.01 to 100"),
            ("cutmix = nan", "augment.cutmix: NaN", "0.01 to 100"),
            ("cutmix = inf", "augment.cutmix: inf", "0.01 to 100"),
        ] {
            let message = message(text);
            assert!(message.starts_with(begin), "{message}");
            assert!(message.contains(allowed), "{message}");
        }
    }

    #[test]
    fn what_does_not_fit_the_images_is_refused() {
        let wide = ImageShape {
            channels: 2,
            height: 4,
            width: 8,
        };
        for (text, begin, allowed) in [
            ("crop_padding = 4", "augment.crop_padding: 4", "0 to 3"),
            ("cutout = 5", "augment.cutout: a square of 5", "0 to 4"),
            (
                "rand_augment = {}",
                "augment.rand_augment: ",
                "1 (grey) or 3",
            ),
        ] {
            let error = spec(text).validate_for(wide, "augment").unwrap_err();
            let message = error.to_string();
            assert!(message.starts_with(begin), "{message}");
            assert!(message.contains(allowed), "{message}");
        }
        for text in ["crop_padding = 3", "cutout = 4"] {
            spec(text).validate_for(wide, "augment").unwrap();
        }
    }
}
