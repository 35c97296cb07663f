//! Which dataset a run uses and how it is cut: the `[data]` table of a run or sweep file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A dataset that mup2 can read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetName {
    /// The subset of Fashion-MNIST inside the program: 5,000 training, 2,000 validation and
    /// 2,000 test images, 1×28×28, 10 classes, the same number of each.
    #[default]
    Embedded,
    /// Handwritten digits: 60,000 training and 10,000 test images, 1×28×28, 10 classes.
    Mnist,
    /// Articles of clothing: 60,000 training and 10,000 test images, 1×28×28, 10 classes.
    FashionMnist,
    /// 50,000 training and 10,000 test photographs, 3×32×32, 10 classes.
    Cifar10,
    /// 50,000 training and 10,000 test photographs, 3×32×32, 100 (fine) classes.
    Cifar100,
    /// PNG and JPEG files of the user's: `train/CLASS/*.png`, `test/CLASS/*.png`.
    Folder,
    /// Gaussian noise with random labels: 4,096 training, 512 validation and 512 test images,
    /// 1×4×8, 10 classes. Nothing to learn: for `mup2 check` and for measuring speed.
    Random,
}

impl DatasetName {
    /// Every dataset, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Embedded,
        Self::Mnist,
        Self::FashionMnist,
        Self::Cifar10,
        Self::Cifar100,
        Self::Folder,
        Self::Random,
    ];

    /// The name as it is written in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Folder => "folder",
            Self::Random => "random",
        }
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for DatasetName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|name| name.as_str() == text);
        known.ok_or_else(|| {
            Error::invalid(
                "dataset",
                format!("`{text}` is not a dataset"),
                Self::ALL.map(Self::as_str).join(", "),
            )
        })
    }
}

/// The `[data]` table: which images a run sees.
///
/// Which images go to which split depends on this value alone, not on a run's seed: all seeds of
/// a sweep share one dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSpec {
    /// The dataset; the embedded one by default.
    pub dataset: DatasetName,
    /// The directory that holds its files. When absent: see [`super::data_directory`]. Required
    /// by `folder`; not allowed with `embedded`, which has no files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The fraction of training labels, 0 to 1, that are replaced by a different class chosen
    /// uniformly; 0 by default.
    ///
    /// [`super::load`] leaves the labels clean: the training loop asks
    /// [`super::noisy_labels`] with the run's seed, so that one copy of the data serves all seeds.
    pub label_noise: f64,
    /// The number of training images kept, as a stratified subset (each class in its
    /// proportion); at least 1 and at most the number left after the validation split. All by
    /// default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// The fraction of the training images, from 0 to below 1, that are split off, stratified, for
    /// validation; 0.1 by default. 0 makes an empty validation set. The embedded set ships its
    /// own 2,000 validation images and ignores this.
    pub validation_fraction: f64,
    /// The side, in pixels, of the square blocks that are averaged into one pixel; 1 (the
    /// default) leaves the images as they are, 2 makes 14×14 of 28×28. It must divide the height
    /// and the width.
    pub average_pool: usize,
}

impl Default for DataSpec {
    fn default() -> Self {
        Self {
            dataset: DatasetName::default(),
            path: None,
            label_noise: 0.0,
            train_limit: None,
            validation_fraction: 0.1,
            average_pool: 1,
        }
    }
}

impl DataSpec {
    /// Checks what can be checked without reading the images.
    ///
    /// `place` names the table in messages, such as `data` or `sweep.toml: data`.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the key and what is allowed.
    pub fn validate(&self, place: &str) -> Result<()> {
        let invalid = |key: &str, problem: String, allowed: &str| {
            Err(Error::invalid(format!("{place}.{key}"), problem, allowed))
        };
        // Ranges are tested by `contains`, which a NaN fails.
        if !(0.0..=1.0).contains(&self.label_noise) {
            let problem = format!("{} is not a fraction", self.label_noise);
            return invalid("label_noise", problem, "a number from 0 to 1");
        }
        if !(0.0..1.0).contains(&self.validation_fraction) {
            let problem = format!("{} is not a fraction", self.validation_fraction);
            return invalid("validation_fraction", problem, "a number from 0 to below 1");
        }
        if self.train_limit == Some(0) {
            let problem = "0 leaves no training images".to_owned();
            return invalid("train_limit", problem, "at least 1, or no such key");
        }
        if self.average_pool == 0 {
            let problem = "a block of 0 pixels has no average".to_owned();
            return invalid(
                "average_pool",
                problem,
                "1 or a divisor of the images' height and width",
            );
        }
        match (self.dataset, &self.path) {
            (DatasetName::Folder, None) => invalid(
                "path",
                "the dataset `folder` needs a path".to_owned(),
                "a directory with train/CLASS/*.png and test/CLASS/*.png (or .jpg)",
            ),
            (DatasetName::Embedded | DatasetName::Random, Some(_)) => invalid(
                "path",
                format!("the dataset `{}` has no files", self.dataset),
                "no such key, or another dataset",
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DataSpec, DatasetName};

    fn problem(spec: DataSpec) -> String {
        spec.validate("data").unwrap_err().to_string()
    }

    #[test]
    fn the_default_is_the_embedded_set_and_is_valid() {
        let spec = DataSpec::default();
        assert_eq!(spec.dataset, DatasetName::Embedded);
        spec.validate("data").unwrap();
        assert_eq!(toml::from_str::<DataSpec>("").unwrap(), spec);
    }

    #[test]
    fn names_are_kebab_case_in_files_and_on_the_command_line() {
        for name in DatasetName::ALL {
            let text = format!("dataset = \"{name}\"");
            assert_eq!(toml::from_str::<DataSpec>(&text).unwrap().dataset, name);
            assert_eq!(name.as_str().parse::<DatasetName>().unwrap(), name);
        }
        let message = "imagenet".parse::<DatasetName>().unwrap_err().to_string();
        assert!(message.contains("fashion-mnist"), "{message}");
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let message = toml::from_str::<DataSpec>("label_nois = 0.1").unwrap_err();
        assert!(message.to_string().contains("label_nois"), "{message}");
    }

    #[test]
    fn a_spec_survives_a_round_trip_through_toml() {
        let spec = DataSpec {
            dataset: DatasetName::Cifar100,
            path: Some("somewhere".into()),
            label_noise: 0.2,
            train_limit: Some(500),
            validation_fraction: 0.05,
            average_pool: 2,
        };
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(toml::from_str::<DataSpec>(&text).unwrap(), spec);
    }

    #[test]
    fn messages_name_the_key_and_what_is_allowed() {
        let base = DataSpec::default;
        for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let message = problem(DataSpec {
                label_noise: value,
                ..base()
            });
            assert!(message.starts_with("data.label_noise: "), "{message}");
            assert!(message.contains("from 0 to 1"), "{message}");
            let message = problem(DataSpec {
                validation_fraction: value,
                ..base()
            });
            assert!(
                message.starts_with("data.validation_fraction: "),
                "{message}"
            );
        }
        let message = problem(DataSpec {
            train_limit: Some(0),
            ..base()
        });
        assert!(message.starts_with("data.train_limit: "), "{message}");
        let message = problem(DataSpec {
            average_pool: 0,
            ..base()
        });
        assert!(message.starts_with("data.average_pool: "), "{message}");
    }

    #[test]
    fn a_path_is_required_by_folder_and_refused_by_embedded() {
        let folder = DataSpec {
            dataset: DatasetName::Folder,
            ..DataSpec::default()
        };
        assert!(problem(folder).starts_with("data.path: "));
        let embedded = DataSpec {
            path: Some("x".into()),
            ..DataSpec::default()
        };
        assert!(problem(embedded).contains("no files"));
    }
}
