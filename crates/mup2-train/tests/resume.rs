//! A training that is interrupted anywhere goes on to the same bits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use mup2_scaling::error::Error;
use mup2_scaling::workers::Cancel;
use mup2_sweep::config::RunId;
use mup2_train::checkpoint::CheckpointDirectory;
use mup2_train::config::{RunSpec, TrainingDevice, parse_run};
use mup2_train::data::load;
use mup2_train::train::{
    Checkpointing, Earlier, Keeping, Progress, RunResult, train, train_resumably,
};
use std::path::Path;
use std::time::Duration;

fn keeping(checkpointing: &Checkpointing) -> Keeping {
    Keeping {
        start: None,
        checkpoints: Some(checkpointing.clone()),
        weights: None,
    }
}

fn run(toml: &[&str]) -> RunSpec {
    let small = [
        "data.train_limit=320",
        "data.average_pool=7",
        "model.width=8",
        "model.base_width=4",
        "train.epochs=3",
    ];
    let overrides: Vec<String> = small
        .iter()
        .chain(toml)
        .map(|text| (*text).to_owned())
        .collect();
    parse_run("", "test", &overrides).unwrap()
}

/// Trains in pieces: interrupted after every third step, taken up again by a new model.
fn in_pieces(spec: &RunSpec) -> (RunResult, usize) {
    let data = load(&spec.data).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let checkpointing = Checkpointing {
        directory: CheckpointDirectory::new(&directory.path().join("run")),
        interval: Duration::ZERO,
        resume: true,
        earlier: Vec::new(),
        keep: false,
    };
    for pieces in 1..100 {
        let cancel = Cancel::default();
        let mut steps = 0;
        let mut resumed = false;
        let result = train_resumably(
            spec,
            &data,
            TrainingDevice::Flex,
            &cancel,
            &keeping(&checkpointing),
            |progress| match progress {
                Progress::Note(note) => {
                    assert!(note.starts_with("resumed after step "), "{note}");
                    resumed = true;
                }
                Progress::Step { .. } => {
                    steps += 1;
                    if steps == 3 {
                        cancel.cancel();
                    }
                }
                Progress::Epoch(_) | Progress::Started { .. } => {}
            },
        );
        assert_eq!(resumed, pieces > 1);
        match result {
            Ok(result) => {
                assert!(
                    !directory.path().join("run").exists(),
                    "checkpoints are left"
                );
                return (result, pieces);
            }
            Err(Error::Interrupted) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("never ends")
}

#[test]
fn a_training_in_pieces_has_the_result_of_one_in_one_go() {
    let cases: [&[&str]; 9] = [
        &[],
        &[
            "optimizer.momentum=0.9",
            "optimizer.weight_decay=0.001",
            "model.bias=true",
        ],
        &[
            "optimizer.name=adamw",
            "optimizer.lr=0.003",
            "optimizer.schedule=cosine",
        ],
        &["sam.rule=random", "sam.every=2", "data.label_noise=0.3"],
        &["sam.rule=asam", "sam.rho=0.5", "train.evaluate_every=2"],
        &["train.evaluate_every=2", "train.evaluate_every_steps=3"],
        &[
            "model.kind=resnet",
            "model.width=4",
            "train.ema_decay=0.9",
            "train.epochs=2",
            "augment.crop_padding=1",
            "augment.mixup=0.3",
        ],
        &[
            "model.kind=vit",
            "model.vit.patch=2",
            "model.vit.depth=2",
            "model.vit.dropout=0.2",
            "model.vit.stochastic_depth=0.2",
            "train.micro_batches=2",
            "sam.perturbation_batch=micro",
            "train.label_smoothing=0.1",
            "augment.flip=true",
        ],
        &["optimizer.lr=1e30"],
    ];
    for toml in cases {
        let spec = run(toml);
        let data = load(&spec.data).unwrap();
        let whole = train(&spec, &data, &Cancel::default(), |_| {}).unwrap();
        let (found, pieces) = in_pieces(&spec);
        assert_eq!(found, whole, "{toml:?}");
        assert!(
            pieces > 3 || toml == ["optimizer.lr=1e30"],
            "{toml:?}: {pieces} pieces"
        );
    }
}

/// Trains to `epochs` from what the runs of `rungs` have left in `directory`, and says what was noted.
fn climbed(
    spec: &RunSpec,
    epochs: usize,
    rungs: &[usize],
    directory: &Path,
) -> (RunResult, Vec<String>) {
    let kept = |epochs: usize| CheckpointDirectory::new(&directory.join(epochs.to_string()));
    let checkpointing = Checkpointing {
        directory: kept(epochs),
        interval: Duration::from_secs(3600),
        resume: true,
        earlier: rungs
            .iter()
            .rev()
            .map(|rung| Earlier {
                spec: spec.cut_short(*rung),
                directory: kept(*rung),
            })
            .collect(),
        keep: epochs < spec.train.epochs,
    };
    let (spec, mut notes) = (spec.cut_short(epochs), Vec::new());
    let data = load(&spec.data).unwrap();
    let cancel = Cancel::default();
    let result = train_resumably(
        &spec,
        &data,
        TrainingDevice::Flex,
        &cancel,
        &keeping(&checkpointing),
        |progress| {
            if let Progress::Note(note) = progress {
                notes.push(note);
            }
        },
    );
    (result.unwrap(), notes)
}

#[test]
fn a_run_that_goes_on_from_shorter_ones_has_the_result_of_one_from_scratch() {
    let cases: [&[&str]; 5] = [
        // Some epochs end with a step that is evaluated anyway.
        &["train.evaluate_every=4", "train.evaluate_every_steps=2"],
        &["optimizer.momentum=0.9", "optimizer.schedule=cosine"],
        &[
            "optimizer.name=adamw",
            "optimizer.lr=0.003",
            "sam.schedule=linear",
        ],
        &["sam.rule=random", "sam.every=2", "data.label_noise=0.3"],
        // Epochs 1 and 3 are evaluated in the rungs alone.
        &["train.evaluate_every=2", "optimizer.warmup_epochs=1.5"],
    ];
    for toml in cases {
        let spec = run(&[&["train.epochs=4"], toml].concat());
        let data = load(&spec.data).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let from_scratch = |epochs| {
            let spec = spec.cut_short(epochs);
            train(&spec, &data, &Cancel::default(), |_| {}).unwrap()
        };
        for (epochs, rungs) in [(1, &[][..]), (3, &[1]), (4, &[1, 3])] {
            let (found, notes) = climbed(&spec, epochs, rungs, directory.path());
            assert_eq!(found, from_scratch(epochs), "{toml:?} {epochs}");
            let went_on = notes
                .iter()
                .any(|note| note.starts_with("went on after step "));
            assert_eq!(went_on, epochs > 1, "{notes:?}");
        }
        let third = CheckpointDirectory::new(&directory.path().join("3"));
        assert!(third.last(&RunId::of(&spec.cut_short(3))).exists());
        assert!(!directory.path().join("4").exists(), "nothing is longer");
    }
}

#[test]
fn without_a_checkpoint_of_its_beginning_a_run_starts_from_scratch_and_says_so() {
    let spec = run(&["train.epochs=4", "optimizer.schedule=cosine"]);
    let data = load(&spec.data).unwrap();
    let whole = train(&spec, &data, &Cancel::default(), |_| {}).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (found, notes) = climbed(&spec, 4, &[2], directory.path());
    assert_eq!(found, whole);
    assert_eq!(
        notes,
        ["no run cut short has left a checkpoint: trained from the start"]
    );
    // One of another run in its place: its bytes tell.
    let other = run(&["train.epochs=4", "optimizer.schedule=cosine", "seed=1"]);
    climbed(&other, 2, &[], directory.path());
    let rung = CheckpointDirectory::new(&directory.path().join("2"));
    let last = |spec: &RunSpec| rung.last(&RunId::of(&spec.cut_short(2)));
    std::fs::rename(last(&other), last(&spec)).unwrap();
    let (found, notes) = climbed(&spec, 4, &[2], directory.path());
    assert_eq!(found, whole);
    assert!(notes[0].contains("belongs to run"), "{notes:?}");
    assert_eq!(notes.len(), 2);
}
