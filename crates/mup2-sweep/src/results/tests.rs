//! What is published stays, and what is torn counts as absent.

use super::*;
use crate::command::COMMAND;
use crate::config::{SweepSpec, parse_sweep};
use std::fs;
use std::time::{Duration, Instant, SystemTime};

fn sweep(name: &str) -> SweepSpec {
    let text = format!(
        "name = '{name}'\n[command]\nargv = ['true', '{{lr}}', '{{seed}}']\nmetric = 'accuracy'\n\
         [grid]\nlr = [0.1]\nseed = [1]"
    );
    parse_sweep(&text, "s.toml", &[], &[COMMAND]).unwrap()
}

fn result(status: RunStatus) -> RunResult {
    let sweep = sweep("one");
    let run = sweep.plan().remove(0);
    let epoch = |epoch, validation, test_accuracy| EpochMetrics {
        epoch,
        step: None,
        train_loss: 0.1 + 0.2,
        validation_accuracy: Some(validation),
        test_accuracy,
        sharpness: None,
    };
    RunResult {
        mup2_version: "0".into(),
        status,
        steps: 3,
        epochs: vec![epoch(1, 0.7, 0.9), epoch(2, 0.8, 0.6), epoch(3, 0.75, 0.7)],
        metrics: BTreeMap::from([("accuracy".to_owned(), 1.0 / 3.0)]),
        curves: BTreeMap::from([("loss".to_owned(), vec![0.3, 0.1 + 0.2])]),
        ..RunResult::new(run.id.clone(), sweep.spec(&run))
    }
}

fn fingerprint(dataset_digest: &str, device: &str) -> Fingerprint {
    Fingerprint {
        dataset_digest: dataset_digest.to_owned(),
        device: device.to_owned(),
    }
}

fn create(
    directory: &tempfile::TempDir,
    name: &str,
    data: &str,
    device: &str,
) -> Result<ResultStore, String> {
    let store = ResultStore::create(directory.path(), &sweep(name), &fingerprint(data, device));
    store.map_err(|error| error.to_string())
}

fn store(directory: &tempfile::TempDir) -> ResultStore {
    create(directory, "one", "digest", PROCESSOR).unwrap()
}

#[test]
fn a_published_result_is_read_back_bit_for_bit() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let written = result(RunStatus::Completed);
    assert_eq!(store.result(&written.id).unwrap(), None);
    store.publish(&written).unwrap();
    assert_eq!(store.result(&written.id).unwrap(), Some(written));
}

#[test]
fn sharpness_is_read_back_bit_for_bit_and_a_file_without_it_still_reads() {
    let measures = SharpnessMeasures {
        eigenvalue: Some(EigenvalueMetrics {
            value: -0.1 - 0.2,
            most_positive: 1.0 / 3.0,
            residual: 1e-300,
            iterations: 7,
            converged: false,
        }),
        trace: Some(TraceMetrics {
            value: 2.0 / 3.0,
            stderr: None,
        }),
        sam: None,
    };
    let mut measured = result(RunStatus::Completed);
    measured.epochs[2].sharpness = Some(SharpnessMetrics {
        loss: 0.7,
        whole: measures,
        gradient_evaluations: 15,
        layers: vec![LayerSharpness {
            name: "readout.weight".into(),
            measures: SharpnessMeasures::default(),
        }],
    });
    let text = serde_json::to_string(&measured).unwrap();
    assert_eq!(serde_json::from_str::<RunResult>(&text).unwrap(), measured);
    let without = serde_json::to_string(&result(RunStatus::Completed).epochs).unwrap();
    assert!(!without.contains("sharpness"));
    let read: Vec<EpochMetrics> = serde_json::from_str(&without).unwrap();
    assert_eq!(read, result(RunStatus::Completed).epochs);
}

#[test]
fn the_first_of_two_copies_wins_and_leaves_no_attempt_behind() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let first = result(RunStatus::Completed);
    store.publish(&first).unwrap();
    store.publish(&result(RunStatus::Diverged)).unwrap();
    assert_eq!(store.result(&first.id).unwrap(), Some(first));
    assert_eq!(
        fs::read_dir(directory.path().join("runs")).unwrap().count(),
        1
    );
}

#[test]
fn a_failed_run_is_replaced_by_a_later_result() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let reason = "panic".to_owned();
    store
        .publish(&result(RunStatus::Failed { reason }))
        .unwrap();
    let later = result(RunStatus::Completed);
    store.publish(&later).unwrap();
    assert_eq!(store.result(&later.id).unwrap(), Some(later));
}

#[test]
fn a_result_cut_anywhere_counts_as_absent_and_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let whole = result(RunStatus::Completed);
    store.publish(&whole).unwrap();
    let path = directory
        .path()
        .join("runs")
        .join(whole.id.as_str())
        .join("result.json");
    let bytes = fs::read(&path).unwrap();
    // The last byte is a newline, without which the object is still whole.
    for length in 0..bytes.len() - 1 {
        fs::write(&path, &bytes[..length]).unwrap();
        assert_eq!(store.result(&whole.id).unwrap(), None, "cut at {length}");
    }
    store.publish(&whole).unwrap();
    assert_eq!(store.result(&whole.id).unwrap(), Some(whole));
}

#[test]
fn a_directory_of_another_sweep_or_of_other_data_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    store(&directory);
    let refused = |name: &str, data: &str| create(&directory, name, data, PROCESSOR).unwrap_err();
    assert!(refused("two", "digest").contains("holds the results of sweep `one`"));
    assert!(refused("one", "other").contains("made from other data"));
}

#[test]
fn a_directory_keeps_to_the_device_that_it_was_created_for() {
    let directory = tempfile::tempdir().unwrap();
    let on = |device: &str| create(&directory, "one", "digest", device);
    assert_eq!(on("vulkan").unwrap().device(), "vulkan");
    let (store, manifest) = ResultStore::open(directory.path(), &[COMMAND]).unwrap();
    assert_eq!(store.device(), "vulkan");
    assert_eq!(manifest.fingerprint, fingerprint("digest", "vulkan"));
    let error = on(PROCESSOR).unwrap_err();
    assert!(
        error.contains("holds results of device `vulkan`, not of `flex`"),
        "{error}"
    );
    assert!(error.ends_with("`--device vulkan`"), "{error}");
    on("vulkan").unwrap();
}

#[test]
fn a_directory_of_the_processor_is_one_of_before_there_were_devices() {
    let directory = tempfile::tempdir().unwrap();
    store(&directory);
    let text = fs::read_to_string(directory.path().join("sweep.json")).unwrap();
    assert!(!text.contains("device"), "{text}");
    let (store, _) = ResultStore::open(directory.path(), &[COMMAND]).unwrap();
    assert_eq!(store.device(), PROCESSOR);
}

#[test]
fn a_sweep_is_read_back_from_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    store(&directory);
    let (_, manifest) = ResultStore::open(directory.path(), &[COMMAND]).unwrap();
    assert_eq!(manifest.sweep, sweep("one"));
    assert_eq!(manifest.sweep.plan(), sweep("one").plan());
    let error = ResultStore::open(directory.path(), &[]).unwrap_err();
    assert!(
        error.to_string().contains("does not say what a run is"),
        "{error}"
    );
}

#[test]
fn a_directory_with_foreign_files_is_left_untouched() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("thesis.tex"), "text").unwrap();
    let error = create(&directory, "one", "digest", PROCESSOR).unwrap_err();
    assert!(error.contains("is not empty and holds no sweep"), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn the_selection_decides_which_epoch_counts() {
    let result = result(RunStatus::Completed);
    assert_eq!(result.accuracies(Selection::Validation), Some((0.75, 0.7)));
    assert_eq!(
        result.accuracies(Selection::BestValidation),
        Some((0.8, 0.6))
    );
    assert_eq!(result.accuracies(Selection::BestTest), Some((0.9, 0.9)));
}

#[test]
fn a_manifest_with_a_grid_that_no_sweep_may_have_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    store(&directory);
    let path = directory.path().join("sweep.json");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, key) in [
        ("\"argv\": [", "\"argv\": [\"{width}\",", "command.argv"),
        ("\"seed\": [", "\"seed\": [1,", "grid.seed"),
        ("\"grid\"", "\"grids\"", "grids"),
    ] {
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = ResultStore::open(directory.path(), &[COMMAND]).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[test]
fn a_result_whose_spec_is_another_counts_as_absent() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let whole = result(RunStatus::Completed);
    store.publish(&whole).unwrap();
    let path = directory.path().join("runs").join(whole.id.as_str());
    let text = fs::read_to_string(path.join("result.json")).unwrap();
    for (from, to) in [
        ("\"seed\": 1", "\"seed\": 2"),
        ("\"version\"", "\"versions\""),
    ] {
        let damaged = text.replace(from, to);
        assert_ne!(damaged, text);
        fs::write(path.join("result.json"), damaged).unwrap();
        assert_eq!(store.result(&whole.id).unwrap(), None);
    }
}

#[test]
fn of_two_sweeps_that_begin_at_once_in_one_directory_one_runs() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("results");
        let opened: Vec<bool> = std::thread::scope(|scope| {
            let begin = |name| {
                let place = &place;
                scope.spawn(move || {
                    ResultStore::create(place, &sweep(name), &fingerprint("d", "flex")).is_ok()
                })
            };
            let threads = [begin("one"), begin("other")];
            threads.map(|thread| thread.join().unwrap()).to_vec()
        });
        assert_eq!(opened.iter().filter(|opened| **opened).count(), 1);
        let names = fs::read_dir(&place).unwrap().flatten();
        let names: Vec<String> = names
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        assert!(!names.iter().any(|name| name.starts_with('.')), "{names:?}");
    }
}

/// A heartbeat of some process, by the name of its file after the run's id.
fn heartbeat_of(store: &ResultStore, id: &RunId, name: &str) -> std::path::PathBuf {
    let running = store.directory().join("running");
    fs::create_dir_all(&running).unwrap();
    let path = running.join(format!("{id}.{name}"));
    fs::write(&path, b"").unwrap();
    path
}

#[test]
fn a_process_of_the_same_host_name_and_id_is_another_unless_it_has_our_token() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let id = result(RunStatus::Completed).id;
    let own = store.begin(&id);
    assert_eq!(store.running_elsewhere(), []);
    assert_eq!(store.running().len(), 1);
    // As in two containers, each with a process 1 on a host of the same name.
    let ours = store.running().remove(0);
    heartbeat_of(&store, &id, &format!("{}.{}.1-00ff-0", ours.pid, ours.host));
    assert_eq!(store.running_elsewhere().len(), 1);
    drop(own);
    assert_eq!(
        store.running().len(),
        1,
        "the sign of another was taken back"
    );
}

#[test]
fn a_dead_process_whose_clock_was_ahead_grows_stale_as_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let id = result(RunStatus::Completed).id;
    let path = heartbeat_of(&store, &id, "4242.deadnode.0");
    let ahead = SystemTime::now() + Duration::from_secs(86_400);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(ahead).unwrap();
    assert_eq!(store.running().len(), 1, "it may be alive");
    let long_ago = Instant::now().checked_sub(STALE_HEARTBEAT * 2).unwrap();
    let seen_long_ago = |store: &ResultStore| {
        for (_, since) in store.ahead.lock().unwrap().values_mut() {
            *since = long_ago;
        }
    };
    seen_long_ago(&store);
    assert_eq!(store.running(), [], "it has not changed since");
    // One that is alive renews its sign, by its own clock.
    file.set_modified(ahead + Duration::from_secs(10)).unwrap();
    assert_eq!(store.running().len(), 1);
}
