//! The dataset inside the program: a stratified subset of Fashion-MNIST, 9,000 images.
//!
//! `scripts/make_embedded_dataset.py` makes the file and describes its layout. The licence (MIT,
//! Zalando SE) stands beside it in `assets/FASHION-MNIST-LICENSE`.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use super::RawSplits;
use super::images::{ImageShape, Images};
use super::verified::sha256;
use crate::error::{Error, Result};

static FILE: &[u8] = include_bytes!("../../assets/fashion-mnist-subset.bin.gz");

/// Printed by `scripts/make_embedded_dataset.py`.
const SHA256: &str = "149dae935ff5ba48ed8a257e8a134eacd9d062ebbaacc72bfb475efe5d53f49a";

const MAGIC: &[u8; 8] = b"MUP2FM01";
const HEADER: usize = 28;
const CLASSES: usize = 10;

/// Unpacks the embedded set.
pub(super) fn load() -> Result<RawSplits> {
    unpack(FILE)
}

fn unpack(file: &[u8]) -> Result<RawSplits> {
    if sha256(file) != SHA256 {
        return Err(corrupt("its SHA-256 is not the one compiled in"));
    }
    let mut bytes = Vec::new();
    GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .map_err(|error| corrupt(&error.to_string()))?;
    parse(&bytes).ok_or_else(|| corrupt("its layout is not the one expected"))
}

fn corrupt(problem: &str) -> Error {
    Error::corrupt(
        Path::new("the embedded dataset"),
        problem,
        "install mup2 again",
    )
}

/// Reads the layout; `None` if the bytes do not follow it.
fn parse(bytes: &[u8]) -> Option<RawSplits> {
    let (header, mut rest) = bytes.split_at_checked(HEADER)?;
    let numbers = header.strip_prefix(MAGIC)?;
    let mut numbers = numbers.chunks_exact(4).map(|number| {
        let number = number.first_chunk::<4>()?;
        usize::try_from(u32::from_be_bytes(*number)).ok()
    });
    let mut number = || numbers.next()?;
    let counts = [number()?, number()?, number()?];
    let shape = ImageShape {
        channels: 1,
        height: number()?,
        width: number()?,
    };
    let mut split = |count: usize| {
        let (labels, after) = rest.split_at_checked(count)?;
        let (pixels, after) = after.split_at_checked(count.checked_mul(shape.values())?)?;
        rest = after;
        let labels = labels.iter().map(|&label| u16::from(label)).collect();
        Images::new(pixels.to_vec(), labels, shape).ok()
    };
    let splits = RawSplits {
        train: split(counts[0])?,
        validation: Some(split(counts[1])?),
        test: split(counts[2])?,
        classes: CLASSES,
        class_names: Vec::new(),
    };
    rest.is_empty().then_some(splits)
}

#[cfg(test)]
mod tests {
    use super::{FILE, load, unpack};
    use std::collections::HashSet;

    #[test]
    fn the_embedded_set_holds_the_promised_images_balanced_over_ten_classes() {
        let splits = load().unwrap();
        let validation = splits.validation.unwrap();
        for (images, per_class) in [
            (&splits.train, 500),
            (&validation, 200),
            (&splits.test, 200),
        ] {
            assert_eq!((images.shape.height, images.shape.width), (28, 28));
            for class in 0..10 {
                let count = images
                    .labels
                    .iter()
                    .filter(|&&label| label == class)
                    .count();
                assert_eq!(count, per_class);
            }
        }
    }

    #[test]
    fn no_image_is_in_two_embedded_splits() {
        let splits = load().unwrap();
        let validation = splits.validation.unwrap();
        let of = |images: &super::Images| -> HashSet<Vec<u8>> {
            images
                .in_memory()
                .unwrap()
                .chunks_exact(784)
                .map(<[u8]>::to_vec)
                .collect()
        };
        let (train, validation, test) = (of(&splits.train), of(&validation), of(&splits.test));
        assert!(train.is_disjoint(&validation));
        assert!(train.is_disjoint(&test) && validation.is_disjoint(&test));
    }

    #[test]
    fn a_changed_byte_in_the_embedded_file_is_noticed() {
        let mut file = FILE.to_vec();
        file[1_000_000] ^= 1;
        let message = unpack(&file).unwrap_err().to_string();
        assert!(message.contains("SHA-256"), "{message}");
    }
}
