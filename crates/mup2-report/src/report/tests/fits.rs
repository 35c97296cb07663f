//! Exponents of synthetic tables whose optimum, exponent and noise are known.

use crate::report::{
    Axes, Axis, Metric, MetricKind, Observation, Outcome, ReportInput, Scale, build,
};
use mup2_scaling::random::stream;
use rand::Rng;

/// A normal number, by twelve uniform ones.
fn normal(random: &mut impl Rng) -> f64 {
    let uniform = |random: &mut dyn FnMut() -> u64| (random() >> 11) as f64 / (1_u64 << 53) as f64;
    let mut next = || random.next_u64();
    (0..12).map(|_| uniform(&mut next)).sum::<f64>() - 6.0
}

/// A loss of curvature 0.05 an octave² around an optimum that goes as size^exponent.
fn synthetic(exponent: f64, noise: f64, sizes: &[usize], seeds: u64, table: u64) -> ReportInput {
    let mut random = stream(table, "synthetic table");
    let mut observations = Vec::new();
    for &width in sizes {
        let best = -4.0 + exponent * (width as f64 / 64.0).log2();
        for step in 0..15 {
            let place = -10.0 + 0.75 * f64::from(step);
            for seed in 0..seeds {
                let loss = 2.0 + 0.05 * (place - best).powi(2) + noise * normal(&mut random);
                observations.push(Observation {
                    scheme: "sp".to_owned(),
                    width,
                    lr: place.exp2(),
                    rho: 1.0,
                    seed,
                    outcome: Outcome::Completed {
                        selection_accuracy: loss,
                        test_accuracy: f64::NAN,
                    },
                });
            }
        }
    }
    ReportInput {
        axes: Axes {
            size: "width".to_owned(),
            x: Axis::of_column("lr", Scale::Log2),
            y: None,
            metric: Metric {
                name: "loss".to_owned(),
                kind: MetricKind::Number,
                minimize: true,
            },
        },
        fits: true,
        unstable_below: 100.0,
        ..super::input(observations)
    }
}

#[test]
fn the_exponent_is_within_two_standard_errors_in_95_of_100_tables() {
    let cases: [(f64, f64, &[usize], u64); 4] = [
        (-0.5, 0.02, &[64, 128, 256, 512, 1024], 4),
        (0.0, 0.01, &[64, 256, 1024], 3),
        (-1.0, 0.005, &[64, 128, 256], 8),
        (0.3, 0.01, &[32, 64, 128, 256, 512, 1024], 1),
    ];
    let mut total = 0;
    for (exponent, noise, sizes, seeds) in cases {
        let mut within = 0;
        for table in 0..100 {
            let report = build(&synthetic(exponent, noise, sizes, seeds, table));
            let fit = &report.fits[0];
            let error = (fit.exponent.unwrap() - exponent).abs();
            within += usize::from(error <= 2.0 * fit.stderr.unwrap());
        }
        // Of 100 tables, chance alone moves this by 2.
        assert!(
            within >= 91,
            "{within} of 100 for {exponent}, noise {noise}, {seeds} seeds"
        );
        total += within;
    }
    assert!(total >= 380, "{total} of 400");
}

#[test]
fn without_noise_the_exponent_is_exact_and_the_sentence_says_it() {
    let report = build(&synthetic(-0.5, 0.0, &[64, 128, 256, 512], 2, 0));
    let fit = &report.fits[0];
    assert!((fit.exponent.unwrap() + 0.5).abs() < 1e-9);
    assert!(fit.stderr.unwrap() < 1e-9);
    assert_eq!(
        fit.sentence,
        "sp: the best learning rate falls as width^−0.50 ± 0.00; µP predicts 0."
    );
    assert!(report.headlines.contains(&fit.sentence));
    let text = crate::report::terminal_table(&report, &Default::default());
    assert!(text.contains("−0.50 ± 0.00"));
    let directory = tempfile::tempdir().unwrap();
    crate::report::write(&report, directory.path()).unwrap();
    let page = std::fs::read_to_string(directory.path().join("report.html")).unwrap();
    assert!(page.contains("How the optimum moves"));
}

#[test]
fn a_size_whose_best_point_is_on_the_edge_is_left_out_and_named() {
    // At width 2^14 the optimum is below all that was tried.
    let report = build(&synthetic(-1.0, 0.0, &[64, 128, 16_384], 2, 0));
    let fit = &report.fits[0];
    assert_eq!(fit.left_out, [16_384]);
    assert!(fit.sentence.contains("width 16384 left out"));
    let report = build(&synthetic(-1.0, 0.0, &[64, 16_384], 2, 0));
    assert_eq!(report.fits[0].exponent, None);
    assert!(report.fits[0].sentence.contains("cannot be fitted"));
}

/// The time of the quickest of three.
fn seconds(work: impl Fn()) -> f64 {
    let times = (0..3).map(|_| {
        let start = std::time::Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::MAX, f64::min)
}

#[test]
fn eight_times_the_cells_take_no_more_than_about_eight_times_as_long() {
    let report_of = |side: u64| {
        let mut observations = Vec::new();
        for lr in 0..side {
            for rho in 0..side {
                let accuracy =
                    0.9 - 1e-4 * ((lr as f64 - 9.0).powi(2) + (rho as f64 - 9.0).powi(2));
                observations.push(Observation {
                    lr: (lr as f64 * 0.1 - 9.0).exp2(),
                    rho: (rho as f64 * 0.1 - 9.0).exp2(),
                    ..super::run("mup2", 16, 0, Some(0), 0, accuracy.max(0.3))
                });
            }
        }
        super::input(observations)
    };
    let time = |side: u64| {
        let input = report_of(side);
        seconds(|| {
            let report = build(&input);
            let directory = tempfile::tempdir().unwrap();
            crate::report::write(&report, directory.path()).unwrap();
        })
    };
    // 400 and 3,136 cells; quadratic work would take 60 times as long.
    let (small, large) = (time(20), time(56));
    assert!(large < 25.0 * small, "{small} s and {large} s");
}
