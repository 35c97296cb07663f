//! Datasets as bytes, in memory or decoded from files: stratified splits and seeded batches.

mod archives;
mod augment;
mod cifar;
mod decode;
mod decode_pool;
mod download;
mod embedded;
mod fetch;
mod files;
mod folder;
mod idx;
mod images;
mod jpeg;
mod loader;
mod measure;
mod memory;
mod noise;
mod normalization;
mod order;
mod records;
mod spec;
mod split;
mod unpack;
mod verified;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use self::augment::{
    AugmentSpec, Augmenter, ContactSheet, MixedLabel, Mixer, Mixing, MixingKind, RandAugment,
    Region, SheetLayout, contact_sheet,
};
pub use self::download::FetchProgress;
pub use self::fetch::fetch;
pub use self::images::{ImageShape, Images, gather_labels};
pub use self::loader::{BATCHES_AHEAD, ImageBatch, Loader};
pub use self::normalization::Normalization;
pub use self::order::{BatchOrder, noisy_labels, sample_indices};
pub use self::spec::{Corrupt, DataSpec, DatasetName, Storage};

use self::measure::Measures;
use self::records::Records;
use self::split::Whole;
use crate::error::{Error, Result};

/// A dataset, cut and pooled as its [`DataSpec`] says; shared, unchanged, by all runs of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Which dataset it is.
    pub name: DatasetName,
    /// The number of classes; labels are 0 to `classes` − 1.
    pub classes: usize,
    /// The names of the classes, in the order of their labels; none where the publisher's numbers
    /// are all there is.
    pub class_names: Vec<String>,
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
    /// What the user should know, one sentence each: every file that was skipped (see [`Corrupt`]),
    /// and records of earlier openings that could not be used.
    pub notes: Vec<String>,
}

impl Dataset {
    /// The same images with the labels of these classes, which are matched by name.
    ///
    /// # Errors
    /// When a class of the images is not among `names`.
    pub fn with_classes(mut self, names: &[String]) -> Result<Self> {
        let mut labels = Vec::with_capacity(self.class_names.len());
        for class in &self.class_names {
            let label = names.iter().position(|name| name == class);
            let Some(label) = label.and_then(|label| u16::try_from(label).ok()) else {
                return Err(Error::invalid(
                    "data.path",
                    format!(
                        "has a class `{class}` that the weights do not know; its classes are {}",
                        self.class_names.join(", ")
                    ),
                    format!("the classes of the weights: {}", names.join(", ")),
                ));
            };
            labels.push(label);
        }
        for images in [&mut self.train, &mut self.validation, &mut self.test] {
            for label in &mut images.labels {
                *label = labels[usize::from(*label)];
            }
        }
        self.classes = names.len();
        self.class_names = names.to_vec();
        Ok(self)
    }
}

/// What is done with the files of a [`DatasetName::Folder`] while it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoadStage {
    /// The header of every file is read.
    Headers,
    /// Every file is decoded to see whether it is whole; only under [`Corrupt::Skip`].
    Verification,
    /// Every image that is used is decoded: into memory, or for mean, deviation and digest only.
    Decoding,
}

/// How far the opening of a [`DatasetName::Folder`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    /// What is done now.
    pub stage: LoadStage,
    /// Images that this stage is done with.
    pub done: usize,
    /// Images of this stage.
    pub total: usize,
}

/// What a reader finds: the sets as they were published.
#[derive(Debug)]
struct RawSplits {
    train: Images,
    /// Only where the set ships its own.
    validation: Option<Images>,
    test: Images,
    classes: usize,
    /// By label; empty if they have none.
    class_names: Vec<String>,
}

/// As [`load_with`], without its progress.
///
/// # Errors
/// As those of [`load_with`].
pub fn load(spec: &DataSpec) -> Result<Dataset> {
    load_with(spec, &mut |_| {})
}

/// Reads the dataset of `spec`, splits it and pools it. `progress` is called for folders of images
/// only; other datasets take a moment.
///
/// Opening a folder decodes every image once, twice under [`Corrupt::Skip`]. What that found is
/// remembered in `opened` inside [`data_directory`]`(DatasetName::Folder)` as long as no file
/// changes its name, length or time, so that opening the same images on disk again reads their
/// headers only.
///
/// # Errors
/// [`Error::Invalid`] if the spec does not suit the data, [`Error::Corrupt`] if a file is absent
/// or damaged, [`Error::Io`] if it cannot be read.
pub fn load_with(spec: &DataSpec, progress: &mut dyn FnMut(LoadProgress)) -> Result<Dataset> {
    spec.validate("data")?;
    let name = spec.dataset;
    let advice = archives::advice(name);
    let directory = || match &spec.path {
        Some(path) => at_home(path),
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
        DatasetName::Idx => idx::load_any(&directory()?)?,
        DatasetName::Folder => {
            // Without a place for records there are none, which costs time and nothing else.
            let records = data_directory(name).ok().map(|path| path.join("opened"));
            let share = memory::share_for_data();
            return load_folder(&directory()?, spec, Records::new(records), share, progress);
        }
    };
    prepare(raw, spec)
}

/// Opens a folder of images, keeping up to `share` bytes of pixels in memory if `spec` leaves it to
/// us.
fn load_folder(
    directory: &Path,
    spec: &DataSpec,
    mut records: Records,
    share: u64,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    let folder = folder::open(directory, spec, &mut records, progress)?;
    let cut = cut(folder.splits, spec)?;
    let size: usize = cut
        .splits()
        .map(|split| split.len() * split.shape.values())
        .iter()
        .sum();
    let on_disk = match spec.storage {
        Storage::Auto => size as u64 > share,
        Storage::Memory => false,
        Storage::Disk => true,
    };
    let mut dataset = if on_disk {
        let key = measure::key(&folder.stamp, spec);
        let measures = records.get_or_make("measured", &key, || {
            measure::measure(cut.classes, cut.splits(), progress, |_, _| {})
        })?;
        cut.into_dataset(spec.dataset, measures)
    } else {
        let mut pixels = [const { Vec::new() }; 3];
        let measures = measure::measure(cut.classes, cut.splits(), progress, |split, batch| {
            pixels[split].extend_from_slice(batch);
        })?;
        cut.in_memory(pixels)?.into_dataset(spec.dataset, measures)
    };
    dataset.notes = folder.notes;
    dataset.notes.append(&mut records.notes);
    Ok(dataset)
}

/// Splits, pools and measures what was read.
fn prepare(raw: RawSplits, spec: &DataSpec) -> Result<Dataset> {
    let cut = cut(raw, spec)?;
    let measures = measure::measure(cut.classes, cut.splits(), &mut |_| {}, |_, _| {})?;
    Ok(cut.into_dataset(spec.dataset, measures))
}

/// The three splits of a dataset that is not measured yet.
struct Cut {
    classes: usize,
    class_names: Vec<String>,
    train: Images,
    validation: Images,
    test: Images,
}

impl Cut {
    fn splits(&self) -> [&Images; 3] {
        [&self.train, &self.validation, &self.test]
    }

    /// The same images with these pixels.
    fn in_memory(self, pixels: [Vec<u8>; 3]) -> Result<Self> {
        let [train, validation, test] = pixels;
        let with = |images: Images, pixels| Images::new(pixels, images.labels, images.shape);
        Ok(Self {
            classes: self.classes,
            class_names: self.class_names,
            train: with(self.train, train)?,
            validation: with(self.validation, validation)?,
            test: with(self.test, test)?,
        })
    }

    fn into_dataset(self, name: DatasetName, measures: Measures) -> Dataset {
        Dataset {
            name,
            classes: self.classes,
            class_names: self.class_names,
            train: self.train,
            validation: self.validation,
            test: self.test,
            normalization: measures.normalization,
            digest: measures.digest,
            notes: Vec::new(),
        }
    }
}

/// Splits and pools what was read.
fn cut(raw: RawSplits, spec: &DataSpec) -> Result<Cut> {
    let (mut train, validation) = match raw.validation {
        Some(validation) => (raw.train, validation),
        None => split_validation(&raw.train, spec.validation_fraction, &raw.class_names)?,
    };
    if let Some(limit) = spec.train_limit {
        if limit > train.len() {
            return Err(Error::invalid(
                "data.train_limit",
                format!("{limit} of {} training images", train.len()),
                format!("1 to {}", train.len()),
            ));
        }
        let (kept, _) = split::stratified(&train.labels, limit, "train-limit", Whole::Chosen);
        let limited = train.select(&kept);
        if let Some(lost) = lost_class(&train.labels, &limited.labels) {
            return Err(Error::invalid(
                "data.train_limit",
                format!(
                    "{limit} of {} images leave class {} without a training image",
                    train.len(),
                    class_name(&raw.class_names, lost)
                ),
                "at least as many images as there are classes",
            ));
        }
        train = limited;
    }
    Ok(Cut {
        classes: raw.classes,
        class_names: raw.class_names,
        train: train.average_pool(spec.average_pool)?,
        validation: validation.average_pool(spec.average_pool)?,
        test: raw.test.average_pool(spec.average_pool)?,
    })
}

/// The first class that is among `all` and not among `kept`.
fn lost_class(all: &[u16], kept: &[u16]) -> Option<u16> {
    let kept: BTreeSet<u16> = kept.iter().copied().collect();
    all.iter()
        .copied()
        .filter(|label| !kept.contains(label))
        .min()
}

/// The class's name, or its number where the dataset has none.
fn class_name(names: &[String], class: u16) -> String {
    match names.get(usize::from(class)) {
        Some(name) => format!("`{name}`"),
        None => class.to_string(),
    }
}

/// Splits round(`fraction` · N) images off, but at least one if `fraction` is not 0, and none that
/// is the last one of its class.
fn split_validation(images: &Images, fraction: f64, names: &[String]) -> Result<(Images, Images)> {
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
    let (validation, train) =
        split::stratified(&images.labels, count, "validation-split", Whole::Others);
    if validation.len() < count {
        let class = images.labels.iter().copied().min().unwrap_or_default();
        return Err(Error::invalid(
            "data.validation_fraction",
            format!(
                "{count} of {} images would leave a class such as {} without a training image",
                images.len(),
                class_name(names, class)
            ),
            "a fraction that leaves an image of each class to train on, or 0",
        ));
    }
    Ok((images.select(&train), images.select(&validation)))
}

/// `path` with the user's home directory for a `~` at its beginning: no shell sees a TOML file.
fn at_home(path: &Path) -> Result<PathBuf> {
    let Ok(rest) = path.strip_prefix("~") else {
        return Ok(path.to_path_buf());
    };
    match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
        Some(home) => Ok(Path::new(&home).join(rest)),
        None => Err(Error::invalid(
            "data.path",
            format!("begins with `~` in {}, and HOME is not set", path.display()),
            "a path without `~`",
        )),
    }
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
