//! `sweep.json`: refused in one sentence, or a valid sweep that its directory goes on belonging to.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::results::ResultStore;
use mup2_fuzz::{keeps_sweep_promises, scratch, sentence};
use std::fs;

fuzz_target!(|bytes: &[u8]| {
    let directory = scratch().join("results");
    fs::create_dir_all(&directory).expect("the directory can be made");
    fs::write(directory.join("sweep.json"), bytes).expect("the manifest can be written");
    let manifest = match ResultStore::open(&directory) {
        Ok((_, manifest)) => manifest,
        Err(error) => return sentence(&error, "sweep.json"),
    };
    keeps_sweep_promises(&manifest.sweep, &[]);

    let (digest, device) = (&manifest.dataset_digest, manifest.device);
    ResultStore::create(&directory, &manifest.sweep, digest, device)
        .expect("a sweep may go on in its own directory");
    let (_, again) = ResultStore::open(&directory).expect("the directory was a sweep's before");
    assert_eq!(again.sweep, manifest.sweep);
    assert_eq!(again.dataset_digest, manifest.dataset_digest);
    assert_eq!(again.device, device);

    let mut other = manifest.sweep;
    other.name.push('x');
    let refused = ResultStore::create(&directory, &other, digest, device);
    sentence(
        &refused.expect_err("a sweep of another name"),
        "; allowed: ",
    );
});
