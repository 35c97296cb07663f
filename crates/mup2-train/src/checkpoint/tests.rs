//! What is torn, changed or foreign is refused, and the older checkpoint serves.

use super::*;
use crate::config::RunSpec;
use crate::error::Error;
use mup2_sweep::results::RunStatus;
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
    let last = checkpoints.last(id);
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
    checkpoints.remove(id);
    assert_eq!(load().0, None);
    assert!(!directory.path().join("run").exists());
}

#[test]
fn a_damaged_checkpoint_does_not_take_the_place_of_a_good_one() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDirectory::new(directory.path());
    let saved: Vec<Checkpoint> = (1..=3).map(|steps| checkpoint(0, steps)).collect();
    let id = &saved[0].state.id.clone();
    let last = checkpoints.last(id);
    // Within the header, and among the weights.
    for cut in [20, 1] {
        saved[..2]
            .iter()
            .for_each(|saved| checkpoints.save(saved).unwrap());
        let bytes = fs::read(&last).unwrap();
        fs::write(
            &last,
            &bytes[..bytes.len() - bytes.len() / cut * (cut - 1).min(1) - 1],
        )
        .unwrap();
        let damaged = fs::read(&last).unwrap();
        let notes = checkpoints.prepare(id).unwrap();
        let (_, aside) = notes[0].split_once("it is kept as ").unwrap();
        assert_eq!(fs::read(aside).unwrap(), damaged);
        assert_eq!(checkpoints.load(id).unwrap().0, Some(saved[0].clone()));
        checkpoints.save(&saved[2]).unwrap();
        assert_eq!(checkpoints.load(id).unwrap().0, Some(saved[2].clone()));
        fs::remove_file(aside).unwrap();
        checkpoints.remove(id);
        fs::create_dir_all(directory.path()).unwrap();
    }
}

#[test]
fn two_runs_in_one_directory_leave_each_others_checkpoints_alone() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDirectory::new(&directory.path().join("ck"));
    let (one, other) = (checkpoint(0, 5), checkpoint(1, 7));
    checkpoints.save(&one).unwrap();
    for _ in 0..3 {
        checkpoints.save(&other).unwrap();
    }
    assert_eq!(
        checkpoints.load(&one.state.id).unwrap().0,
        Some(one.clone())
    );
    let steps: Vec<usize> = checkpoints
        .runs()
        .iter()
        .map(|state| state.result.steps)
        .collect();
    assert_eq!(steps.iter().sum::<usize>(), 12);
    checkpoints.remove(&other.state.id);
    assert_eq!(checkpoints.load(&other.state.id).unwrap().0, None);
    assert_eq!(checkpoints.load(&one.state.id).unwrap().0, Some(one));
}

#[test]
fn what_is_not_of_the_run_is_neither_replaced_nor_removed() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDirectory::new(directory.path());
    let (own, other) = (checkpoint(0, 5), checkpoint(1, 7));
    let id = &own.state.id;
    let (last, previous) = (
        checkpoints.last(id),
        directory.path().join(format!("{id}-previous.safetensors")),
    );
    let weights = directory.path().join("weights.safetensors");
    write_weights(&weights, &own.weights, &BTreeMap::new()).unwrap();
    for (foreign, said) in [
        (other.to_bytes().unwrap(), "is a checkpoint of run"),
        (fs::read(&weights).unwrap(), "is no checkpoint of mup2"),
    ] {
        for place in [&last, &previous] {
            fs::write(place, &foreign).unwrap();
            let error = checkpoints.prepare(id).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert!(checkpoints.save(&own).is_err());
            checkpoints.remove(id);
            assert_eq!(fs::read(place).unwrap(), foreign);
            fs::remove_file(place).unwrap();
        }
    }
    // Nor does a failed write leave anything.
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}
