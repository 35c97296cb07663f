//! Weights of other programs, and the header of a safetensors file alone: refused in one sentence,
//! or the tensors that PyTorch's reader finds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::checkpoint::{read_metadata, read_shapes, read_weights, write_weights};
use mup2_fuzz::{scratch, sentence};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::fs;

fuzz_target!(|bytes: &[u8]| {
    let path = scratch().join("w.safetensors");
    fs::write(&path, bytes).expect("the file can be written");
    let header = read_shapes(&path).and_then(|shapes| Ok((shapes, read_metadata(&path)?)));
    if let Err(error) = &header {
        sentence(error, "w.safetensors: is not a safetensors file (");
    }
    let weights = read_weights(&path);
    if let Err(error) = &weights {
        sentence(error, "w.safetensors: ");
    }
    let Ok(reference) = SafeTensors::deserialize(bytes) else {
        assert!(weights.is_err());
        return;
    };
    // The header alone says no more and no less than the whole file.
    let (shapes, metadata) = header.expect("a valid file has a valid header");
    let counter = |name: &str| name.ends_with("num_batches_tracked");
    let expected: BTreeMap<String, Vec<usize>> = reference
        .tensors()
        .into_iter()
        .filter(|(name, _)| !counter(name))
        .map(|(name, tensor)| (name, tensor.shape().to_vec()))
        .collect();
    assert_eq!(shapes, expected);
    let Ok(weights) = weights else { return };
    let of_weights = weights
        .iter()
        .map(|(name, weights)| (name.clone(), weights.shape.clone()));
    assert_eq!(of_weights.collect::<BTreeMap<_, _>>(), shapes);

    let kept = scratch().join("kept.safetensors");
    write_weights(&kept, &weights, &metadata).expect("what was read can be written");
    assert_eq!(read_weights(&kept).expect("and read"), weights);
    assert_eq!(read_metadata(&kept).expect("with its metadata"), metadata);
});
