//! `.tar.gz` archives: refused in one sentence, or the wanted files whole; nothing else is written.
//!
//! Input: one byte whose lowest bit says whether the rest is a tar, to be gzipped here, or gzip data.

#![no_main]

use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use mup2_fuzz::data::{WANTED, unpack_wanted};
use mup2_fuzz::{empty_directory, sentence};
use std::fs;
use std::io::Write;
use std::path::Path;

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory can be listed");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name());
    let names = entries.map(|entry| name(entry).expect("the directory can be listed"));
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    let archive = if kind % 2 == 0 {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("a vector takes all");
        encoder.finish().expect("a vector takes all")
    } else {
        bytes.to_vec()
    };
    let directory = empty_directory("archive");
    let (path, into) = (directory.join("set.tar.gz"), directory.join("into"));
    fs::write(&path, archive).expect("the archive can be written");
    fs::create_dir(&into).expect("the directory can be made");
    let outcome = unpack_wanted(&path, &into);
    assert_eq!(names(&directory), ["into", "set.tar.gz"]);
    let found = names(&into);
    let wanted = WANTED.map(|(name, _)| name);
    assert!(
        found.iter().all(|name| wanted.contains(&name.as_str())),
        "{found:?}"
    );
    match outcome {
        Err(error) => sentence(&error, "set.tar.gz"),
        Ok(()) => {
            for (name, length) in WANTED {
                let data = fs::symlink_metadata(into.join(name)).expect("the file is there");
                assert!(data.is_file());
                assert_eq!(data.len(), length);
            }
        }
    }
});
