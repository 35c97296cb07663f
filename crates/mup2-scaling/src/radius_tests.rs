//! Conversion of ρ: the same perturbation, computed under both conventions.

use super::*;
use proptest::prelude::*;

const LAYERS: [RadiusLayer; 4] = [
    RadiusLayer::Input,
    RadiusLayer::Hidden,
    RadiusLayer::Output,
    RadiusLayer::Bias,
];

fn convention(text: &str) -> RadiusConvention {
    text.parse().unwrap()
}

fn setting(width: usize, base_width: usize) -> RadiusSetting {
    let layers = LAYERS.iter().take(3).map(|layer| LayerSizes {
        layer: *layer,
        weight: None,
        share: None,
    });
    RadiusSetting {
        width,
        base_width,
        denominator: None,
        asam_eta: 0.01,
        layers: layers.collect(),
    }
}

fn converted(from: &str, to: &str, setting: &RadiusSetting) -> Result<ConvertedRadius, String> {
    convert_radius(0.5, convention(from), convention(to), setting)
        .map_err(|error| error.to_string())
}

fn radii(converted: &ConvertedRadius) -> Vec<f64> {
    converted.layers.iter().map(|(_, radius)| *radius).collect()
}

/// ‖ε_l‖ of each layer by the formula, for gradients of these norms and weights of these sizes.
fn perturbation(
    radii: &[f64],
    convention: RadiusConvention,
    setting: &RadiusSetting,
    gradients: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let perturbation = match convention.scaling {
        RadiusScaling::Plain => Perturbation::Naive,
        _ => Perturbation::Mup2,
    };
    let base = match convention.scaling {
        RadiusScaling::Paper => 1.0,
        _ => setting.base_width as f64,
    };
    let ratio = setting.width as f64 / base;
    let mut scheme = Scheme::new(Parameterization::Mup, perturbation);
    scheme.denominator = setting.denominator;
    if perturbation == Perturbation::Naive {
        scheme.denominator = None;
    }
    scheme.rule = match convention.rule {
        RadiusRule::Sam => Rule::Sam,
        _ => Rule::Asam,
    };
    scheme.asam_bias = match convention.rule {
        RadiusRule::AsamAbsolute => AsamBias::Absolute,
        _ => AsamBias::One,
    };
    let shapes: Vec<TensorShape> = setting
        .layers
        .iter()
        .map(|sizes| {
            let (role, kind, fan) = match sizes.layer {
                RadiusLayer::Input => (Role::Input, TensorKind::Weight, (0, 1)),
                RadiusLayer::Hidden => (Role::Hidden, TensorKind::Weight, (1, 1)),
                RadiusLayer::Output => (Role::Output, TensorKind::Weight, (1, 0)),
                RadiusLayer::Bias => (Role::Input, TensorKind::Bias, (0, 1)),
            };
            let of = |grows: usize, width: usize| if grows == 1 { width } else { 7 };
            let base = base as usize;
            TensorShape {
                name: sizes.layer.to_string(),
                role,
                kind,
                shape: vec![],
                fan: (of(fan.0, setting.width), of(fan.1, setting.width)),
                base_fan: (of(fan.0, base), of(fan.1, base)),
                base_init_std: 0.0,
            }
        })
        .collect();
    let rows = scale(&scheme, &shapes).unwrap().tensors;
    let sizes: Vec<f64> = setting
        .layers
        .iter()
        .map(|sizes| {
            let weight = sizes.weight.unwrap();
            // η follows the entries: 1/ratio in the readout, 1/√ratio in hidden matrices.
            let eta = match (convention.scaling, sizes.layer) {
                (RadiusScaling::Plain, _) => setting.asam_eta,
                (_, RadiusLayer::Output) => setting.asam_eta / ratio,
                (_, RadiusLayer::Hidden) => setting.asam_eta / ratio.sqrt(),
                _ => setting.asam_eta,
            };
            match (convention.rule, sizes.layer) {
                (RadiusRule::Sam, _) | (RadiusRule::Asam, RadiusLayer::Bias) => 1.0,
                (RadiusRule::Asam, _) => weight + eta,
                (RadiusRule::AsamAbsolute, _) => weight,
            }
        })
        .collect();
    let parts: Vec<f64> = rows
        .iter()
        .zip(&sizes)
        .zip(gradients)
        .map(|((row, size), gradient)| (row.norm_mult * size * gradient).powi(2))
        .collect();
    let norm = parts.iter().sum::<f64>().sqrt();
    let moves = rows
        .iter()
        .zip(&sizes)
        .zip(gradients)
        .zip(radii)
        .map(|(((row, size), gradient), radius)| {
            radius * row.rho_mult * size * size * gradient / norm
        })
        .collect();
    (moves, parts)
}

fn any_convention() -> impl Strategy<Value = RadiusConvention> {
    let scalings = [
        RadiusScaling::Plain,
        RadiusScaling::Mup2,
        RadiusScaling::Paper,
    ];
    let rules = [RadiusRule::Sam, RadiusRule::Asam, RadiusRule::AsamAbsolute];
    (
        prop::sample::select(scalings.to_vec()),
        prop::sample::select(rules.to_vec()),
    )
        .prop_map(|(scaling, rule)| RadiusConvention { scaling, rule })
}

proptest! {
    #[test]
    fn the_converted_radius_moves_every_layer_as_before(
        from in any_convention(),
        to in any_convention(),
        width in 2usize..2000,
        base_width in 2usize..300,
        coupled: bool,
        weights in prop::array::uniform4(0.001f64..2.0),
        gradients in prop::array::uniform4(0.001f64..50.0),
    ) {
        let mut setting = RadiusSetting {
            denominator: coupled.then_some(Denominator::Coupled),
            layers: LAYERS.iter().zip(weights).map(|(layer, weight)| LayerSizes {
                layer: *layer,
                weight: Some(weight),
                share: None,
            }).collect(),
            ..setting(width, base_width)
        };
        let (before, shares) = perturbation(&[0.3; 4], from, &setting, &gradients);
        for (sizes, share) in setting.layers.iter_mut().zip(shares) {
            sizes.share = Some(share);
        }
        let converted = convert_radius(0.3, from, to, &setting).unwrap();
        let (after, _) = perturbation(&radii(&converted), to, &setting, &gradients);
        for (one, other) in before.iter().zip(after) {
            prop_assert!((one / other - 1.0).abs() < 1e-9, "{one} {other}");
        }
    }
}

#[test]
fn at_the_base_width_mup2_is_plain() {
    for rule in ["sam", "asam", "asam-absolute"] {
        let (plain, mup2) = (format!("plain:{rule}"), format!("mup2:{rule}"));
        for (from, to) in [(&plain, &mup2), (&mup2, &plain)] {
            let converted = converted(from, to, &setting(64, 64)).unwrap();
            assert_eq!(converted.rho, Some(0.5));
        }
    }
}

#[test]
fn weights_of_one_size_turn_sam_into_asam_by_that_size() {
    let mut setting = setting(64, 64);
    for sizes in &mut setting.layers {
        sizes.weight = Some(0.09);
    }
    let found = converted("plain", "plain:asam", &setting)
        .unwrap()
        .rho
        .unwrap();
    assert!((found - 5.0).abs() < 1e-12);
    let found = converted("plain:asam-absolute", "plain:sam", &setting)
        .unwrap()
        .rho
        .unwrap();
    assert!((found - 0.045).abs() < 1e-12);
}

#[test]
fn the_papers_constants_are_one_number_a_role() {
    // ρ_l n^(-(d+d_l)) with d + d_l = -1, 0, 1 against powers of n / 8; equal shares.
    let mut setting = setting(64, 8);
    for sizes in &mut setting.layers {
        sizes.share = Some(1.0);
    }
    let found = converted("mup2", "paper", &setting).unwrap();
    assert_eq!(found.rho, None);
    let norm = ((8.0 + 1.0 + 1.0 / 8.0) / 3.0f64).sqrt();
    for (radius, power) in radii(&found).into_iter().zip([-1, 0, 1]) {
        assert!((radius / (0.5 * norm * 8f64.powi(power)) - 1.0).abs() < 1e-12);
    }
}

#[test]
fn what_is_missing_is_asked_for() {
    let error = converted("mup2", "paper", &setting(64, 8)).unwrap_err();
    assert!(
        error.contains("share of layer `input`: is not given"),
        "{error}"
    );
    let error = converted("plain", "plain:asam", &setting(64, 8)).unwrap_err();
    assert!(
        error.contains("weight size of layer `input`: is not given"),
        "{error}"
    );
    // Where only a number is common to all layers, nothing is asked.
    let mut without_eta = setting(64, 8);
    without_eta.asam_eta = 0.0;
    without_eta.denominator = Some(Denominator::Coupled);
    let found = converted("plain:asam", "mup2:asam", &without_eta).unwrap();
    assert!((found.rho.unwrap() - 0.5 / 8f64.sqrt()).abs() < 1e-12);
}

#[test]
fn numbers_that_are_none_and_unknown_names_are_refused() {
    for rho in [-1.0, f64::NAN, f64::INFINITY] {
        let plain = convention("plain");
        assert!(convert_radius(rho, plain, plain, &setting(8, 8)).is_err());
    }
    let mut bad = setting(8, 8);
    bad.layers[1].weight = Some(0.0);
    let error = converted("plain", "mup2", &bad).unwrap_err();
    assert!(
        error.contains("weight size of layer `hidden`: is 0"),
        "{error}"
    );
    let error = "sam".parse::<RadiusConvention>().unwrap_err();
    assert_eq!(error, "no scaling `sam`; allowed: plain, mup2, paper");
    assert!(
        "mup2:adam"
            .parse::<RadiusConvention>()
            .unwrap_err()
            .contains("asam-absolute")
    );
    assert_eq!(convention("mup2").to_string(), "mup2:sam");
}
