//! A checkpoint: refused in one sentence, or the one that the run with its id has written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::checkpoint::{
    CHECKPOINT_FORMAT, Checkpoint, CheckpointDirectory, TrainingState, Weights,
};
use mup2_fuzz::config::RunSpec;
use mup2_fuzz::{empty_directory, sentence};
use mup2_sweep::config::RunId;
use mup2_sweep::results::RunResult;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let spec = RunSpec::default();
    let id = RunId::of(&spec);
    let path = Path::new("last.safetensors");
    match Checkpoint::from_bytes(bytes, &id, path) {
        Ok(found) => {
            assert_eq!(found.state.id, id);
            let written = found.to_bytes().expect("what was read can be written");
            assert_eq!(
                Checkpoint::from_bytes(&written, &id, path).expect("read"),
                found
            );
        }
        Err(error) => sentence(&error, "; remove it"),
    }
    in_a_directory(bytes, &id);
    // No mutation finds a SHA-256, so one is also written around the bytes.
    let values: Vec<f32> = bytes.chunks_exact(4).map(|_| 0.5).collect();
    let weights = Weights {
        shape: vec![values.len()],
        values,
    };
    let name = String::from_utf8_lossy(bytes.get(..bytes.len().min(20)).unwrap_or_default());
    let checkpoint = Checkpoint {
        state: TrainingState {
            format: CHECKPOINT_FORMAT,
            id: id.clone(),
            result: RunResult {
                mup2_version: name.clone().into_owned(),
                steps: bytes.len(),
                ..RunResult::before_training(&spec)
            },
            loss_sum: 0.0,
            sam_steps: bytes.len() as u64,
            parameters: BTreeMap::from([(name.clone().into_owned(), 1)]),
        },
        weights: BTreeMap::from([(name.into_owned(), weights)]),
        optimizer: bytes.to_vec(),
    };
    let written = checkpoint
        .to_bytes()
        .expect("any checkpoint can be written");
    let read = Checkpoint::from_bytes(&written, &id, path).expect("and read");
    assert_eq!(read, checkpoint);
});

/// A file where the last checkpoint of a run belongs is refused, set aside, or that checkpoint.
fn in_a_directory(bytes: &[u8], id: &RunId) {
    let directory = CheckpointDirectory::new(&empty_directory("checkpoints"));
    let last = directory.last(id);
    fs::write(&last, bytes).expect("the file can be written");
    let is_whole = Checkpoint::from_bytes(bytes, id, &last).is_ok();
    let runs = directory.runs();
    assert!(runs.iter().all(|state| state.id == *id));
    assert!(!is_whole || runs.len() == 1);
    match directory.prepare(id) {
        Err(error) => {
            sentence(&error, "-last.safetensors");
            assert_eq!(fs::read(&last).expect("the file stays"), bytes);
        }
        Ok(notes) => {
            assert_eq!(notes.is_empty(), is_whole);
            let (found, refused) = directory.load(id).expect("the directory can be read");
            assert!(found.is_some() == is_whole && refused.is_empty());
        }
    }
}
