//! The files of our own sweeps, byte for byte: what tables of others need must not change them.

use super::{pages, scattered, sharpness};
use crate::report::{TableOptions, build, terminal_table, write};
use std::fmt::Write;

/// FNV-1a, 64 bits: the same on every machine.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[test]
fn every_file_of_our_own_sweeps_is_as_recorded() {
    let mut lines = String::new();
    for (name, input) in [
        ("grid", pages::small()),
        ("search", scattered::two_widths()),
        ("halving", scattered::halved()),
        ("sharpness", sharpness::measured()),
    ] {
        let report = build(&input);
        let directory = tempfile::tempdir().unwrap();
        write(&report, directory.path()).unwrap();
        let table = terminal_table(&report, &TableOptions::default());
        std::fs::write(directory.path().join("table.txt"), table).unwrap();
        let mut files = Vec::new();
        for folder in [
            directory.path().to_owned(),
            directory.path().join("figures"),
        ] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    files.push(path);
                }
            }
        }
        files.sort();
        for path in files {
            let bytes = std::fs::read(&path).unwrap();
            let file = path.file_name().unwrap().to_str().unwrap();
            writeln!(lines, "{name} {file} {} {:016x}", bytes.len(), hash(&bytes)).unwrap();
        }
    }
    insta::assert_snapshot!(lines);
}
