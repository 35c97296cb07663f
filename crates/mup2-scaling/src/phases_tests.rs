//! The planes against METHOD's tables, against a search over all exponents, and against `derive`.

use super::*;
use crate::{BaseOptimizer, RoleExponents, scale};
use proptest::prelude::*;

const PARAMETERIZATIONS: [Parameterization; 4] = [
    Parameterization::Sp,
    Parameterization::SpStable,
    Parameterization::Ntp,
    Parameterization::Mup,
];
const RULES: [Rule; 4] = [Rule::Sam, Rule::Asam, Rule::AsamLayer, Rule::Random];

fn every_diagram() -> Vec<PhaseDiagram> {
    let mut diagrams = Vec::new();
    for parameterization in PARAMETERIZATIONS {
        for rule in RULES {
            diagrams.push(phases(parameterization, rule).unwrap());
        }
    }
    diagrams
}

fn mup_sam() -> PhaseDiagram {
    phases(Parameterization::Mup, Rule::Sam).unwrap()
}

fn point(diagram: &PhaseDiagram, perturbation: Perturbation) -> &SchemePoint {
    let mut schemes = diagram.schemes.iter();
    schemes
        .find(|scheme| scheme.perturbation == perturbation)
        .unwrap()
}

/// The coupled scheme of a diagram with the given perturbation.
fn scheme(diagram: &PhaseDiagram, perturbation: Perturbation) -> Scheme {
    let mut scheme = Scheme::new(diagram.parameterization, perturbation);
    scheme.rule = diagram.rule;
    scheme.denominator = Some(Denominator::Coupled);
    scheme
}

fn by_layer<T>(scheme: &SchemePoint, value: impl Fn(&LayerPoint) -> T) -> [T; 3] {
    [0, 1, 2].map(|place| value(&scheme.layers[place]))
}

#[test]
fn the_named_scalings_in_mup_have_the_effects_and_regimes_of_method_section_3() {
    use Regime::*;
    let diagram = mup_sam();
    for (perturbation, d, distances, effects, regimes) in [
        (
            Perturbation::Naive,
            0.0,
            [1.0, 0.5, 0.0],
            [-1.5, -0.5, 0.5],
            [Vanishing, Vanishing, Unstable],
        ),
        (
            Perturbation::Global,
            0.5,
            [1.0, 0.5, 0.0],
            [-2.0, -1.0, 0.0],
            [Vanishing, Vanishing, Effective],
        ),
        (
            Perturbation::Balanced,
            0.5,
            [0.0, 0.0, 0.0],
            [-1.0, -0.5, 0.0],
            [Vanishing, Vanishing, Effective],
        ),
        (
            Perturbation::FirstLayer,
            -0.5,
            [0.0, 1.5, 2.0],
            [0.0, -1.0, -1.0],
            [Effective, Propagated, Propagated],
        ),
        (
            Perturbation::Mup2,
            -0.5,
            [0.0, 0.5, 1.0],
            [0.0, 0.0, 0.0],
            [Effective, Effective, Effective],
        ),
    ] {
        let scheme = point(&diagram, perturbation);
        assert_eq!(scheme.d, d, "{perturbation}");
        assert_eq!(by_layer(scheme, |layer| layer.distance), distances);
        assert_eq!(by_layer(scheme, |layer| layer.effect), effects);
        assert_eq!(by_layer(scheme, |layer| layer.regime), regimes);
        assert_eq!(scheme.stable, perturbation != Perturbation::Naive);
    }
    let mup2 = point(&diagram, Perturbation::Mup2);
    assert_eq!(by_layer(mup2, |layer| layer.d_layer), [-0.5, 0.5, 1.5]);
}

#[test]
fn a_dominating_layer_has_the_same_effect_in_every_parameterization_under_sam() {
    for parameterization in PARAMETERIZATIONS {
        let diagram = phases(parameterization, Rule::Sam).unwrap();
        let effects: Vec<f64> = diagram
            .layers
            .iter()
            .map(|layer| layer.dominant_effect)
            .collect();
        assert_eq!(effects, [-0.5, 0.0, 0.5], "{parameterization}");
        assert_eq!(diagram.effective_d, -0.5);
    }
}

#[test]
fn regimes_agree_with_the_verdict_of_the_scaling_table() {
    for diagram in every_diagram() {
        for named in &diagram.schemes {
            let table = scale(&scheme(&diagram, named.perturbation), &LAYERS.map(weight)).unwrap();
            let names = |wanted: &[Regime]| -> Vec<String> {
                let layers = named.layers.iter();
                layers
                    .filter(|layer| wanted.contains(&layer.regime))
                    .map(|layer| layer.role.to_string())
                    .collect()
            };
            assert_eq!(names(&[Regime::Unstable]), table.verdict.unstable);
            assert_eq!(names(&[Regime::Effective]), table.verdict.effective);
            assert_eq!(
                names(&[Regime::Propagated, Regime::Vanishing]),
                table.verdict.vanishing
            );
        }
    }
}

#[test]
fn mup2_is_effective_in_every_plane_of_every_parameterization_and_rule() {
    for diagram in every_diagram() {
        let mup2 = point(&diagram, Perturbation::Mup2);
        assert_eq!(mup2.d, diagram.effective_d);
        for layer in &mup2.layers {
            let regime = diagram.regime(layer.role, mup2.d, layer.distance);
            assert_eq!(regime, Some(Regime::Effective), "{diagram:?}");
            assert_eq!(layer.regime, Regime::Effective, "{diagram:?}");
        }
    }
}

#[test]
fn a_stable_named_scaling_lies_where_its_own_regime_is_drawn() {
    for diagram in every_diagram() {
        for scheme in diagram.schemes.iter().filter(|scheme| scheme.stable) {
            for layer in &scheme.layers {
                let drawn = diagram.regime(layer.role, scheme.d, layer.distance);
                assert_eq!(drawn, Some(layer.regime), "{scheme:?} {diagram:?}");
            }
        }
    }
}

#[test]
fn the_input_layer_is_effective_under_sam_at_a_single_point_only() {
    let diagram = mup_sam();
    let mut effective = Vec::new();
    for d in grid(-3.0, 3.0) {
        for distance in grid(0.0, 4.0) {
            if diagram.regime(Role::Input, d, distance) == Some(Regime::Effective) {
                effective.push((d, distance));
            }
        }
    }
    assert_eq!(effective, [(-0.5, 0.0)]);
}

#[test]
fn a_role_without_a_plane_and_a_negative_distance_have_no_regime() {
    let diagram = mup_sam();
    assert_eq!(diagram.regime(Role::Fixed, 0.0, 0.0), None);
    assert_eq!(diagram.regime(Role::Hidden, 0.0, -0.25), None);
    assert!(diagram.plane(Role::Fixed).is_none());
}

#[test]
fn the_planes_do_not_depend_on_the_base_optimizer() {
    for parameterization in PARAMETERIZATIONS {
        let mut scheme = Scheme::new(parameterization, Perturbation::Mup2);
        let sgd = SchemeExponents::derive(&scheme, &LAYERS.map(weight)).unwrap();
        scheme.optimizer = BaseOptimizer::Adam;
        let adam = SchemeExponents::derive(&scheme, &LAYERS.map(weight)).unwrap();
        assert_eq!(sgd.c_nabla, adam.c_nabla);
        for (sgd, adam) in sgd.tensors.iter().zip(&adam.tensors) {
            assert_eq!((sgd.d, sgd.e, sgd.effect), (adam.d, adam.e, adam.effect));
        }
    }
}

#[test]
fn a_rule_that_perturbs_no_weight_is_refused_by_name() {
    let message = phases(Parameterization::Mup, Rule::SamOn)
        .unwrap_err()
        .to_string();
    assert!(message.contains("sam-on"), "{message}");
    assert!(message.contains("perturbs no weight"), "{message}");
}

#[test]
fn the_json_names_regimes_and_scalings_as_the_tables_do() {
    let json = serde_json::to_value(mup_sam()).unwrap();
    assert_eq!(json["rule"], "sam");
    assert_eq!(json["schemes"][3]["perturbation"], "first-layer");
    assert_eq!(json["schemes"][3]["layers"][1]["regime"], "propagated");
    assert_eq!(json["layers"][2]["dominant_effect"], 0.5);
    assert!(!json.to_string().contains("-0.0"));
}

/// Multiples of ¼ from one end to the other.
fn grid(low: f64, high: f64) -> impl Iterator<Item = f64> + Clone {
    let steps = ((high - low) * 4.0) as usize;
    (0..=steps).map(move |step| low + step as f64 / 4.0)
}

/// The regime by its definition: tries all distances of the other layers.
fn searched(diagram: &PhaseDiagram, place: usize, d: f64, distance: f64) -> Regime {
    let mut stable = Vec::new();
    for one in grid(0.0, 5.0) {
        for two in grid(0.0, 5.0) {
            let mut distances = vec![one, two];
            distances.insert(place, distance);
            let effects: Vec<f64> = (0..3)
                .map(|index| diagram.layers[index].dominant_effect - d - distances[index])
                .collect();
            if distances.contains(&0.0) && effects.iter().all(|effect| *effect <= 0.0) {
                stable.push(effects);
            }
        }
    }
    let Some(any) = stable.first() else {
        return Regime::Unstable;
    };
    if any[place] == 0.0 {
        Regime::Effective
    } else if stable.iter().any(|one| one[..place].contains(&0.0)) {
        Regime::Propagated
    } else {
        Regime::Vanishing
    }
}

#[test]
fn the_planes_are_those_that_a_search_over_all_exponents_finds() {
    for rule in RULES {
        for parameterization in [Parameterization::Sp, Parameterization::Mup] {
            let diagram = phases(parameterization, rule).unwrap();
            for (place, role) in LAYERS.into_iter().enumerate() {
                for d in grid(-1.5, 1.5) {
                    for distance in grid(0.0, 3.0) {
                        assert_eq!(
                            diagram.regime(role, d, distance),
                            Some(searched(&diagram, place, d, distance)),
                            "{parameterization} {rule} {role} d = {d}, y = {distance}"
                        );
                    }
                }
            }
        }
    }
}

/// Quarters, so that effects of exactly 0 are drawn as well.
fn exponent() -> impl Strategy<Value = f64> {
    (-10..10i32).prop_map(|quarters| f64::from(quarters) / 4.0)
}

proptest! {
    #[test]
    fn a_regime_says_the_sign_of_the_effect_that_derive_computes(
        which in 0..16usize, d in exponent(),
        input in exponent(), hidden in exponent(), output in exponent(),
    ) {
        let diagram = phases(PARAMETERIZATIONS[which / 4], RULES[which % 4]).unwrap();
        let mut scheme = scheme(&diagram, Perturbation::Naive);
        scheme.exponents.d = Some(d);
        scheme.exponents.d_layer = Some(RoleExponents::new(input, hidden, output, 0.0));
        let exponents = SchemeExponents::derive(&scheme, &LAYERS.map(weight)).unwrap();
        let own = scheme_point(Perturbation::Naive, &exponents, &diagram.layers);
        prop_assert_eq!(own.layers.iter().map(|layer| layer.distance).fold(9.0, f64::min), 0.0);
        for (layer, plane) in own.layers.iter().zip(&diagram.layers) {
            prop_assert!((plane.effect(d, layer.distance) - layer.effect).abs() < 1e-9);
            let drawn = diagram.regime(layer.role, d, layer.distance).unwrap();
            if layer.effect > 1e-9 {
                prop_assert_eq!(drawn, Regime::Unstable);
            } else if !own.stable {
                // The plane may show what a better choice of the other layers would give.
                continue;
            } else if layer.effect > -1e-9 {
                prop_assert_eq!(drawn, Regime::Effective);
            } else {
                prop_assert!(matches!(drawn, Regime::Propagated | Regime::Vanishing));
                // What arrives here arrives where the others are as strong as they can be.
                if layer.regime == Regime::Propagated {
                    prop_assert_eq!(drawn, Regime::Propagated);
                }
            }
        }
    }
}
