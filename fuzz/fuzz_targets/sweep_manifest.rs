//! `sweep.json`: refused in one sentence, or a valid sweep that its directory goes on belonging to.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::built_in::KINDS;
use mup2_fuzz::{keeps_sweep_promises, scratch, sentence};
use mup2_sweep::results::ResultStore;
use std::fs;

fuzz_target!(|bytes: &[u8]| {
    let directory = scratch().join("results");
    fs::create_dir_all(&directory).expect("the directory can be made");
    fs::write(directory.join("sweep.json"), bytes).expect("the manifest can be written");
    let manifest = match ResultStore::open(&directory, KINDS) {
        Ok((_, manifest)) => manifest,
        Err(error) => return sentence(&error, "sweep.json"),
    };
    keeps_sweep_promises(&manifest.sweep, &[]);

    ResultStore::create(&directory, &manifest.sweep, &manifest.fingerprint)
        .expect("a sweep may go on in its own directory");
    let (_, again) =
        ResultStore::open(&directory, KINDS).expect("the directory was a sweep's before");
    assert_eq!(again.sweep, manifest.sweep);
    assert_eq!(again.fingerprint, manifest.fingerprint);

    let mut other = manifest.sweep;
    other.name.push('x');
    let refused = ResultStore::create(&directory, &other, &manifest.fingerprint);
    sentence(
        &refused.expect_err("a sweep of another name"),
        "; allowed: ",
    );
});
