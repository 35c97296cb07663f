//! What the coordinate check costs beside plain SAM steps: a ratio within one run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use mup2_scaling::workers::{Cancel, one_core_pool};
use mup2_train::check::{CheckOptions, check};
use mup2_train::config::{TrainingDevice, parse_run};
use mup2_train::data::load;
use mup2_train::train::{Progress, train};
use std::time::{Duration, Instant};

const WIDTH: usize = 1024;
const STEPS: usize = 16;
/// A step of the check makes every ε and both gradients, to look at them, and applies ε and the update to the layer's
/// input besides; a training spares itself the first two (`ghost_norm`). The ratio was 1.8 while steps took three times as
/// long, 2.4 at twice, and the check has become no slower meanwhile.
const LIMIT: f64 = 4.0;

/// The check of two widths minus that of the narrow one alone would be noisy; a width of 8 costs
/// nothing beside one of 1024, so the check of both is the check of the wide one.
#[test]
fn a_check_at_width_1024_takes_less_than_four_times_its_sam_steps() {
    let overrides: Vec<String> = [
        format!("model.width={WIDTH}"),
        "model.base_width=1".to_owned(),
        "optimizer.lr=0.005".to_owned(),
        "sam.rho=0.01".to_owned(),
        "train.epochs=1".to_owned(),
        format!("data.train_limit={}", STEPS * 64),
    ]
    .into();
    let spec = parse_run("", "test", &overrides).unwrap();
    let data = load(&spec.data).unwrap();
    let pool = one_core_pool().unwrap();
    let options = CheckOptions {
        widths: vec![8, WIDTH],
        seeds: vec![0, 1],
        steps: STEPS,
        tolerance: 0.2,
        workers: 1,
        device: TrainingDevice::Flex,
    };
    let mut ratios: Vec<f64> = (0..5)
        .map(|_| {
            // Two seeds as in the check; the time ends with the last step, before the evaluation.
            let steps = (0..2).map(|seed| {
                let mut spec = spec.clone();
                spec.seed = seed;
                let start = Instant::now();
                let mut end = Duration::ZERO;
                let watch = |progress| {
                    if let Progress::Step { .. } = progress {
                        end = start.elapsed();
                    }
                };
                pool.install(|| train(&spec, &data, &Cancel::default(), watch))
                    .unwrap();
                end
            });
            let steps: Duration = steps.sum();
            let start = Instant::now();
            check(&spec, &data, &options, &Cancel::default(), |_| {}).unwrap();
            start.elapsed().as_secs_f64() / steps.as_secs_f64()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "check : plain SAM steps = {ratios:.2?}, median {:.2}",
        ratios[2]
    );
    assert!(ratios[2] < LIMIT, "{ratios:.2?}");
}
