//! Roles from two widths of a module, and modules that are not two widths of one.

use super::nets::{
    BASE, CLASSES, INPUTS, Perceptron, Zoo, device, mup2, perceptron_shapes, scaled,
};
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Tensor, TensorData};
use mup2::module::BaseShapes;
use mup2::scaling::{Role, Rule, TensorKind, TensorShape, scale};
use mup2::shapes::Declarations;
use proptest::prelude::*;

fn refusal<M: Module>(base: &M, wide: &M) -> String {
    BaseShapes::compare(base, wide, &Declarations::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn layers_of_burn_need_no_declaration() {
    let shapes = BaseShapes::compare(&Zoo::new(4), &Zoo::new(8), &Declarations::default()).unwrap();
    let scaled = shapes.scale(&mup2(), &Zoo::new(12)).unwrap();
    assert_eq!(scaled.width_ratio(), 3.0);
    let found: Vec<_> = scaled
        .shapes()
        .iter()
        .map(|shape| (shape.name.as_str(), shape.role, shape.fan, shape.base_fan))
        .collect();
    assert_eq!(
        found,
        [
            ("embedding.weight", Role::Input, (1, 12), (1, 4)),
            ("convolution.weight", Role::Input, (18, 12), (18, 4)),
            ("convolution.bias", Role::Input, (1, 12), (1, 4)),
            ("batch_norm.gamma", Role::Input, (1, 12), (1, 4)),
            ("batch_norm.beta", Role::Input, (1, 12), (1, 4)),
            ("upwards.weight", Role::Hidden, (48, 24), (16, 8)),
            ("upwards.bias", Role::Input, (1, 24), (1, 8)),
            ("norms.0.gamma", Role::Input, (1, 12), (1, 4)),
            ("norms.0.beta", Role::Input, (1, 12), (1, 4)),
            ("hidden.weight", Role::Hidden, (12, 48), (4, 16)),
            ("hidden.bias", Role::Input, (1, 48), (1, 16)),
            ("gain", Role::Input, (1, 12), (1, 4)),
            ("readout.weight", Role::Output, (48, CLASSES), (16, CLASSES)),
        ]
    );
    let kinds: Vec<_> = shapes.parameters().iter().map(|one| one.kind).collect();
    assert_eq!(
        kinds[2..4],
        [Some(TensorKind::Bias), Some(TensorKind::Norm)]
    );
    assert_eq!(kinds[11], None);
    assert!(scaled.table().verdict.is_effective());
}

#[test]
fn the_table_is_that_of_shapes_written_by_hand() {
    let width = 32;
    let shape = |name: &str, role, kind, shape: &[usize], fan, base_fan, std| TensorShape {
        name: name.to_owned(),
        role,
        kind,
        shape: shape.to_vec(),
        fan,
        base_fan,
        base_init_std: std,
    };
    let bias = |name, role, fan: usize, base: usize| {
        shape(
            name,
            role,
            TensorKind::Bias,
            &[fan],
            (1, fan),
            (1, base),
            0.0,
        )
    };
    let weight = |name, role, fan: (usize, usize), base: (usize, usize), gain: f64| {
        let std = gain / (base.0 as f64).sqrt();
        shape(
            name,
            role,
            TensorKind::Weight,
            &[fan.0, fan.1],
            fan,
            base,
            std,
        )
    };
    let he = 2f64.sqrt();
    let by_hand = [
        weight(
            "input.weight",
            Role::Input,
            (INPUTS, width),
            (INPUTS, BASE),
            he,
        ),
        bias("input.bias", Role::Input, width, BASE),
        weight(
            "hidden.weight",
            Role::Hidden,
            (width, width),
            (BASE, BASE),
            he,
        ),
        bias("hidden.bias", Role::Input, width, BASE),
        weight(
            "readout.weight",
            Role::Output,
            (width, CLASSES),
            (BASE, CLASSES),
            1.0,
        ),
        bias("readout.bias", Role::Fixed, CLASSES, CLASSES),
    ];
    let table = scale(&mup2(), &by_hand).unwrap();
    assert_eq!(scaled(&mup2(), width).table(), &table);
}

#[test]
fn at_the_base_width_every_multiplier_is_one() {
    for row in &scaled(&mup2(), BASE).table().tensors {
        let multipliers = [row.lr_mult, row.rho_mult, row.norm_mult, row.wd_mult];
        assert_eq!(multipliers, [1.0; 4], "{}", row.name);
    }
}

proptest! {
    #[test]
    fn any_two_widths_show_the_same_roles(base in 1usize..6, wide in 2usize..5, target in 1usize..9) {
        let shapes = |width: usize| BaseShapes::compare(
            &Perceptron::new(base), &Perceptron::new(base * width), &Declarations::default(),
        ).unwrap();
        prop_assert_eq!(shapes(wide), shapes(wide + 1));
        let scaled = shapes(wide).scale(&mup2(), &Perceptron::new(base * target)).unwrap();
        prop_assert_eq!(scaled.width_ratio(), target as f64);
        let hidden = &scaled.table().tensors[2];
        prop_assert_eq!(hidden.role, Role::Hidden);
        prop_assert!((hidden.init_std - (2.0 / (base * target) as f64).sqrt()).abs() < 1e-12);
    }
}

/// A matrix outside of Burn's layers.
#[derive(Module, Debug)]
struct Bare {
    matrix: Param<Tensor<2>>,
    readout: Linear,
}

fn bare(shape: [usize; 2], width: usize) -> Bare {
    let matrix = Tensor::from_data(TensorData::zeros::<f32, _>(shape), &device());
    Bare {
        matrix: Param::from_tensor(matrix),
        readout: LinearConfig::new(width, CLASSES).init(&device()),
    }
}

#[test]
fn a_matrix_outside_of_layers_has_no_role_until_it_is_declared() {
    let message = refusal(&bare([5, 8], 8), &bare([5, 16], 16));
    assert_eq!(
        message,
        "parameter `matrix`: has shape [5, 8], of which the sides [1] grow, and stands in none of \
         Burn's layers: nothing says which side is its fan-in; allowed: a declaration of its \
         layout, such as \"in out\" of a matrix W in x W, or `embedding`"
    );
    let compare = |declarations: Declarations| {
        let found = BaseShapes::compare(&bare([5, 8], 8), &bare([5, 16], 16), &declarations);
        found.map(|shapes| {
            let matrix = &shapes.parameters()[0];
            (matrix.role(), matrix.layout.fans(&matrix.shape).unwrap())
        })
    };
    let none = Declarations::default;
    let by_layout = compare(none().layout("matrix", "in out").unwrap());
    assert_eq!(by_layout.unwrap(), (Role::Input, (5, 8)));
    let other = compare(none().layout("matrix", "out in").unwrap());
    assert_eq!(other.unwrap(), (Role::Output, (8, 5)));
    let rows = compare(none().embedding("matrix"));
    assert_eq!(rows.unwrap(), (Role::Input, (1, 8)));
    let by_role = compare(none().role("matrix", Role::Output));
    assert_eq!(by_role.unwrap(), (Role::Output, (8, 5)));
    let message = compare(none().role("matrix", Role::Hidden)).unwrap_err();
    assert!(message.to_string().contains("`matrix`"), "{message}");
}

#[test]
fn a_square_matrix_whose_sides_grow_is_hidden_whichever_way_round_it_is() {
    let shapes = BaseShapes::compare(
        &bare([8, 8], 8),
        &bare([16, 16], 16),
        &Declarations::default(),
    );
    assert_eq!(shapes.unwrap().parameters()[0].role(), Role::Hidden);
    let message = refusal(&bare([8, 16], 8), &bare([16, 32], 16));
    assert!(message.contains("the sides [0, 1] grow"), "{message}");
}

#[test]
fn sides_that_grow_by_different_ratios_are_refused_with_their_names() {
    let message = refusal(&bare([8, 8], 8), &bare([16, 16], 24));
    assert_eq!(
        message,
        "tensors `matrix` and `readout.weight`: side 0 of `matrix` grows from 8 to 16, and side 0 \
         of `readout.weight` grows from 8 to 24; allowed: growth by one ratio: a model whose hidden \
         sides are all multiplied by the same number"
    );
    // Also where the base shapes were right and the model to scale is not.
    let shapes = BaseShapes::compare(
        &bare([8, 8], 8),
        &bare([16, 16], 16),
        &Declarations::default(),
    );
    let shapes = shapes.unwrap();
    let other = shapes.scale(&mup2(), &bare([32, 32], 24)).unwrap_err();
    assert!(other.to_string().contains("grows from 8 to 24"), "{other}");
    let stuck = shapes.scale(&mup2(), &bare([8, 8], 24)).unwrap_err();
    assert!(
        stuck.to_string().starts_with("tensor `matrix`: side 0"),
        "{stuck}"
    );
}

#[test]
fn a_width_that_does_not_differ_shows_nothing() {
    let message = refusal(&Perceptron::new(8), &Perceptron::new(8));
    assert!(message.contains("have the same shapes"), "{message}");
}

#[test]
fn a_struct_that_only_has_the_name_of_a_layer_is_noticed_by_its_bias() {
    mod mine {
        use super::*;

        /// `[out, in]`, as in PyTorch.
        #[derive(Module, Debug)]
        pub struct Linear {
            pub weight: Param<Tensor<2>>,
            pub bias: Param<Tensor<1>>,
        }
    }
    let linear = |width: usize| {
        let zeros = |shape: &[usize]| TensorData::zeros::<f32, _>(shape.to_vec());
        mine::Linear {
            weight: Param::from_tensor(Tensor::from_data(zeros(&[width, 5]), &device())),
            bias: Param::from_tensor(Tensor::from_data(zeros(&[width]), &device())),
        }
    };
    let message = refusal(&linear(8), &linear(16));
    assert!(
        message.starts_with("parameter `weight`: has shape [8, 5] beside a bias of shape [8]"),
        "{message}"
    );
    let declared = Declarations::default().layout("weight", "out in").unwrap();
    let shapes = BaseShapes::compare(&linear(8), &linear(16), &declared).unwrap();
    assert_eq!(shapes.parameters()[0].role(), Role::Input);
}

#[test]
fn a_model_whose_parameters_changed_is_refused_with_the_parameters_name() {
    let shapes = perceptron_shapes();
    let refusal = |model: &Perceptron| shapes.scale(&mup2(), model).unwrap_err().to_string();
    let mut without_bias = Perceptron::new(16);
    without_bias.readout.bias = None;
    assert_eq!(
        refusal(&without_bias),
        "parameter `readout.bias`: is in the base shapes and not in the model; allowed: a model \
         with all their parameters; make new ones if the model was changed"
    );
    let mut other_classes = Perceptron::new(16);
    other_classes.readout = LinearConfig::new(16, CLASSES + 1).init(&device());
    let message = refusal(&other_classes);
    assert!(
        message.contains("`readout.bias` grows from 3 to 4"),
        "{message}"
    );
    let other = shapes.scale(&mup2(), &bare([8, 8], 8)).unwrap_err();
    assert_eq!(
        other.to_string(),
        "parameter `matrix`: is not in the base shapes; allowed: the parameters that they were \
         made with; make new ones if the model was changed"
    );
}

#[test]
fn a_rule_that_treats_norms_apart_wants_to_know_what_a_bare_vector_is() {
    let compare = |declarations: &Declarations| {
        BaseShapes::compare(&Zoo::new(4), &Zoo::new(8), declarations).unwrap()
    };
    let mut scheme = mup2();
    scheme.rule = Rule::SamOn;
    let unknown = compare(&Declarations::default()).scale(&scheme, &Zoo::new(8));
    let message = unknown.unwrap_err().to_string();
    assert!(
        message.ends_with("a declaration of the kind of each of \"gain\""),
        "{message}"
    );
    let declared = Declarations::default().kind("gain", TensorKind::Norm);
    let scaled = compare(&declared).scale(&scheme, &Zoo::new(8)).unwrap();
    let moved: Vec<&str> = scaled
        .table()
        .tensors
        .iter()
        .filter(|row| row.rho_mult != 0.0)
        .map(|row| row.name.as_str())
        .collect();
    let expected = [
        "batch_norm.gamma",
        "batch_norm.beta",
        "norms.0.gamma",
        "norms.0.beta",
        "gain",
    ];
    assert_eq!(moved, expected);
}
