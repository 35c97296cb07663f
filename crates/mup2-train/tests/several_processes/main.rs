//! A training in several processes is that of one; whatever goes wrong in one of them ends all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod threads;

use mup2_scaling::error::{Error, Result};
use mup2_scaling::workers::{Cancel, one_core_pool};
use mup2_sweep::results::RunStatus;
use mup2_train::checkpoint::{CheckpointDirectory, Weights, read_weights};
use mup2_train::collective::{Collective, Solo};
use mup2_train::config::{RunSpec, TrainingDevice, parse_run};
use mup2_train::data::load;
use mup2_train::train::{
    Checkpointing, Keeping, Progress, RunResult, TrainedWeights, train_together,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// 128 images of 7 × 7 pixels in batches of 32 and 4 parts, two epochs.
fn run(more: &[&str]) -> RunSpec {
    let small = [
        "data.train_limit=128",
        "data.average_pool=4",
        "train.batch_size=32",
        "train.micro_batches=4",
        "train.epochs=2",
        "model.width=16",
        "model.base_width=8",
        "sam.rho=0.25",
    ];
    let overrides: Vec<String> = small
        .iter()
        .chain(more)
        .map(|text| (*text).to_owned())
        .collect();
    parse_run("", "test", &overrides).unwrap()
}

const RESNET: &[&str] = &[
    "model.kind=resnet",
    "model.width=4",
    "model.base_width=4",
    "optimizer.lr=0.03125",
];

/// On images of 7 × 7 pixels the last stage has one pixel, and batch normalization over 8 numbers makes
/// another network of the last bit within 4 steps. With whole images, parts of 16, small steps and small
/// perturbations the distance stays near 1e-7.
const CALM: &[&str] = &[
    "data.average_pool=1",
    "data.train_limit=256",
    "train.batch_size=64",
    "optimizer.lr=0.002",
    "sam.rho=0.015625",
];

const DROPOUT: &[&str] = &[
    "model.kind=vit",
    "model.vit.patch=7",
    "data.average_pool=2",
    "model.vit.depth=2",
    "model.vit.dropout=0.2",
    "model.vit.stochastic_depth=0.2",
    "train.epochs=1",
    "optimizer.lr=0.03125",
];

/// What each of `size` ranks makes of `job`.
fn each<T: Send>(size: usize, job: impl Fn(&dyn Collective) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let job = &job;
        let ranks = threads::ranks(size)
            .into_iter()
            .map(|rank| scope.spawn(move || one_core_pool().unwrap().install(|| job(&rank))));
        let ranks: Vec<_> = ranks.collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

fn trained(
    spec: &RunSpec,
    keeping: &Keeping,
    collective: &dyn Collective,
    cancel: &Cancel,
    progress: impl FnMut(Progress),
) -> Result<RunResult> {
    let data = load(&spec.data)?;
    let device = TrainingDevice::Flex;
    train_together(spec, &data, device, cancel, keeping, collective, progress)
}

fn plainly(spec: &RunSpec, collective: &dyn Collective) -> Result<RunResult> {
    trained(
        spec,
        &Keeping::default(),
        collective,
        &Cancel::default(),
        |_| {},
    )
}

/// The result and the last weights of `size` processes; one is the plain training.
fn outcome(spec: &RunSpec, size: usize) -> (RunResult, BTreeMap<String, Weights>) {
    let directory = tempfile::tempdir().unwrap();
    let weights = TrainedWeights::new(directory.path());
    let keeping = Keeping {
        start: None,
        checkpoints: None,
        weights: Some(weights.clone()),
    };
    let train = |collective: &dyn Collective| {
        trained(spec, &keeping, collective, &Cancel::default(), |_| {}).unwrap()
    };
    let mut results = match size {
        1 => vec![one_core_pool().unwrap().install(|| train(&Solo))],
        size => each(size, train),
    };
    let result = results.pop().unwrap();
    assert!(results.iter().all(|other| *other == result), "ranks differ");
    (result, read_weights(&weights.last()).unwrap())
}

fn is_close(one: f64, other: f64, tolerance: f64) -> bool {
    (one - other).abs() <= tolerance * one.abs().max(other.abs())
}

/// Losses to 5 digits and every weight to 3e-4 of its tensor's largest: the class token of the Vision Transformer, whose
/// gradient nearly cancels over the batch, was once off by 1.5e-4.
fn assert_equal_within_rounding(
    what: &str,
    (one, weights): &(RunResult, BTreeMap<String, Weights>),
    (other, others): &(RunResult, BTreeMap<String, Weights>),
) {
    assert_eq!((&one.id, one.steps), (&other.id, other.steps), "{what}");
    assert_eq!(one.epochs.len(), other.epochs.len(), "{what}");
    for (one, other) in one.epochs.iter().zip(&other.epochs) {
        let (a, b) = (one.train_loss, other.train_loss);
        assert!(is_close(a, b, 1e-5), "{what}: loss {a} {b}");
        let (a, b) = (one.test_accuracy, other.test_accuracy);
        // An image or two on the fence.
        assert!((a - b).abs() < 0.002, "{what}: accuracy {a} {b}");
    }
    for (name, weights) in weights {
        let largest = weights.values.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        for (a, b) in weights.values.iter().zip(&others[name].values) {
            let distance = (a - b).abs();
            // Biases of the first steps are hardly more than rounding themselves.
            assert!(distance <= 3e-4 * largest + 1e-6, "{what}: {name} {a} {b}");
        }
    }
}

#[test]
fn several_processes_train_what_one_does_within_rounding() {
    let resnet_with_all: Vec<&str> = [
        RESNET,
        CALM,
        &[
            // A perturbation that is seen, and few steps.
            "sam.rho=0.25",
            "data.train_limit=128",
            "train.epochs=1",
            "augment.crop_padding=1",
            "augment.mixup=0.3",
            "train.label_smoothing=0.1",
            "train.ema_decay=0.9",
            "train.recalibrate_batches=2",
        ],
    ]
    .concat();
    let cases: [(&str, &[&str]); 6] = [
        ("mlp", &["optimizer.momentum=0.9", "data.label_noise=0.2"]),
        (
            "mlp with clipped ascents",
            &["sam.ascent_steps=2", "optimizer.clip_norm=0.5"],
        ),
        (
            "mlp with random directions",
            &["sam.rule=random", "sam.every=2"],
        ),
        (
            "mlp with adamw and asam",
            &[
                "optimizer.name=adamw",
                "optimizer.lr=0.003",
                "sam.rule=asam",
            ],
        ),
        ("resnet", &resnet_with_all),
        ("dropout", DROPOUT),
    ];
    for (what, more) in cases {
        for batch in ["whole", "micro"] {
            let batch = format!("sam.perturbation_batch={batch}");
            let spec = run(&[more, &[&batch]].concat());
            let one = outcome(&spec, 1);
            for size in [2, 4] {
                let what = format!("{what}, {batch}, {size} processes");
                assert_equal_within_rounding(&what, &one, &outcome(&spec, size));
            }
        }
    }
}

#[test]
fn two_parts_in_two_processes_are_the_bits_of_one() {
    // Of two numbers there is one sum.
    for model in [RESNET, DROPOUT, &["augment.cutmix=1.0", "sam.rule=random"]] {
        for batch in ["whole", "micro"] {
            let batch = format!("sam.perturbation_batch={batch}");
            let spec = run(&[model, &["train.micro_batches=2", &batch]].concat());
            assert!(outcome(&spec, 2) == outcome(&spec, 1), "{model:?}, {batch}");
        }
    }
}

#[test]
fn sharpness_is_that_of_one_process_and_known_to_all() {
    let spec = run(&[
        "train.micro_batches=2",
        "sharpness.every_epochs=1",
        "sharpness.samples=64",
        "sharpness.trace_vectors=2",
    ]);
    let (one, _) = outcome(&spec, 1);
    assert!(one.epochs[0].sharpness.is_some());
    assert_eq!(outcome(&spec, 2).0, one);
}

#[test]
fn a_divergence_is_the_result_of_all() {
    for batch in ["whole", "micro"] {
        let batch = format!("sam.perturbation_batch={batch}");
        let spec = run(&["optimizer.lr=1e30", &batch]);
        for result in each(2, |rank| plainly(&spec, rank)) {
            assert_eq!(result.unwrap().status, RunStatus::Diverged);
        }
    }
}

#[test]
fn parts_that_cannot_be_shared_evenly_are_refused_by_their_key() {
    let spec = run(&["train.micro_batches=4"]);
    for result in each(3, |rank| plainly(&spec, rank)) {
        assert_eq!(
            result.unwrap_err().to_string(),
            "train.micro_batches: is 4, which 3 processes cannot share evenly; \
             allowed: multiples of 3 that divide the batch size 32"
        );
    }
}

#[test]
fn processes_with_different_runs_or_data_do_not_begin() {
    let (spec, seed, data) = (run(&[]), run(&["seed=1"]), run(&["data.train_limit=129"]));
    for other in [&seed, &data] {
        let results = each(4, |rank| match rank.rank() {
            2 => plainly(other, rank),
            _ => plainly(&spec, rank),
        });
        for result in results {
            let sentence = result.unwrap_err().to_string();
            let begin = "rank 2 of 4 has another run, device, version of mup2 or other data";
            assert!(sentence.starts_with(begin), "{sentence}");
        }
    }
    // Where the data are is nobody's business: the same images have one digest.
    let elsewhere = run(&["data.storage=memory"]);
    let results = each(2, |rank| match rank.rank() {
        0 => plainly(&spec, rank),
        _ => plainly(&elsewhere, rank),
    });
    assert!(results.iter().all(Result::is_ok));
}

/// A rank to which something happens in its `at`-th sum of gradients.
struct Disturbed<'a> {
    inner: &'a dyn Collective,
    sums: AtomicUsize,
    at: usize,
    what: Disturbance,
}

#[derive(Clone, Copy)]
enum Disturbance {
    Leaves,
    HearsWrong,
}

impl Collective for Disturbed<'_> {
    fn rank(&self) -> usize {
        self.inner.rank()
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn all_reduce_sum(&self, values: &mut [f32]) -> Result<()> {
        let is_now = self.sums.fetch_add(1, Ordering::Relaxed) + 1 == self.at;
        if is_now && matches!(self.what, Disturbance::Leaves) {
            return Err(Error::invalid("this rank", "breaks", "nothing"));
        }
        self.inner.all_reduce_sum(values)?;
        if is_now {
            values[0] += 1e-3;
        }
        Ok(())
    }

    fn all_reduce_sum_f64(&self, values: &mut [f64]) -> Result<()> {
        self.inner.all_reduce_sum_f64(values)
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()> {
        self.inner.broadcast(bytes)
    }
}

fn disturbed(spec: &RunSpec, at: usize, what: Disturbance) -> Vec<Error> {
    let results = each(2, |rank| match rank.rank() {
        0 => plainly(spec, rank),
        _ => {
            let sums = AtomicUsize::new(0);
            let inner = rank;
            plainly(
                spec,
                &Disturbed {
                    inner,
                    sums,
                    at,
                    what,
                },
            )
        }
    });
    results.into_iter().map(Result::unwrap_err).collect()
}

#[test]
fn a_process_that_breaks_lets_none_wait() {
    for batch in ["whole", "micro"] {
        let batch = format!("sam.perturbation_batch={batch}");
        // The gradients at the weights, those at the perturbed ones, and the statistics of batches.
        let spec = run(&[RESNET, &[&batch]].concat());
        for at in 1..=4 {
            let errors = disturbed(&spec, at, Disturbance::Leaves);
            let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert!(sentences[0].contains("a rank: is gone"), "{sentences:?}");
            assert!(sentences[1].contains("this rank: breaks"), "{sentences:?}");
        }
    }
}

#[test]
fn a_process_with_other_weights_is_found_at_the_next_evaluation() {
    for error in disturbed(&run(&[]), 2, Disturbance::HearsWrong) {
        let sentence = error.to_string();
        let begin = "rank 1 of 2 has other weights than rank 0 after 4 steps";
        assert!(sentence.starts_with(begin), "{sentence}");
    }
}

fn checkpointing(directory: &Path) -> Keeping {
    Keeping {
        start: None,
        checkpoints: Some(Checkpointing {
            directory: CheckpointDirectory::new(directory),
            interval: Duration::ZERO,
            resume: true,
            earlier: Vec::new(),
            keep: false,
        }),
        weights: None,
    }
}

#[test]
fn what_interrupts_one_process_interrupts_all_and_another_number_of_them_goes_on() {
    let batch_norm: Vec<&str> = [RESNET, CALM, &["optimizer.momentum=0.9"]].concat();
    let of_mlp: (&[&str], &[[usize; 3]]) = (&[], &[[2, 1, 4], [1, 2, 2], [4, 2, 1]]);
    for (more, orders) in [of_mlp, (&batch_norm, &[[4, 2, 1]])] {
        let spec = run(more);
        let (whole, _) = outcome(&spec, 1);
        for sizes in orders.iter().copied() {
            let directory = tempfile::tempdir().unwrap();
            // Ranks on other machines do not see the first one's directory.
            let (kept, elsewhere) = (directory.path().join("0"), directory.path().join("1"));
            let mut steps = 0;
            for (piece, size) in sizes.into_iter().enumerate() {
                let results = each(size, |rank| {
                    let (cancel, mut done) = (Cancel::default(), 0);
                    let mut notes = Vec::new();
                    let is_first = rank.rank() == 0;
                    let path = if is_first { &kept } else { &elsewhere };
                    let last = rank.rank() + 1 == size;
                    let result = trained(&spec, &checkpointing(path), rank, &cancel, |progress| {
                        match progress {
                            Progress::Note(note) => notes.push(note),
                            Progress::Step { .. } => {
                                done += 1;
                                // The last rank alone is told to stop.
                                if done == 3 && last && piece < 2 {
                                    cancel.cancel();
                                }
                            }
                            _ => {}
                        }
                    });
                    assert_eq!(is_first && piece > 0, !notes.is_empty(), "{notes:?}");
                    (result, done)
                });
                for (result, done) in results {
                    match (piece, result) {
                        (0 | 1, Err(Error::Interrupted)) => assert_eq!(done, 3),
                        (2, Ok(result)) => {
                            assert_eq!(done, whole.steps - steps);
                            let (found, expected) = (&result.epochs, &whole.epochs);
                            for (found, expected) in found.iter().zip(expected) {
                                let (a, b) = (found.train_loss, expected.train_loss);
                                assert!(is_close(a, b, 1e-5), "{sizes:?}: {a} {b}");
                            }
                            assert_eq!(found.len(), expected.len());
                        }
                        (piece, result) => panic!("{sizes:?}, piece {piece}: {result:?}"),
                    }
                }
                steps += 3;
                assert!(
                    !elsewhere.exists(),
                    "a rank other than the first has written"
                );
            }
        }
    }
}
