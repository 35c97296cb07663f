//! The IDX format of MNIST and Fashion-MNIST, plain or gzipped.
//!
//! Its publisher describes it at <http://yann.lecun.com/exdb/mnist/>.

use std::path::{Path, PathBuf};

use super::RawSplits;
use super::archives::{IdxFiles, KnownFile};
use super::images::{ImageShape, Images};
use super::verified;
use crate::error::{Error, Result};

/// Two zero bytes, the type 8 (unsigned byte) and the number of axes.
const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;
const CLASSES: u16 = 10;

/// Reads and verifies the four files in `directory`.
pub(super) fn load(directory: &Path, files: &IdxFiles, advice: &str) -> Result<RawSplits> {
    Ok(RawSplits {
        train: load_split(directory, &files.train_images, &files.train_labels, advice)?,
        validation: None,
        test: load_split(directory, &files.test_images, &files.test_labels, advice)?,
        classes: usize::from(CLASSES),
        class_names: Vec::new(),
    })
}

/// Reads four files of any set in this format, whatever their lengths: KMNIST, EMNIST, QMNIST or the
/// user's own. They are found by their names, plain or with `.gz`.
pub(super) fn load_any(directory: &Path) -> Result<RawSplits> {
    let split = |names: &[&str]| {
        let images_path = find(directory, names, "images-idx3-ubyte")?;
        let labels_path = find(directory, names, "labels-idx1-ubyte")?;
        let mut bytes = verified::read_any(&images_path, LARGEST_FILE, ADVICE)?;
        let (count, shape) = parse_images_header(&images_path, &bytes, ADVICE)?;
        let label_bytes = verified::read_any(&labels_path, LARGEST_FILE, ADVICE)?;
        let labels = parse_labels(&labels_path, &label_bytes, u16::from(u8::MAX) + 1, ADVICE)?;
        if labels.len() != count {
            let problem = format!("it has {} labels for {count} images", labels.len());
            return Err(Error::corrupt(&labels_path, problem, ADVICE));
        }
        bytes.drain(..IMAGES_HEADER);
        Images::new(bytes, labels, shape)
    };
    let (train, test) = (split(&["train"])?, split(&["t10k", "test"])?);
    if train.shape != test.shape {
        let problem = format!(
            "its training images are {:?}, its test images {:?}",
            train.shape, test.shape
        );
        return Err(Error::corrupt(directory, problem, ADVICE));
    }
    let largest = train.labels.iter().chain(&test.labels).copied().max();
    let classes = usize::from(largest.unwrap_or_default()) + 1;
    Ok(RawSplits {
        train,
        validation: None,
        test,
        classes,
        class_names: Vec::new(),
    })
}

/// A set of a million images of 64×64 is within it, and a bomb in a `.gz` is not.
const LARGEST_FILE: u64 = 1 << 32;

const ADVICE: &str = "give a directory with four IDX files, plain or .gz: \
                      train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, \
                      t10k-labels-idx1-ubyte; words before these names may be the set's";

/// The one file whose name has one of `splits` and ends with `ending`, or with that and `.gz`.
fn find(directory: &Path, splits: &[&str], ending: &str) -> Result<PathBuf> {
    if !directory.is_dir() {
        return Err(Error::corrupt(
            directory,
            "there is no such directory",
            ADVICE,
        ));
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let path = entry.map_err(Error::io("list", directory))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.strip_suffix(".gz").unwrap_or(&name);
        let begins = stem
            .strip_suffix(ending)
            .map(|begin| begin.trim_end_matches(['-', '_']));
        if begins.is_some_and(|begin| splits.iter().any(|split| begin.ends_with(split))) {
            found.push(path.clone());
        }
    }
    found.sort();
    match &found[..] {
        [one] => Ok(one.clone()),
        // The same file, packed and unpacked.
        [plain, packed] if plain.with_added_extension("gz") == *packed => Ok(plain.clone()),
        [] => {
            let problem = format!("it has no file whose name ends with {}-{ending}", splits[0]);
            Err(Error::corrupt(directory, problem, ADVICE))
        }
        [first, second, ..] => {
            let problem = format!(
                "{} and {} could both be meant",
                first.display(),
                second.display()
            );
            Err(Error::corrupt(directory, problem, ADVICE))
        }
    }
}

fn load_split(
    directory: &Path,
    images: &KnownFile,
    labels: &KnownFile,
    advice: &str,
) -> Result<Images> {
    // The structure is looked at before the checksum, since it can say more about what is wrong.
    let path = verified::find(directory, images, advice)?;
    let bytes = verified::read(&path, images, advice)?;
    let (count, shape) = parse_images_header(&path, &bytes, advice)?;
    verified::check(&path, &bytes, images, advice)?;

    let labels_path = verified::find(directory, labels, advice)?;
    let labels_bytes = verified::read(&labels_path, labels, advice)?;
    let values = parse_labels(&labels_path, &labels_bytes, CLASSES, advice)?;
    verified::check(&labels_path, &labels_bytes, labels, advice)?;

    if values.len() != count {
        let problem = format!("it has {} labels for {count} images", values.len());
        return Err(Error::corrupt(&labels_path, problem, advice));
    }
    let mut pixels = bytes;
    pixels.drain(..IMAGES_HEADER);
    Images::new(pixels, values, shape)
}

const IMAGES_HEADER: usize = 16;
const LABELS_HEADER: usize = 8;

/// Returns the number of images and their shape. Nothing is allocated by what the header says: it
/// must agree with the length of the bytes that are there.
fn parse_images_header(path: &Path, bytes: &[u8], advice: &str) -> Result<(usize, ImageShape)> {
    let corrupt = |problem: String| Err(Error::corrupt(path, problem, advice));
    let Some((header, pixels)) = bytes.split_at_checked(IMAGES_HEADER) else {
        return corrupt(format!(
            "{} bytes are too few for an IDX header",
            bytes.len()
        ));
    };
    let [magic, count, height, width] = numbers(header);
    if magic != IMAGES_MAGIC {
        return corrupt(wrong_magic(magic, IMAGES_MAGIC));
    }
    // Three 32-bit numbers fit u128.
    let claimed = u128::from(count) * u128::from(height) * u128::from(width);
    if claimed == 0 || claimed != pixels.len() as u128 {
        return corrupt(format!(
            "its header claims {count} images of {height}×{width} pixels, but {} bytes follow",
            pixels.len()
        ));
    }
    let shape = ImageShape {
        channels: 1,
        height: height as usize,
        width: width as usize,
    };
    Ok((count as usize, shape))
}

fn parse_labels(path: &Path, bytes: &[u8], classes: u16, advice: &str) -> Result<Vec<u16>> {
    let corrupt = |problem: String| Err(Error::corrupt(path, problem, advice));
    let Some((header, labels)) = bytes.split_at_checked(LABELS_HEADER) else {
        return corrupt(format!(
            "{} bytes are too few for an IDX header",
            bytes.len()
        ));
    };
    let [magic, count] = numbers(header);
    if magic != LABELS_MAGIC {
        return corrupt(wrong_magic(magic, LABELS_MAGIC));
    }
    if u64::from(count) != labels.len() as u64 {
        return corrupt(format!(
            "its header claims {count} labels, but {} bytes follow",
            labels.len()
        ));
    }
    let labels: Vec<u16> = labels.iter().map(|&label| u16::from(label)).collect();
    match labels.iter().position(|&label| label >= classes) {
        Some(index) => corrupt(format!(
            "label {index} is {}, not 0 to {}",
            labels[index],
            classes - 1
        )),
        None => Ok(labels),
    }
}

/// The first N big-endian numbers of a header; 0 for what is missing.
fn numbers<const N: usize>(header: &[u8]) -> [u32; N] {
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(header.chunks_exact(4)) {
        *number = bytes
            .iter()
            .fold(0, |value, &byte| value << 8 | u32::from(byte));
    }
    numbers
}

fn wrong_magic(found: u32, expected: u32) -> String {
    format!("it begins with {found:#010x}, not with {expected:#010x}, so it is no such IDX file")
}

#[cfg(test)]
mod tests {
    use super::super::archives::{IdxFiles, KnownFile};
    use super::load;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use std::path::Path;

    fn images(count: u32, height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
        let header = [0x803, count, height, width].map(u32::to_be_bytes).concat();
        [&header, pixels].concat()
    }

    fn labels(labels: &[u8]) -> Vec<u8> {
        let header = [0x801, labels.len() as u32].map(u32::to_be_bytes).concat();
        [&header, labels].concat()
    }

    const PIXELS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 254, 255];

    /// A small genuine set: 2 training images of 2×3, 1 test image.
    fn write_small_set(directory: &Path) {
        let write = |name: &str, bytes: Vec<u8>| std::fs::write(directory.join(name), bytes);
        write("train-images-idx3-ubyte", images(2, 2, 3, &PIXELS)).unwrap();
        write("train-labels-idx1-ubyte", labels(&[3, 9])).unwrap();
        write("t10k-images-idx3-ubyte", images(1, 2, 3, &PIXELS[6..])).unwrap();
        write("t10k-labels-idx1-ubyte", labels(&[0])).unwrap();
    }

    /// Files of the lengths now in `directory`, whose sums are unknown.
    fn files(directory: &Path) -> IdxFiles<'static> {
        let file = |name: &'static str| KnownFile {
            name,
            bytes: std::fs::metadata(directory.join(name)).map_or(0, |data| data.len()),
            sha256: None,
        };
        IdxFiles {
            train_images: file("train-images-idx3-ubyte"),
            train_labels: file("train-labels-idx1-ubyte"),
            test_images: file("t10k-images-idx3-ubyte"),
            test_labels: file("t10k-labels-idx1-ubyte"),
        }
    }

    /// The error of a small set of which one file is replaced by `bytes`.
    fn problem_with(name: &str, bytes: &[u8]) -> String {
        let directory = tempfile::tempdir().unwrap();
        write_small_set(directory.path());
        std::fs::write(directory.path().join(name), bytes).unwrap();
        let files = files(directory.path());
        let error = load(directory.path(), &files, "advice").unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(name) && message.ends_with("; advice"),
            "{message}"
        );
        message
    }

    #[test]
    fn generated_files_are_read_back_plain_and_gzipped() {
        let directory = tempfile::tempdir().unwrap();
        write_small_set(directory.path());
        let files = files(directory.path());
        let plain = load(directory.path(), &files, "").unwrap();
        assert_eq!((plain.train.shape.height, plain.train.shape.width), (2, 3));
        assert_eq!(plain.train.in_memory().unwrap(), PIXELS);
        assert_eq!(plain.train.labels, [3, 9]);
        assert_eq!(plain.test.in_memory().unwrap(), &PIXELS[6..]);

        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let path = entry.unwrap().path();
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&std::fs::read(&path).unwrap()).unwrap();
            let gzipped =
                path.with_file_name(format!("{}.gz", path.file_name().unwrap().display()));
            std::fs::write(gzipped, encoder.finish().unwrap()).unwrap();
            std::fs::remove_file(path).unwrap();
        }
        let gzipped = load(directory.path(), &files, "").unwrap();
        assert_eq!((gzipped.train, gzipped.test), (plain.train, plain.test));
    }

    #[test]
    fn a_file_cut_at_any_offset_is_an_error_not_a_panic() {
        let whole = images(2, 2, 3, &PIXELS);
        for length in 0..whole.len() {
            problem_with("train-images-idx3-ubyte", &whole[..length]);
        }
        let whole = labels(&[3, 9]);
        for length in 0..whole.len() {
            problem_with("train-labels-idx1-ubyte", &whole[..length]);
        }
    }

    #[test]
    fn a_wrong_magic_number_is_named() {
        let mut bytes = images(2, 2, 3, &PIXELS);
        bytes[3] = 1;
        let message = problem_with("train-images-idx3-ubyte", &bytes);
        assert!(message.contains("0x00000801"), "{message}");
    }

    #[test]
    fn header_sizes_beyond_the_file_are_refused_without_allocating() {
        for (count, height, width) in [(u32::MAX, u32::MAX, u32::MAX), (0, 2, 3), (3, 2, 3)] {
            let message = problem_with(
                "train-images-idx3-ubyte",
                &images(count, height, width, &PIXELS),
            );
            assert!(message.contains("its header claims"), "{message}");
        }
    }

    #[test]
    fn labels_that_are_too_large_or_too_few_are_errors() {
        let message = problem_with("train-labels-idx1-ubyte", &labels(&[3, 10]));
        assert!(message.contains("label 1 is 10, not 0 to 9"), "{message}");
        let message = problem_with("train-labels-idx1-ubyte", &labels(&[3]));
        assert!(message.contains("1 labels for 2 images"), "{message}");
    }

    #[test]
    fn any_set_is_read_by_the_names_of_its_files() {
        let directory = tempfile::tempdir().unwrap();
        let error = super::load_any(directory.path()).unwrap_err().to_string();
        assert!(error.contains("train-images-idx3-ubyte"), "{error}");
        let write = |name: &str, bytes: Vec<u8>| {
            std::fs::write(directory.path().join(name), bytes).unwrap();
        };
        write("emnist-train-images-idx3-ubyte", images(2, 2, 3, &PIXELS));
        write("emnist-train-labels-idx1-ubyte", labels(&[3, 25]));
        write(
            "emnist-test-images-idx3-ubyte",
            images(1, 2, 3, &PIXELS[6..]),
        );
        write("emnist-test-labels-idx1-ubyte", labels(&[0]));
        let splits = super::load_any(directory.path()).unwrap();
        assert_eq!((splits.classes, splits.train.labels), (26, vec![3, 25]));
        assert_eq!(splits.test.in_memory().unwrap(), &PIXELS[6..]);
        write("kmnist-train-images-idx3-ubyte", images(2, 2, 3, &PIXELS));
        let error = super::load_any(directory.path()).unwrap_err().to_string();
        assert!(error.contains("could both be meant"), "{error}");
    }
}
