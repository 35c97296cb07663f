//! A training that is interrupted anywhere goes on to the same bits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use mup2::checkpoint::CheckpointDirectory;
use mup2::config::{RunSpec, parse_run};
use mup2::data::load;
use mup2::error::Error;
use mup2::results::RunResult;
use mup2::train::{Cancel, Checkpointing, Progress, train, train_resumably};
use std::time::Duration;

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
        let result =
            train_resumably(
                spec,
                &data,
                &cancel,
                Some(&checkpointing),
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
                    Progress::Epoch(_) => {}
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
    let cases: [&[&str]; 6] = [
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
