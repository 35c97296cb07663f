//! The readers of datasets, over small files in place of the published ones.

// Only its spec is read from a file.
#[path = "../../crates/mup2-train/src/data/augment/mod.rs"]
#[allow(unused_imports)]
mod augment;
#[path = "../../crates/mup2-train/src/data/cifar.rs"]
mod cifar;
#[path = "../../crates/mup2-train/src/data/decode.rs"]
mod decode;
#[path = "../../crates/mup2-train/src/data/decode_pool.rs"]
mod decode_pool;
#[path = "../../crates/mup2-train/src/data/files.rs"]
mod files;
#[path = "../../crates/mup2-train/src/data/folder.rs"]
mod folder;
#[path = "../../crates/mup2-train/src/data/idx.rs"]
mod idx;
#[path = "../../crates/mup2-train/src/data/images.rs"]
mod images;
#[path = "../../crates/mup2-train/src/data/jpeg.rs"]
mod jpeg;
#[path = "../../crates/mup2-train/src/data/loader.rs"]
mod loader;
#[path = "../../crates/mup2-train/src/data/normalization.rs"]
mod normalization;
#[path = "../../crates/mup2-train/src/data/order.rs"]
mod order;
#[path = "../../crates/mup2-train/src/data/records.rs"]
mod records;
#[path = "../../crates/mup2-train/src/data/spec.rs"]
mod spec;
#[path = "../../crates/mup2-train/src/data/unpack.rs"]
mod unpack;
#[path = "../../crates/mup2-train/src/data/verified.rs"]
mod verified;

/// Stands in for `data/archives.rs`: the same types, and CIFAR files of one record each, of unknown sums.
mod archives {
    #[derive(Clone, Copy, Debug)]
    pub(super) struct KnownFile<'a> {
        pub name: &'a str,
        pub bytes: u64,
        pub sha256: Option<&'a str>,
    }

    #[derive(Clone, Copy, Debug)]
    pub(super) struct IdxFiles<'a> {
        pub train_images: KnownFile<'a>,
        pub train_labels: KnownFile<'a>,
        pub test_images: KnownFile<'a>,
        pub test_labels: KnownFile<'a>,
    }

    pub(super) const fn file(name: &str, bytes: u64) -> KnownFile<'_> {
        KnownFile {
            name,
            bytes,
            sha256: None,
        }
    }

    pub(super) const CIFAR10_FILES: [KnownFile<'static>; 6] = [
        file("data_batch_1.bin", 3073),
        file("data_batch_2.bin", 3073),
        file("data_batch_3.bin", 3073),
        file("data_batch_4.bin", 3073),
        file("data_batch_5.bin", 3073),
        file("test_batch.bin", 3073),
    ];

    pub(super) const CIFAR100_FILES: [KnownFile<'static>; 2] =
        [file("train.bin", 3074), file("test.bin", 3074)];
}

pub use augment::AugmentSpec;
pub use images::{ImageShape, Images};
pub use normalization::Normalization;
pub use spec::{Corrupt, DataSpec, DatasetName, Storage};

use crate::error::Result;
use archives::{IdxFiles, file};
use records::Records;
use std::path::Path;

/// What a reader finds.
#[derive(Debug)]
pub struct RawSplits {
    pub train: Images,
    pub validation: Option<Images>,
    pub test: Images,
    pub classes: usize,
    pub class_names: Vec<String>,
}

/// What every reader's errors must hold.
pub const ADVICE: &str = "what to do";

/// Reads the four IDX files of `directory`, whose decompressed lengths are published as `bytes`, in the
/// order of [`IDX_NAMES`].
pub fn load_idx(directory: &Path, bytes: [u64; 4]) -> Result<RawSplits> {
    let files = IdxFiles {
        train_images: file(IDX_NAMES[0], bytes[0]),
        train_labels: file(IDX_NAMES[1], bytes[1]),
        test_images: file(IDX_NAMES[2], bytes[2]),
        test_labels: file(IDX_NAMES[3], bytes[3]),
    };
    idx::load(directory, &files, ADVICE)
}

/// Reads the IDX files of `directory` as those of any set, whatever their lengths.
pub fn load_any_idx(directory: &Path) -> Result<RawSplits> {
    idx::load_any(directory)
}

/// The files of an IDX set.
pub const IDX_NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Reads CIFAR-10 files of one record each.
pub fn load_cifar10(directory: &Path) -> Result<RawSplits> {
    cifar::load_cifar10(directory, ADVICE)
}

/// Reads CIFAR-100 files of one record each.
pub fn load_cifar100(directory: &Path) -> Result<RawSplits> {
    cifar::load_cifar100(directory, ADVICE)
}

/// Stands in for that of `data/mod.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoadStage {
    Headers,
    Verification,
    Decoding,
}

/// Stands in for that of `data/mod.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    pub stage: LoadStage,
    pub done: usize,
    pub total: usize,
}

/// Reads a folder of images, resized and cropped if their sides are given.
pub fn load_folder(
    directory: &Path,
    resize: Option<usize>,
    crop: Option<usize>,
) -> Result<RawSplits> {
    let spec = DataSpec {
        dataset: DatasetName::Folder,
        resize,
        crop,
        decode_threads: Some(1),
        ..DataSpec::default()
    };
    let folder = folder::open(directory, &spec, &mut Records::new(None), &mut |_| {})?;
    let decoded = |images: Images| {
        let mut pixels = Vec::new();
        images.fill(&(0..images.len()).collect::<Vec<_>>(), &mut pixels)?;
        Images::new(pixels, images.labels, images.shape)
    };
    Ok(RawSplits {
        train: decoded(folder.splits.train)?,
        validation: None,
        test: decoded(folder.splits.test)?,
        classes: folder.splits.classes,
        class_names: folder.splits.class_names,
    })
}

/// Unpacks [`WANTED`] from `archive` into the directory `into`.
pub fn unpack_wanted(archive: &Path, into: &Path) -> Result<()> {
    let files = WANTED.map(|(name, bytes)| file(name, bytes));
    unpack::unpack(archive, &files, into)
}

/// What the archive should hold: names and lengths.
pub const WANTED: [(&str, u64); 2] = [("one.bin", 3), ("two.bin", 5)];
