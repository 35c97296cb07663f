//! Datasets as contiguous bytes: verified files in, stratified splits and seeded batches out.

mod archives;
mod augment;
mod cifar;
mod download;
mod embedded;
mod fetch;
mod folder;
mod idx;
mod images;
mod noise;
mod order;
mod spec;
mod split;
mod unpack;
mod verified;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use self::augment::{
    AugmentSpec, Augmenter, ContactSheet, MixedLabel, Mixer, Mixing, MixingKind, RandAugment,
    Region, SheetLayout, contact_sheet,
};
pub use self::download::FetchProgress;
pub use self::fetch::fetch;
pub use self::images::{ImageShape, Images, Normalization, gather_labels};
pub use self::order::{BatchOrder, noisy_labels, sample_indices};
pub use self::spec::{DataSpec, DatasetName};

use crate::error::{Error, Result};

/// A dataset, cut and pooled as its [`DataSpec`] says; shared, unchanged, by all runs of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Which dataset it is.
    pub name: DatasetName,
    /// The number of classes; labels are 0 to `classes` − 1.
    pub classes: usize,
    /// The images to train on, with clean labels (see [`DataSpec::label_noise`]).
    pub train: Images,
    /// Images split off the training set, to choose hyperparameters by; none if
    /// [`DataSpec::validation_fraction`] is 0.
    pub validation: Images,
    /// Images for the final measurement only.
    pub test: Images,
    /// Mean and standard deviation of `train`, to be used on all three.
    pub normalization: Normalization,
    /// SHA-256, in 64 hexadecimal digits, of the shapes, labels and pixels of all splits: results
    /// made from other data can be told by it.
    pub digest: String,
}

/// What a reader finds: the sets as they were published.
#[derive(Debug)]
struct RawSplits {
    train: Images,
    /// Only where the set ships its own.
    validation: Option<Images>,
    test: Images,
    classes: usize,
}

/// Reads the dataset of `spec`, splits it and pools it.
///
/// # Errors
/// [`Error::Invalid`] if the spec does not suit the data, [`Error::Corrupt`] if a file is absent
/// or damaged, [`Error::Io`] if it cannot be read.
pub fn load(spec: &DataSpec) -> Result<Dataset> {
    spec.validate("data")?;
    let name = spec.dataset;
    let advice = archives::advice(name);
    let directory = || match &spec.path {
        Some(path) => Ok(path.clone()),
        None => data_directory(name),
    };
    let raw = match name {
        DatasetName::Embedded => embedded::load()?,
        DatasetName::Random => noise::load()?,
        DatasetName::Mnist => idx::load(&directory()?, &archives::MNIST_FILES, &advice)?,
        DatasetName::FashionMnist => {
            idx::load(&directory()?, &archives::FASHION_MNIST_FILES, &advice)?
        }
        DatasetName::Cifar10 => cifar::load_cifar10(&directory()?, &advice)?,
        DatasetName::Cifar100 => cifar::load_cifar100(&directory()?, &advice)?,
        DatasetName::Folder => folder::load(&directory()?)?,
    };
    prepare(raw, spec)
}

/// Splits and pools what was read.
fn prepare(raw: RawSplits, spec: &DataSpec) -> Result<Dataset> {
    let (mut train, validation) = match raw.validation {
        Some(validation) => (raw.train, validation),
        None => split_validation(&raw.train, spec.validation_fraction)?,
    };
    if let Some(limit) = spec.train_limit {
        if limit > train.len() {
            return Err(Error::invalid(
                "data.train_limit",
                format!("{limit} of {} training images", train.len()),
                format!("1 to {}", train.len()),
            ));
        }
        let (kept, _) = split::stratified(&train.labels, limit, "train-limit");
        train = train.select(&kept);
    }
    let train = train.average_pool(spec.average_pool)?;
    let validation = validation.average_pool(spec.average_pool)?;
    let test = raw.test.average_pool(spec.average_pool)?;
    Ok(Dataset {
        name: spec.dataset,
        classes: raw.classes,
        normalization: Normalization::of(&train),
        digest: digest(raw.classes, [&train, &validation, &test]),
        train,
        validation,
        test,
    })
}

/// Splits round(`fraction` · N) images off, but at least one if `fraction` is not 0.
fn split_validation(images: &Images, fraction: f64) -> Result<(Images, Images)> {
    let wanted = (fraction * images.len() as f64).round() as usize;
    let count = if fraction > 0.0 { wanted.max(1) } else { 0 };
    if count >= images.len() {
        return Err(Error::invalid(
            "data.validation_fraction",
            format!(
                "{fraction} of {} images leaves none to train on",
                images.len()
            ),
            "a fraction that leaves at least one",
        ));
    }
    let (validation, train) = split::stratified(&images.labels, count, "validation-split");
    Ok((images.select(&train), images.select(&validation)))
}

/// Lengths come before what they count, so that no two datasets give the same bytes.
fn digest(classes: usize, splits: [&Images; 3]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"mup2 dataset\0");
    hash.update((classes as u64).to_le_bytes());
    for images in splits {
        let ImageShape {
            channels,
            height,
            width,
        } = images.shape;
        for length in [images.len(), channels, height, width] {
            hash.update((length as u64).to_le_bytes());
        }
        for label in &images.labels {
            hash.update(label.to_le_bytes());
        }
        hash.update(&images.pixels);
    }
    verified::hexadecimal(&hash.finalize())
}

/// Where a dataset's files are when [`DataSpec::path`] does not say: `$MUP2_DATA/NAME` if that
/// variable is set, otherwise `~/.cache/mup2/NAME`.
///
/// # Errors
/// [`Error::Invalid`] if neither `MUP2_DATA` nor `HOME` is set.
pub fn data_directory(name: DatasetName) -> Result<PathBuf> {
    let set = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
    directory_from(set("MUP2_DATA"), set("HOME"), name)
}

fn directory_from(
    data: Option<std::ffi::OsString>,
    home: Option<std::ffi::OsString>,
    name: DatasetName,
) -> Result<PathBuf> {
    match (data, home) {
        (Some(data), _) => Ok(Path::new(&data).join(name.as_str())),
        (None, Some(home)) => Ok(Path::new(&home).join(".cache/mup2").join(name.as_str())),
        (None, None) => Err(Error::invalid(
            "data.path",
            "there is none, and neither MUP2_DATA nor HOME is set",
            "a directory, in any of the three",
        )),
    }
}

#[cfg(test)]
mod tests;
