//! The binary format of CIFAR-10 and CIFAR-100 (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::path::{Path, PathBuf};

use super::RawSplits;
use super::archives::{CIFAR10_FILES, CIFAR100_FILES, KnownFile};
use super::images::{ImageShape, Images};
use super::verified;
use crate::error::{Error, Result};

const SHAPE: ImageShape = ImageShape {
    channels: 3,
    height: 32,
    width: 32,
};

/// How a set's files are laid out. Every record is its labels, the fine one last, and then the red,
/// green and blue planes.
struct Layout<'a> {
    /// The directory inside the published archive, for those who unpack it themselves.
    folder: &'a str,
    train: &'a [KnownFile<'a>],
    test: &'a [KnownFile<'a>],
    label_bytes: usize,
    classes: u16,
}

/// Reads CIFAR-10: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`.
pub(super) fn load_cifar10(directory: &Path, advice: &str) -> Result<RawSplits> {
    let (train, test) = CIFAR10_FILES.split_at(5);
    let layout = Layout {
        folder: "cifar-10-batches-bin",
        train,
        test,
        label_bytes: 1,
        classes: 10,
    };
    load(directory, &layout, advice)
}

/// Reads CIFAR-100, with its fine labels: `train.bin` and `test.bin`.
pub(super) fn load_cifar100(directory: &Path, advice: &str) -> Result<RawSplits> {
    let (train, test) = CIFAR100_FILES.split_at(1);
    let layout = Layout {
        folder: "cifar-100-binary",
        train,
        test,
        label_bytes: 2,
        classes: 100,
    };
    load(directory, &layout, advice)
}

fn load(directory: &Path, layout: &Layout, advice: &str) -> Result<RawSplits> {
    let inner = directory.join(layout.folder);
    let directory: PathBuf = if inner.is_dir() {
        inner
    } else {
        directory.to_path_buf()
    };
    refuse_other_versions(&directory, layout)?;
    Ok(RawSplits {
        train: load_split(&directory, layout.train, layout, advice)?,
        validation: None,
        test: load_split(&directory, layout.test, layout, advice)?,
        classes: usize::from(layout.classes),
        class_names: Vec::new(),
    })
}

/// The publisher has the same images in three formats, of which the other two are programs' own.
///
/// # Errors
/// When `directory` has one of those and not the binary one.
fn refuse_other_versions(directory: &Path, layout: &Layout) -> Result<()> {
    let is_there = |name: &str| directory.join(name).exists();
    if layout.train.iter().any(|file| is_there(file.name)) {
        return Ok(());
    }
    let python = [
        "data_batch_1",
        "test_batch",
        "train",
        "batches.meta",
        "meta",
    ];
    let python = python.iter().any(|name| directory.join(name).is_file())
        || is_there("cifar-10-batches-py")
        || is_there("cifar-100-python");
    let matlab = ["data_batch_1.mat", "train.mat", "cifar-10-batches-mat"];
    let version = match (python, matlab.into_iter().any(is_there)) {
        (true, _) => "Python",
        (_, true) => "Matlab",
        _ => return Ok(()),
    };
    let (set, name) = match layout.classes {
        10 => ("cifar-10", "cifar10"),
        _ => ("cifar-100", "cifar100"),
    };
    Err(Error::corrupt(
        directory,
        format!("it holds the {version} version of the dataset, which only {version} can read"),
        format!(
            "fetch the binary version with `mup2 data fetch {name}`, or unpack {set}-binary.tar.gz \
             there"
        ),
    ))
}

fn load_split(
    directory: &Path,
    files: &[KnownFile],
    layout: &Layout,
    advice: &str,
) -> Result<Images> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for file in files {
        let path = verified::find(directory, file, advice)?;
        let bytes = verified::read(&path, file, advice)?;
        append_records(&path, &bytes, layout, &mut pixels, &mut labels, advice)?;
        verified::check(&path, &bytes, file, advice)?;
    }
    Images::new(pixels, labels, SHAPE)
}

fn append_records(
    path: &Path,
    bytes: &[u8],
    layout: &Layout,
    pixels: &mut Vec<u8>,
    labels: &mut Vec<u16>,
    advice: &str,
) -> Result<()> {
    let record = layout.label_bytes + SHAPE.values();
    let records = bytes.chunks_exact(record);
    if !records.remainder().is_empty() {
        let problem = format!(
            "its {} bytes are no multiple of {record}, the length of a record",
            bytes.len()
        );
        return Err(Error::corrupt(path, problem, advice));
    }
    pixels.reserve(records.len() * SHAPE.values());
    for (index, record) in records.enumerate() {
        let (head, image) = record.split_at(layout.label_bytes);
        let label = head.last().map_or(0, |&label| u16::from(label));
        if label >= layout.classes {
            let problem = format!("label {index} is {label}, not 0 to {}", layout.classes - 1);
            return Err(Error::corrupt(path, problem, advice));
        }
        labels.push(label);
        pixels.extend_from_slice(image);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{KnownFile, Layout, load};
    use std::path::Path;

    fn record(labels: &[u8], shade: u8) -> Vec<u8> {
        let planes = [0, 1, 2].map(|channel| vec![shade + channel; 1024]);
        [labels.to_vec(), planes.concat()].concat()
    }

    /// Loads a set whose training files hold `train` and whose test file holds one record, all of
    /// `label_bytes` labels. The files are expected to have two records and one record.
    fn load_small(
        train: &[Vec<u8>],
        label_bytes: usize,
        folder: bool,
    ) -> Result<super::RawSplits, String> {
        let directory = tempfile::tempdir().unwrap();
        let inside = if folder {
            directory.path().join("inner")
        } else {
            directory.path().to_path_buf()
        };
        std::fs::create_dir_all(&inside).unwrap();
        let names = ["one.bin", "two.bin"];
        let size = (label_bytes + 3072) as u64;
        let file = |name, records| KnownFile {
            name,
            bytes: records * size,
            sha256: None,
        };
        for (name, bytes) in names.iter().zip(train) {
            std::fs::write(inside.join(name), bytes).unwrap();
        }
        std::fs::write(inside.join("test.bin"), record(&vec![1; label_bytes], 0)).unwrap();
        let train: Vec<KnownFile> = names
            .iter()
            .take(train.len())
            .map(|name| file(*name, 2))
            .collect();
        let layout = Layout {
            folder: "inner",
            train: &train,
            test: &[file("test.bin", 1)],
            label_bytes,
            classes: 10,
        };
        load(Path::new(directory.path()), &layout, "advice").map_err(|error| error.to_string())
    }

    #[test]
    fn records_of_all_files_are_read_in_order() {
        let one = [record(&[3], 10), record(&[4], 20)].concat();
        let two = [record(&[5], 30), record(&[9], 40)].concat();
        let splits = load_small(&[one, two], 1, false).unwrap();
        assert_eq!(splits.train.labels, [3, 4, 5, 9]);
        let firsts: Vec<u8> = splits
            .train
            .in_memory()
            .unwrap()
            .chunks(1024)
            .map(|plane| plane[0])
            .collect();
        assert_eq!(firsts, [10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42]);
        assert_eq!(splits.test.len(), 1);
    }

    #[test]
    fn the_fine_label_is_taken_and_the_archives_own_directory_is_found() {
        let one = [record(&[200, 3], 10), record(&[7, 4], 20)].concat();
        assert_eq!(load_small(&[one], 2, true).unwrap().train.labels, [3, 4]);
    }

    #[test]
    fn a_file_cut_at_several_offsets_is_an_error_not_a_panic() {
        let whole = [record(&[3], 10), record(&[4], 20)].concat();
        for length in [0, 1, 2, 3072, 3073, 3074, 6145] {
            let message = load_small(&[whole[..length].to_vec()], 1, false).unwrap_err();
            assert!(
                message.contains(&format!("truncated: {length} of 6146")),
                "{message}"
            );
        }
    }

    #[test]
    fn the_python_version_is_named_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("cifar-10-batches-py")).unwrap();
        std::fs::write(
            directory.path().join("cifar-10-batches-py/data_batch_1"),
            b"x",
        )
        .unwrap();
        for place in ["", "cifar-10-batches-py"] {
            let path = directory.path().join(place);
            let message = super::load_cifar10(&path, "advice")
                .unwrap_err()
                .to_string();
            assert!(message.contains("Python version"), "{message}");
            assert!(message.contains("mup2 data fetch cifar10"), "{message}");
        }
    }

    #[test]
    fn a_label_beyond_the_classes_is_an_error() {
        let one = [record(&[3], 10), record(&[10], 20)].concat();
        let message = load_small(&[one], 1, false).unwrap_err();
        assert!(message.contains("label 1 is 10, not 0 to 9"), "{message}");
    }
}
