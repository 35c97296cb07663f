//! What is torn, changed or foreign is refused, and the older checkpoint serves.

use super::*;
use crate::config::RunSpec;
use crate::error::Error;
use crate::results::RunStatus;
use std::fs;
use std::path::Path;

fn checkpoint(seed: u64, steps: usize) -> Checkpoint {
    let spec = RunSpec {
        seed,
        ..RunSpec::default()
    };
    let id = RunId::of(&spec);
    let weights = Weights {
        shape: vec![2, 3],
        values: vec![0.0, -0.0, 1.5, f32::MIN_POSITIVE, -3.25, 1e30],
    };
    Checkpoint {
        state: TrainingState {
            format: CHECKPOINT_FORMAT,
            id: id.clone(),
            result: RunResult {
                mup2_version: "0".to_owned(),
                status: RunStatus::Completed,
                steps,
                ..RunResult::new(id, spec)
            },
            loss_sum: 0.1 + 0.2,
            sam_steps: 7,
            parameters: BTreeMap::from([("input.weight".to_owned(), u64::MAX)]),
        },
        weights: BTreeMap::from([("input.weight".to_owned(), weights)]),
        optimizer: vec![1, 2, 3],
    }
}

fn read(bytes: &[u8], id: &RunId) -> Result<Checkpoint, Error> {
    Checkpoint::from_bytes(bytes, id, Path::new("c.safetensors"))
}

#[test]
fn a_checkpoint_is_read_back_bit_for_bit() {
    let written = checkpoint(0, 12);
    let found = read(&written.to_bytes().unwrap(), &written.state.id).unwrap();
    assert_eq!(found, written);
    assert!(found.weights["input.weight"].values[1].is_sign_negative());
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_is_refused() {
    let written = checkpoint(0, 12);
    let bytes = written.to_bytes().unwrap();
    for length in 0..bytes.len() {
        assert!(
            read(&bytes[..length], &written.state.id).is_err(),
            "cut at {length}"
        );
    }
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        match read(&changed, &written.state.id) {
            Err(_) => {}
            // A flip that only respells the header, such as in a space, changes nothing.
            Ok(found) => assert_eq!(found, written, "flip at {place}"),
        }
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused_by_name() {
    let written = checkpoint(0, 12);
    let other = checkpoint(1, 12).state.id;
    let error = read(&written.to_bytes().unwrap(), &other).unwrap_err();
    let expected = format!("belongs to run {}, not to {other}", written.state.id);
    assert!(error.to_string().contains(&expected), "{error}");
}

#[test]
fn a_torn_last_checkpoint_is_reported_and_the_previous_one_used() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDirectory::new(&directory.path().join("run"));
    let (first, second) = (checkpoint(0, 1), checkpoint(0, 2));
    let id = &first.state.id.clone();
    let load = || checkpoints.load(id).unwrap();
    assert_eq!(load().0, None);
    checkpoints.save(&first).unwrap();
    checkpoints.save(&second).unwrap();
    assert_eq!(load().0, Some(second.clone()));
    let last = directory.path().join("run/last.safetensors");
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();
    let (found, refused) = load();
    assert_eq!(found, Some(first.clone()));
    assert!(
        refused[0].to_string().contains("is not a whole checkpoint"),
        "{}",
        refused[0]
    );
    // Killed between the two renames of `save`.
    fs::remove_file(&last).unwrap();
    assert_eq!(load().0, Some(first));
    checkpoints.remove();
    assert_eq!(load().0, None);
    assert!(!directory.path().join("run").exists());
}
