//! Whatever the observations are, the report has no number that is none.

use proptest::prelude::*;

use super::input;
use crate::report::{Observation, Outcome, Sampling, TableOptions, build, terminal_table, write};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 0.0..=1.0_f64,
        1 => any::<f64>(),
        1 => Just(f64::NAN),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        6 => (number(), number()).prop_map(|(selection_accuracy, test_accuracy)| {
            Outcome::Completed { selection_accuracy, test_accuracy }
        }),
        2 => Just(Outcome::Diverged),
        1 => Just(Outcome::Failed("out of memory".to_owned())),
        1 => Just(Outcome::Missing),
    ]
}

fn coordinate() -> impl Strategy<Value = f64> {
    prop_oneof![
        16 => (-4_i32..=1).prop_map(|exponent| 2_f64.powi(exponent)),
        4 => Just(0.0),
        1 => any::<f64>(),
    ]
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let scattered =
        (number(), number(), number(), number()).prop_map(|(a, b, c, d)| Sampling::Scattered {
            method: "random".to_owned(),
            log2_lr: (a, b),
            log2_rho: (c, d),
        });
    prop_oneof![Just(Sampling::Grid), scattered]
}

fn observation() -> impl Strategy<Value = Observation> {
    let scheme = prop_oneof![Just("mup2"), Just("sp-naive")];
    let width = prop_oneof![Just(16_usize), Just(64), Just(256)];
    (
        scheme,
        width,
        coordinate(),
        coordinate(),
        0..3_u64,
        outcome(),
    )
        .prop_map(|(scheme, width, lr, rho, seed, outcome)| Observation {
            scheme: scheme.to_owned(),
            width,
            lr,
            rho,
            seed,
            outcome,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_number_is_nan_or_infinite_and_no_regret_is_negative(
        observations in prop::collection::vec(observation(), 0..120),
        unstable_below in number(),
        sampling in sampling(),
    ) {
        let mut input = input(observations);
        input.sampling = sampling;
        input.unstable_below = unstable_below;
        let report = build(&input);
        // JSON would hide NaN as null; the debug form does not.
        let mut numbers = report.clone();
        // The range is the reader's own word, not a number of ours.
        numbers.sampling = Sampling::Grid;
        numbers.warnings.clear();
        numbers.confidence.failures.clear();
        let text = format!("{numbers:?}");
        prop_assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        for row in &report.transfer {
            prop_assert!(row.regret.is_none_or(|regret| regret >= 0.0));
        }
    }

    #[test]
    fn whatever_was_observed_can_be_drawn_and_every_figure_is_xml(
        observations in prop::collection::vec(observation(), 0..60),
        sampling in sampling(),
    ) {
        let mut input = input(observations);
        input.sampling = sampling;
        let report = build(&input);
        let names: &[&str] = if report.sampling.is_grid() {
            &["heatmaps.svg", "slices.svg"]
        } else {
            &["scatter.svg"]
        };
        let directory = tempfile::tempdir().unwrap();
        write(&report, directory.path()).unwrap();
        for name in names {
            let path = directory.path().join("figures").join(name);
            let text = std::fs::read_to_string(path).unwrap();
            prop_assert!(roxmltree::Document::parse(&text).is_ok());
            prop_assert!(!text.contains("NaN") && !text.contains("inf\""));
        }
        prop_assert!(!terminal_table(&report, &TableOptions::default()).contains("NaN"));
    }
}
