//! Multipliers of checkpoints, and the Python file.

use super::{compared, mlp, shapes};
use crate::shapes::{ModelScaling, ModelShapes, python_file};
use crate::{Parameterization, Perturbation, Role, Rule, Scheme, TensorKind, TensorShape, scale};

fn scheme(rule: Rule) -> Scheme {
    Scheme {
        rule,
        ..Scheme::new(Parameterization::Mup, Perturbation::Mup2)
    }
}

fn with_vectors(place: &str, width: usize) -> ModelShapes {
    shapes(
        place,
        &[
            ("fc.weight", &[width, 4]),
            ("fc.bias", &[width]),
            ("norm.weight", &[width]),
            ("head.weight", &[3, width]),
        ],
    )
}

const KINDS: &str = "bias = ['fc.bias']\nnorm = ['norm.*']";

fn scaled(rule: Rule, roles: &str) -> Result<ModelScaling, String> {
    let comparison = compared(&with_vectors("base", 8), &with_vectors("target", 32), roles);
    let scaling = comparison.and_then(|comparison| comparison.scale(&scheme(rule)));
    scaling.map_err(|error| error.to_string())
}

#[test]
fn multipliers_are_those_of_the_same_model_with_tagged_layers() {
    let comparison = compared(&mlp("base", 64), &mlp("target", 256), "").unwrap();
    let found = comparison.scale(&scheme(Rule::Sam)).unwrap();
    let tensor = |name: &str, role, fan: (usize, usize), base_fan: (usize, usize)| TensorShape {
        name: name.to_owned(),
        role,
        kind: TensorKind::Weight,
        shape: vec![fan.0, fan.1],
        fan,
        base_fan,
        base_init_std: 1.0 / (base_fan.0 as f64).sqrt(),
    };
    let tagged = [
        tensor("readout.weight", Role::Output, (256, 10), (64, 10)),
        tensor("hidden.weight", Role::Hidden, (256, 256), (64, 64)),
        tensor("input.weight", Role::Input, (784, 256), (784, 64)),
    ];
    let expected = scale(&scheme(Rule::Sam), &tagged).unwrap();
    for (row, expected) in found.tensors.iter().zip(&expected.tensors) {
        assert_eq!(row.name, expected.name);
        assert!((row.init_std / expected.init_std - 1.0).abs() < 1e-15);
        assert_eq!(row.lr_mult, expected.lr_mult);
        assert_eq!(row.rho_mult, expected.rho_mult);
        assert_eq!(row.norm_mult, expected.norm_mult);
        assert_eq!(row.wd_mult, expected.wd_mult);
        assert_eq!(row.effect_exponent, Some(0.0));
    }
    assert_eq!(found.tensors[0].init_mult, 0.25);
    assert_eq!(found.tensors[1].init_mult, 0.5);
    assert!(found.verdict.is_effective());
}

#[test]
fn a_rule_that_treats_biases_apart_asks_which_vectors_are_biases() {
    assert!(scaled(Rule::Sam, "").is_ok());
    assert!(scaled(Rule::AsamLayer, "").is_ok());
    for rule in [Rule::Asam, Rule::SamOn] {
        let error = scaled(rule, "bias = ['fc.bias']").unwrap_err();
        assert!(error.contains("of 1 tensors nothing says"), "{error}");
        assert!(
            error.contains("each of \"norm.weight\" in `bias`"),
            "{error}"
        );
        assert!(scaled(rule, KINDS).is_ok());
    }
    let on = scaled(Rule::SamOn, KINDS).unwrap();
    let perturbed = on.tensors.iter().filter(|row| row.rho_mult != 0.0);
    let perturbed: Vec<&str> = perturbed.map(|row| row.name.as_str()).collect();
    assert_eq!(perturbed, ["norm.weight"]);
}

#[test]
fn weight_multipliers_are_refused() {
    let comparison = compared(&mlp("base", 64), &mlp("target", 256), "").unwrap();
    let scheme = Scheme {
        weight_multipliers: true,
        ..scheme(Rule::Sam)
    };
    let error = comparison.scale(&scheme).unwrap_err().to_string();
    assert!(error.contains("forward pass"), "{error}");
}

#[test]
fn the_python_file_has_every_tensor_in_a_group_with_its_multipliers() {
    let python = python_file(&scaled(Rule::Asam, KINDS).unwrap()).unwrap();
    let groups = python
        .split("GROUPS: tuple[Group, ...] = (\n")
        .nth(1)
        .unwrap();
    let groups = groups.split("\n)\n").next().unwrap();
    insta::assert_snapshot!(groups);
    assert!(python.contains("ORIGIN = \"mup2 "));
}

#[test]
fn the_python_file_follows_the_rule() {
    let preconditioners = |rule| {
        let python = python_file(&scaled(rule, KINDS).unwrap()).unwrap();
        let lines = python
            .lines()
            .filter_map(|line| line.trim().strip_prefix("preconditioner="));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(
        preconditioners(Rule::Sam)
            .iter()
            .all(|one| one == "\"one\",")
    );
    assert!(
        preconditioners(Rule::AsamLayer)
            .iter()
            .all(|one| one == "\"norm\",")
    );
    // A group for each of readout, bias, input matrix and gain; biases have T = 1.
    let asam = preconditioners(Rule::Asam);
    assert_eq!(asam.iter().filter(|one| *one == "\"one\",").count(), 1);
    assert_eq!(asam.iter().filter(|one| *one == "\"absolute\",").count(), 3);
    let error = python_file(&scaled(Rule::Random, "").unwrap()).unwrap_err();
    assert!(error.to_string().contains("random streams"), "{error}");
}
