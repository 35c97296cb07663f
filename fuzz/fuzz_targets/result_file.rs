//! `result.json`: absent, or the result of the run whose id it bears; and publishing keeps every value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mup2_fuzz::built_in::KINDS;
use mup2_fuzz::config::RunSpec;
use mup2_fuzz::{keeps_run_promises, scratch};
use mup2_sweep::config::{RunId, Selection, parse_sweep};
use mup2_sweep::results::{Fingerprint, RESULT_FORMAT, ResultStore, RunResult};
use std::fs;
use std::sync::LazyLock;

static STORE: LazyLock<ResultStore> = LazyLock::new(|| {
    let text = "name = 'fuzz'\n[grid]\nscheme = ['mup2']\nwidth = [128]\nlr = [0.1]\nrho = [0.1]";
    let sweep = parse_sweep(text, "SWEEP.toml", &[], KINDS).expect("the sweep is valid");
    let directory = scratch().join("results");
    ResultStore::create(&directory, &sweep, &Fingerprint::default()).expect("an empty directory")
});

fuzz_target!(|bytes: &[u8]| {
    let parsed = serde_json::from_slice::<RunResult>(bytes).ok();
    // Only an id that is one may name a directory.
    let claimed = parsed.as_ref().map(|result| result.id.as_str().parse());
    let id: RunId = match claimed {
        Some(Ok(id)) => id,
        _ => RunId::of(&RunSpec::default()),
    };
    let run = STORE.directory().join("runs").join(id.as_str());
    fs::create_dir_all(&run).expect("the run's directory can be made");
    fs::write(run.join("result.json"), bytes).expect("the result can be written");
    let accepted = STORE.result(&id).expect("the file can be read");
    fs::remove_dir_all(&run).expect("the run's directory can be removed");
    if let Some(result) = &accepted {
        assert_eq!(result.format, RESULT_FORMAT);
        assert_eq!(result.id, id);
        let spec: RunSpec = result.spec.to().expect("a spec of the built-in trainer");
        assert_eq!(RunId::of(&spec), id);
    }

    let Some(mut result) = parsed else { return };
    let Ok(spec) = result.spec.to::<RunSpec>() else {
        return;
    };
    // Every spec that can be written down has an id, whatever its values.
    assert_eq!(RunId::of(&spec), RunId::of(&spec.clone()));
    if spec.validate("result.json").is_err() {
        // What it holds beside the valid spec of the same id has no effect on the run.
        return;
    }
    keeps_run_promises(&spec, &[]);
    // No mutation finds the hash that belongs to its spec, so it is put right here.
    result.format = RESULT_FORMAT;
    result.id = RunId::of(&spec);
    STORE.publish(&result).expect("a result can be published");
    let read = STORE.result(&result.id).expect("the file can be read");
    assert_eq!(read.as_ref(), Some(&result));
    let ending = STORE.ending(&result.id).expect("the file can be read");
    assert_eq!(
        ending.map(|ending| ending.status).as_ref(),
        Some(&result.status)
    );
    for selection in [
        Selection::Validation,
        Selection::BestValidation,
        Selection::BestTest,
    ] {
        let found = result.accuracies(selection);
        assert!(found.is_none() || !result.epochs.is_empty());
    }
    let run = STORE.directory().join("runs").join(result.id.as_str());
    fs::remove_dir_all(&run).expect("the run's directory can be removed");
});
