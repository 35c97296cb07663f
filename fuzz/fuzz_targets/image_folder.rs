//! PNG and JPEG files: refused in one sentence, or images of one shape.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::data::load_folder;
use mup2_fuzz::{scratch, sentence};
use std::fs;

fuzz_target!(|bytes: &[u8]| {
    let directory = scratch().join("images");
    for split in ["train", "test"] {
        let class = directory.join(split).join("class");
        fs::create_dir_all(&class).expect("the directory can be made");
        fs::write(class.join("1.png"), bytes).expect("the image can be written");
    }
    for (resize, crop) in [(None, None), (Some(6), Some(5))] {
        match load_folder(&directory, resize, crop) {
            Err(error) => sentence(&error, "1.png"),
            Ok(splits) => {
                assert_eq!(splits.classes, 1);
                assert_eq!(splits.train, splits.test);
                let shape = splits.train.shape;
                assert!(crop.is_none_or(|side| (shape.height, shape.width) == (side, side)));
                let pixels = splits.train.in_memory().map(<[u8]>::len);
                assert_eq!(pixels, Some(shape.values()));
                assert_eq!(splits.train.labels, [0]);
            }
        }
    }
});
