//! CIFAR files of one record: refused in one sentence, or an image that is the record's bytes.
//!
//! Input: one byte whose lowest bit chooses CIFAR-100, and a training file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::data::{ADVICE, load_cifar10, load_cifar100};
use mup2_fuzz::{scratch, sentence};
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

/// The directories of both sets, with every file but the one that the input stands for.
static DIRECTORIES: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    let directories = ["ten", "hundred"].map(|name| scratch().join(name));
    let rest: [&[&str]; 2] = [
        &[
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
            "test_batch.bin",
        ],
        &["test.bin"],
    ];
    for ((directory, names), labels) in directories.iter().zip(rest).zip([1, 2]) {
        fs::create_dir_all(directory).expect("the directory can be made");
        for name in names {
            fs::write(directory.join(name), vec![9; labels + 3072])
                .expect("the file can be written");
        }
    }
    directories
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    let fine = kind % 2 == 1;
    let (labels, classes) = if fine { (2, 100) } else { (1, 10) };
    let directory = &DIRECTORIES[usize::from(fine)];
    let name = if fine {
        "train.bin"
    } else {
        "data_batch_1.bin"
    };
    fs::write(directory.join(name), bytes).expect("the file can be written");
    let loaded = if fine {
        load_cifar100(directory)
    } else {
        load_cifar10(directory)
    };
    match loaded {
        Err(error) => sentence(&error, ADVICE),
        Ok(splits) => {
            let train = splits.train;
            assert_eq!(splits.classes, classes);
            assert_eq!(
                train.in_memory().unwrap_or_default().len(),
                train.len() * 3072
            );
            assert_eq!(
                train.in_memory().unwrap_or_default()[..3072],
                bytes[labels..]
            );
            assert_eq!(train.labels[0], u16::from(bytes[labels - 1]));
            assert!(usize::from(train.labels[0]) < classes);
        }
    }
});
