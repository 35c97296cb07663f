//! Which dataset a run uses and how it is cut: the `[data]` table of a run or sweep file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The longest side, in pixels, that images are brought to.
const LONGEST_SIDE: usize = 16_384;
/// More threads than any machine has a use for.
const MOST_THREADS: usize = 1024;

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
    /// PNG and JPEG files of the user's: `train/CLASS/*.png`, `test/CLASS/*.png`, in memory or,
    /// where they are too many, on disk (see [`Storage`]).
    Folder,
    /// Any set in the format of MNIST: four IDX files with images and labels, plain or gzipped, such
    /// as KMNIST, QMNIST or one split of EMNIST.
    Idx,
    /// Gaussian noise with random labels: 4,096 training, 512 validation and 512 test images,
    /// 1×4×8, 10 classes. Nothing to learn: for `mup2 check` and for measuring speed.
    Random,
}

impl DatasetName {
    /// Every dataset, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Embedded,
        Self::Mnist,
        Self::FashionMnist,
        Self::Cifar10,
        Self::Cifar100,
        Self::Folder,
        Self::Idx,
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
            Self::Idx => "idx",
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

/// Where the pixels of a dataset are while it is in use. It has no effect on any result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// In memory if they take no more than a quarter of what is free, otherwise on disk.
    #[default]
    Auto,
    /// In memory, decoded once.
    Memory,
    /// In the image files, decoded each time they are needed. For `folder` only.
    Disk,
}

/// What happens when an image file does not hold a whole image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Corrupt {
    /// The dataset is refused, with the file's name.
    #[default]
    Fatal,
    /// The dataset is what it would be without the file, which is named in
    /// [`super::Dataset::notes`]. A file that the system cannot read is an error all the same: it
    /// may be read tomorrow, and the data would be others.
    Skip,
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
    /// What the shorter side of each image becomes, in pixels, both sides by the same factor; by
    /// default images keep their size. For `folder`, as all keys below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
    /// The side, in pixels, of the square that is cut out of the middle of each image, after
    /// `resize`; by default nothing is cut off, and then all images must have one size. `resize = 256`
    /// with `crop = 224` is what ImageNet classifiers are usually evaluated on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<usize>,
    /// Where the pixels are: `auto` (the default), `memory` or `disk`. Not part of a run's id.
    #[serde(skip_serializing_if = "is_default")]
    pub storage: Storage,
    /// What happens to files that hold no whole image: `fatal` (the default) or `skip`. Not part of
    /// a run's id, which does not say what is in the files either: the dataset's digest does.
    #[serde(skip_serializing_if = "is_default")]
    pub corrupt: Corrupt,
    /// The number of threads that decode images, at least 1; by default one for each core. All runs
    /// of a process share them. Not part of a run's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_threads: Option<usize>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
            resize: None,
            crop: None,
            storage: Storage::default(),
            corrupt: Corrupt::default(),
            decode_threads: None,
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
        self.validate_decoding(place)?;
        match (self.dataset, &self.path) {
            (DatasetName::Folder, None) => invalid(
                "path",
                "the dataset `folder` needs a path".to_owned(),
                "a directory with train/CLASS/*.png and test/CLASS/*.png (or .jpg)",
            ),
            (DatasetName::Idx, None) => invalid(
                "path",
                "the dataset `idx` needs a path".to_owned(),
                "a directory with train-images-idx3-ubyte and three more such files",
            ),
            (DatasetName::Embedded | DatasetName::Random, Some(_)) => invalid(
                "path",
                format!("the dataset `{}` has no files", self.dataset),
                "no such key, or another dataset",
            ),
            _ => Ok(()),
        }
    }

    /// The keys that only image files have a use for.
    fn validate_decoding(&self, place: &str) -> Result<()> {
        let invalid = |key: &str, problem: String, allowed: &str| {
            Err(Error::invalid(format!("{place}.{key}"), problem, allowed))
        };
        let is_set = [
            ("resize", self.resize.is_some()),
            ("crop", self.crop.is_some()),
            ("storage", self.storage == Storage::Disk),
            ("corrupt", self.corrupt == Corrupt::Skip),
            ("decode_threads", self.decode_threads.is_some()),
        ];
        let first = is_set.iter().find(|(_, is_set)| *is_set);
        if let (true, Some((key, _))) = (self.dataset != DatasetName::Folder, first) {
            let problem = format!("the dataset `{}` has no image files", self.dataset);
            return invalid(key, problem, "no such key, or the dataset `folder`");
        }
        for (key, value) in [("resize", self.resize), ("crop", self.crop)] {
            if value.is_some_and(|side| !(1..=LONGEST_SIDE).contains(&side)) {
                let problem = format!("{} is no length of a side", value.unwrap_or_default());
                return invalid(key, problem, "1 to 16384 pixels");
            }
        }
        if let (Some(resize), Some(crop)) = (self.resize, self.crop)
            && crop > resize
        {
            let problem = format!("{crop} does not fit into sides of {resize}, which is `resize`");
            return invalid("crop", problem, "at most `resize`");
        }
        let threads = 1..=MOST_THREADS;
        if let Some(wanted) = self
            .decode_threads
            .filter(|wanted| !threads.contains(wanted))
        {
            let problem = format!("{wanted} is no number of threads");
            return invalid("decode_threads", problem, "1 to 1024");
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
