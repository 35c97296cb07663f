//! Whatever the observations are, the doctor has a word for them and shows no number that is none.

use super::*;
use crate::doctor::text;
use proptest::prelude::*;

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        6 => (0.0..=1.0_f64, prop_oneof![9 => 0.0..=1.0_f64, 1 => Just(f64::NAN)]).prop_map(
            |(selection_accuracy, test_accuracy)| Outcome::Completed {
                selection_accuracy,
                test_accuracy,
            }
        ),
        2 => Just(Outcome::Diverged),
        1 => Just(Outcome::Failed("out of memory".to_owned())),
        1 => Just(Outcome::Missing),
    ]
}

fn observation() -> impl Strategy<Value = Observation> {
    let scheme = prop_oneof![
        Just("mup2"),
        Just("mup-naive"),
        Just("sp-naive"),
        Just("mup-global")
    ];
    let width = prop_oneof![Just(16_usize), Just(64), Just(256)];
    let rho = prop_oneof![
        Just(0.0),
        (-3..=1).prop_map(|exponent| 2_f64.powi(exponent))
    ];
    (scheme, width, -4..=-1, rho, 0..4_u64, outcome()).prop_map(
        |(scheme, width, lr, rho, seed, outcome)| Observation {
            scheme: scheme.to_owned(),
            width,
            lr: 2_f64.powi(lr),
            rho,
            seed,
            outcome,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_number_is_a_number_and_every_finding_has_its_words(
        observations in prop::collection::vec(observation(), 1..400),
    ) {
        let diagnosis = diagnosis(&report(observations));
        let text = text(&diagnosis, false);
        prop_assert!(!text.contains("NaN") && !text.contains("inf"), "{}", text);
        let own = diagnosis.schemes.iter().flat_map(|scheme| &scheme.findings);
        for finding in own.chain(&diagnosis.sweep) {
            prop_assert!(finding.sentence.ends_with('.'), "{}", finding.sentence);
            prop_assert!(finding.advice.ends_with('.'), "{}", finding.advice);
            for evidence in &finding.evidence {
                prop_assert!(evidence.value.is_none_or(f64::is_finite), "{:?}", evidence);
            }
        }
        for scheme in &diagnosis.schemes {
            prop_assert!(!scheme.healthy || scheme.findings.is_empty());
        }
    }
}
