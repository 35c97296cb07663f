//! METHOD.md's tables, number by number, and the symmetries that hold for all exponents.

use super::*;
use proptest::prelude::*;

/// A three-layer MLP with a hidden bias, a normalization gain and a readout bias.
fn tensors(width: usize, base: usize) -> Vec<TensorShape> {
    let tensor =
        |name: &str, role, kind, fan: (usize, usize), base_fan: (usize, usize)| TensorShape {
            name: name.into(),
            role,
            kind,
            shape: vec![fan.0, fan.1],
            fan,
            base_fan,
            base_init_std: 1.0 / (base_fan.0 as f64).sqrt(),
        };
    use Role::*;
    use TensorKind::*;
    vec![
        tensor("input", Input, Weight, (784, width), (784, base)),
        tensor("hidden", Hidden, Weight, (width, width), (base, base)),
        tensor("output", Output, Weight, (width, 10), (base, 10)),
        tensor("bias", Input, Bias, (1, width), (1, base)),
        tensor("gain", Input, Norm, (1, width), (1, base)),
        tensor("readout bias", Fixed, Bias, (1, 10), (1, 10)),
    ]
}

fn weights() -> Vec<TensorShape> {
    tensors(1024, 256).into_iter().take(3).collect()
}

/// Effect exponents of input, hidden and output weights.
fn effects(scheme: &Scheme) -> Vec<f64> {
    let table = scale(scheme, &weights()).unwrap();
    let effects = table.tensors.iter().map(|tensor| tensor.effect_exponent);
    effects.map(Option::unwrap).collect()
}

fn mup(perturbation: Perturbation) -> Scheme {
    Scheme::new(Parameterization::Mup, perturbation)
}

fn every_scheme() -> Vec<Scheme> {
    use strum::VariantNames;
    let mut schemes = Vec::new();
    for parameterization in Parameterization::VARIANTS {
        for perturbation in Perturbation::VARIANTS {
            for rule in Rule::VARIANTS {
                for optimizer in BaseOptimizer::VARIANTS {
                    for denominator in [Denominator::Coupled, Denominator::Decoupled] {
                        let mut scheme = Scheme::new(
                            parameterization.parse().unwrap(),
                            perturbation.parse().unwrap(),
                        );
                        scheme.rule = rule.parse().unwrap();
                        scheme.optimizer = optimizer.parse().unwrap();
                        scheme.denominator = Some(denominator);
                        schemes.push(scheme);
                    }
                }
            }
        }
    }
    schemes
}

#[test]
fn effect_exponents_of_the_five_scalings_are_those_of_method_section_3() {
    use Perturbation::*;
    assert_eq!(effects(&mup(Naive)), [-1.5, -0.5, 0.5]);
    assert_eq!(effects(&mup(Global)), [-2.0, -1.0, 0.0]);
    assert_eq!(effects(&mup(Balanced)), [-1.0, -0.5, 0.0]);
    assert_eq!(effects(&mup(FirstLayer)), [0.0, -1.0, -1.0]);
    assert_eq!(effects(&mup(Mup2)), [0.0, 0.0, 0.0]);
}

#[test]
fn numerator_exponents_of_the_five_scalings_are_those_of_method_section_3() {
    // (d, d_input, d_hidden, d_output) at c∇ = 1.
    for (perturbation, d, layers) in [
        (Perturbation::Naive, 0.0, [0.0, 0.0, 0.0]),
        (Perturbation::Global, 0.5, [0.0, 0.0, 0.0]),
        (Perturbation::Balanced, 0.5, [-0.5, 0.0, 0.5]),
        (Perturbation::FirstLayer, -0.5, [-0.5, 1.5, 2.5]),
        (Perturbation::Mup2, -0.5, [-0.5, 0.5, 1.5]),
    ] {
        let exponents = SchemeExponents::derive(&mup(perturbation), &weights()).unwrap();
        assert_eq!(exponents.d, d, "{perturbation}");
        let found: Vec<f64> = exponents.tensors.iter().map(|tensor| tensor.d).collect();
        assert_eq!(found, layers, "{perturbation}");
    }
}

#[test]
fn derived_exponents_follow_c_nabla_in_every_parameterization() {
    for (parameterization, c_nabla) in [
        (Parameterization::Sp, 0.0),
        (Parameterization::SpStable, 0.5),
        (Parameterization::Ntp, 0.5),
        (Parameterization::Mup, 1.0),
    ] {
        let scheme = Scheme::new(parameterization, Perturbation::Mup2);
        let exponents = SchemeExponents::derive(&scheme, &weights()).unwrap();
        assert_eq!(exponents.c_nabla, c_nabla);
        assert_eq!(exponents.d, -0.5);
        let found: Vec<f64> = exponents.tensors.iter().map(|tensor| tensor.d).collect();
        assert_eq!(found, [0.5 - c_nabla, 1.5 - c_nabla, 1.5]);
    }
}

#[test]
fn mup2_multiplies_rho_as_mup_multiplies_the_learning_rate() {
    let table = scale(&mup(Perturbation::Mup2), &tensors(1024, 256)).unwrap();
    for tensor in &table.tensors {
        assert_eq!(tensor.rho_mult, tensor.lr_mult, "{}", tensor.name);
    }
    let learning_rates: Vec<f64> = table.tensors.iter().map(|tensor| tensor.lr_mult).collect();
    assert_eq!(learning_rates, [4.0, 1.0, 0.25, 4.0, 4.0, 1.0]);
    // The decoupled denominator of METHOD section 3: n^½, 1, n^(−½).
    let norms: Vec<f64> = table
        .tensors
        .iter()
        .map(|tensor| tensor.norm_mult)
        .collect();
    assert_eq!(norms, [2.0, 1.0, 0.5, 2.0, 2.0, 1.0]);
}

#[test]
fn adam_in_mup_has_learning_rate_exponents_0_1_1() {
    let mut scheme = mup(Perturbation::Mup2);
    scheme.optimizer = BaseOptimizer::Adam;
    let table = scale(&scheme, &tensors(1024, 256)).unwrap();
    let learning_rates: Vec<f64> = table.tensors.iter().map(|tensor| tensor.lr_mult).collect();
    assert_eq!(learning_rates, [1.0, 0.25, 0.25, 1.0, 1.0, 1.0]);
    assert!(table.verdict.is_effective());
}

#[test]
fn weight_decay_times_learning_rate_does_not_depend_on_width() {
    for scheme in every_scheme() {
        let Ok(table) = scale(&scheme, &tensors(1024, 64)) else {
            panic!("{scheme:?}")
        };
        for tensor in table.tensors {
            assert!((tensor.wd_mult * tensor.lr_mult - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn derived_exponents_of_other_rules_are_those_of_method_section_4() {
    let mut scheme = mup(Perturbation::Mup2);
    scheme.denominator = Some(Denominator::Coupled);
    // Compare −d and the differences of d_l: a shift of all d_l changes nothing.
    for (rule, d, differences) in [
        (Rule::Asam, -0.5, [0.0, 0.0, 0.0]),
        (Rule::AsamLayer, 0.0, [0.0, 1.0, 0.0]),
    ] {
        scheme.rule = rule;
        let exponents = SchemeExponents::derive(&scheme, &weights()).unwrap();
        let first = exponents.tensors[0].d;
        // Normalized to d_input = 0, as the method's page states them, d takes up the shift.
        assert_eq!(exponents.d, d, "{rule}");
        for (tensor, difference) in exponents.tensors.iter().zip(differences) {
            assert_eq!(tensor.d - first, difference, "{rule}");
        }
        assert_eq!(effects(&scheme), [0.0, 0.0, 0.0]);
    }
    scheme.rule = Rule::SamOn;
    let table = scale(&scheme, &tensors(1024, 64)).unwrap();
    assert_eq!(table.verdict.effective, ["gain"]);
    assert_eq!(table.verdict.unperturbed.len(), 5);
    assert_eq!(table.d, -0.5);
}

#[test]
fn asam_with_an_unscaled_or_wrongly_signed_radius_vanishes_as_measured() {
    let mut scheme = mup(Perturbation::Naive);
    scheme.rule = Rule::Asam;
    assert_eq!(effects(&scheme), [-0.5, -0.5, -0.5]);
    scheme.perturbation = Perturbation::Global;
    assert_eq!(effects(&scheme), [-1.0, -1.0, -1.0]);
    scheme.perturbation = Perturbation::Naive;
    scheme.rule = Rule::AsamLayer;
    assert_eq!(effects(&scheme), [-0.5, 0.5, -0.5]);
}

#[test]
fn only_mup2_in_a_stable_parameterization_passes_the_effectiveness_test() {
    for (parameterization, perturbation, passes) in [
        (Parameterization::Mup, Perturbation::Mup2, true),
        (Parameterization::Ntp, Perturbation::Mup2, true),
        (Parameterization::Mup, Perturbation::Naive, false),
        (Parameterization::Mup, Perturbation::Global, false),
        (Parameterization::Mup, Perturbation::Balanced, false),
        (Parameterization::Mup, Perturbation::FirstLayer, false),
        (Parameterization::Sp, Perturbation::Naive, false),
        (Parameterization::Sp, Perturbation::Mup2, false),
    ] {
        let table = scale(&Scheme::new(parameterization, perturbation), &weights()).unwrap();
        assert_eq!(
            table.verdict.is_effective(),
            passes,
            "{parameterization}-{perturbation}"
        );
    }
}

#[test]
fn every_rule_derives_a_scaling_that_perturbs_effectively() {
    for scheme in every_scheme() {
        if scheme.perturbation == Perturbation::Mup2 {
            let table = scale(&scheme, &tensors(512, 64)).unwrap();
            assert!(table.verdict.vanishing.is_empty(), "{scheme:?}");
            assert!(table.verdict.unstable.is_empty(), "{scheme:?}");
        }
    }
}

#[test]
fn at_the_base_width_every_multiplier_is_exactly_one() {
    for scheme in every_scheme() {
        for tensor in scale(&scheme, &tensors(96, 96)).unwrap().tensors {
            let perturbed = if tensor.effect_exponent.is_some() {
                1.0
            } else {
                0.0
            };
            assert_eq!(tensor.lr_mult, 1.0);
            assert_eq!(tensor.wd_mult, 1.0);
            assert_eq!(tensor.weight_mult, 1.0);
            assert_eq!(tensor.asam_eta_mult, 1.0);
            assert_eq!(tensor.rho_mult, perturbed);
            assert_eq!(tensor.norm_mult, perturbed);
        }
    }
}

#[test]
fn with_base_width_one_the_multipliers_are_powers_of_the_width_itself() {
    let table = scale(&mup(Perturbation::Mup2), &tensors(64, 1)).unwrap();
    let rho: Vec<f64> = table.tensors.iter().map(|tensor| tensor.rho_mult).collect();
    assert_eq!(rho[..3], [64.0, 1.0, 1.0 / 64.0]);
    assert_eq!(table.tensors[1].init_std, 1.0 / 8.0);
}

#[test]
fn a_readout_bias_feels_the_global_exponents() {
    let bias = |perturbation, denominator| {
        let mut scheme = mup(perturbation);
        scheme.denominator = Some(denominator);
        let mut table = scale(&scheme, &tensors(1024, 256)).unwrap();
        table.tensors.remove(5)
    };
    // Ratio 4: r^(−½) = ½.
    let global = bias(Perturbation::Global, Denominator::Coupled);
    assert_eq!((global.rho_mult, global.norm_mult), (0.5, 1.0));
    assert_eq!(global.effect_exponent, Some(-1.0));
    let coupled = bias(Perturbation::Mup2, Denominator::Coupled);
    assert_eq!((coupled.rho_mult, coupled.norm_mult), (1.0, 0.5));
    let decoupled = bias(Perturbation::Mup2, Denominator::Decoupled);
    assert_eq!((decoupled.rho_mult, decoupled.norm_mult), (1.0, 1.0));
}

#[test]
fn exponents_that_would_be_ignored_are_refused() {
    let mut scheme = mup(Perturbation::Mup2);
    scheme.exponents.a = Some(RoleExponents::new(-0.5, 0.0, 0.5, 0.0));
    let message = scale(&scheme, &weights()).unwrap_err().to_string();
    assert!(message.contains("weight_multipliers"), "{message}");
    let mut scheme = mup(Perturbation::Mup2);
    scheme.exponents.e = Some(RoleExponents::new(0.0, 0.0, 0.0, 0.0));
    let message = scale(&scheme, &weights()).unwrap_err().to_string();
    assert!(message.contains("d_layer"), "{message}");
}

#[test]
fn weight_multipliers_leave_plain_sgd_and_sam_in_mup2() {
    let mut scheme = mup(Perturbation::Mup2);
    scheme.weight_multipliers = true;
    let table = scale(&scheme, &weights()).unwrap();
    for tensor in &table.tensors {
        assert_eq!(
            (tensor.lr_mult, tensor.rho_mult, tensor.norm_mult),
            (1.0, 1.0, 1.0)
        );
    }
    let multipliers: Vec<f64> = table
        .tensors
        .iter()
        .map(|tensor| tensor.weight_mult)
        .collect();
    assert_eq!(multipliers, [2.0, 1.0, 0.5]);
}

#[test]
fn shapes_that_contradict_a_role_are_refused_by_name() {
    let mut wrong = weights();
    wrong[1].fan = (512, 1024);
    let message = scale(&mup(Perturbation::Mup2), &wrong)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("tensor `hidden`") && message.contains("scale together"),
        "{message}"
    );
    let mut wrong = weights();
    wrong[0].fan.0 = 800;
    let message = scale(&mup(Perturbation::Mup2), &wrong)
        .unwrap_err()
        .to_string();
    assert!(message.contains("tensor `input`"), "{message}");
}

#[test]
fn sam_on_without_normalization_layers_is_an_error() {
    let mut scheme = mup(Perturbation::Mup2);
    scheme.rule = Rule::SamOn;
    let message = scale(&scheme, &weights()).unwrap_err().to_string();
    assert!(message.contains("sam-on"), "{message}");
}

fn role_exponents() -> impl Strategy<Value = RoleExponents> {
    (-2.0..2.0f64, -2.0..2.0f64, -2.0..2.0f64)
        .prop_map(|(input, hidden, output)| RoleExponents::new(input, hidden, output, 0.0))
}

proptest! {
    #[test]
    fn a_constant_added_to_every_d_l_changes_no_perturbation(
        layers in role_exponents(), shift in -2.0..2.0f64,
    ) {
        let mut scheme = mup(Perturbation::Naive);
        scheme.exponents.d_layer = Some(layers);
        let before = scale(&scheme, &tensors(1024, 256)).unwrap();
        scheme.exponents.d_layer = Some(RoleExponents::new(
            layers.input + shift, layers.hidden + shift, layers.output + shift, shift,
        ));
        let after = scale(&scheme, &tensors(1024, 256)).unwrap();
        let relative = |table: &ScalingTable, index: usize| {
            table.tensors[index].rho_mult / table.tensors[0].norm_mult
        };
        for index in 0..6 {
            let (x, y) = (relative(&before, index), relative(&after, index));
            prop_assert!((x / y - 1.0).abs() < 1e-9);
            let effects = [&before, &after].map(|t| t.tensors[index].effect_exponent.unwrap());
            prop_assert!((effects[0] - effects[1]).abs() < 1e-5);
        }
    }

    #[test]
    fn multipliers_compose_over_widths(width_doublings in 1u32..6) {
        // From base to 2^k·base in one comparison, or doubling k times: the same factor.
        for scheme in every_scheme() {
            let whole = scale(&scheme, &tensors(16 << width_doublings, 16)).unwrap();
            let once = scale(&scheme, &tensors(32, 16)).unwrap();
            for (whole, once) in whole.tensors.iter().zip(&once.tensors) {
                let expected = once.lr_mult.powi(width_doublings as i32);
                prop_assert!((whole.lr_mult / expected - 1.0).abs() < 1e-9);
                if whole.effect_exponent.is_some() {
                    let expected = once.rho_mult.powi(width_doublings as i32);
                    prop_assert!((whole.rho_mult / expected - 1.0).abs() < 1e-9);
                }
            }
        }
    }
}
