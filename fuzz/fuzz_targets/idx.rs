//! IDX files, plain and gzipped: refused in one sentence, or images that are the file's bytes.
//!
//! Input: how the images are stored (see the match), how the labels are, the length of the images' part
//! in two bytes, the lowest first, the images' part, the labels' part.

#![no_main]

use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use mup2_fuzz::data::{ADVICE, IDX_NAMES, load_any_idx, load_idx};
use mup2_fuzz::{empty_directory, sentence};
use std::fs;
use std::io::Write;
use std::path::Path;

const TEST_IMAGES: &[u8] = &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 7, 8];
const TEST_LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 1, 9];

/// Stores one file and returns the decompressed length that is published of it.
fn store(directory: &Path, name: &str, how: u8, bytes: &[u8]) -> u64 {
    let gzipped = directory.join(format!("{name}.gz"));
    let (path, contents) = match how % 3 {
        0 => (directory.join(name), bytes.to_vec()),
        1 => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).expect("a vector takes all");
            (gzipped, encoder.finish().expect("a vector takes all"))
        }
        _ => (gzipped, bytes.to_vec()),
    };
    fs::write(path, contents).expect("the file can be written");
    // Of foreign gzip data the length is not known here: any one will do.
    if how % 3 == 2 {
        u64::from(how)
    } else {
        bytes.len() as u64
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&[images_how, labels_how, low, high], rest)) = input.split_first_chunk() else {
        return;
    };
    let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
    let (images, labels) = rest.split_at(length);
    let directory = empty_directory("idx");
    let lengths = [
        store(&directory, IDX_NAMES[0], images_how, images),
        store(&directory, IDX_NAMES[1], labels_how, labels),
        store(&directory, IDX_NAMES[2], 0, TEST_IMAGES),
        store(&directory, IDX_NAMES[3], 0, TEST_LABELS),
    ];
    let any = load_any_idx(&directory);
    if let Err(error) = &any {
        sentence(error, "; give a directory with four IDX files");
    }
    match load_idx(&directory, lengths) {
        Err(error) => sentence(&error, ADVICE),
        Ok(splits) => {
            let train = splits.train;
            assert!(!train.is_empty());
            assert_eq!(
                train.in_memory().unwrap_or_default().len(),
                train.len() * train.shape.values()
            );
            if train.shape == splits.test.shape {
                let any = any.expect("a set that is known is one of any");
                assert_eq!(any.train, train);
                assert_eq!(any.test, splits.test);
            }
            assert!(
                train
                    .labels
                    .iter()
                    .all(|label| usize::from(*label) < splits.classes)
            );
            if images_how % 3 != 2 && labels_how % 3 != 2 {
                assert_eq!(train.in_memory().unwrap_or_default(), &images[16..]);
                assert!(
                    train
                        .labels
                        .iter()
                        .map(|label| *label as u8)
                        .eq(labels[8..].iter().copied())
                );
            }
        }
    }
});
