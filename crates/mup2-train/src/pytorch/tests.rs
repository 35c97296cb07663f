//! Names and layouts, on made-up tensors; the files of real models are in `tests/pytorch.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::config::ModelKind;
use crate::scaling::{Role, TensorKind, TensorShape};

fn shape(name: &str, shape: &[usize]) -> TensorShape {
    TensorShape {
        name: name.to_owned(),
        role: Role::Hidden,
        kind: TensorKind::Weight,
        shape: shape.to_vec(),
        fan: (1, 1),
        base_fan: (1, 1),
        base_init_std: 1.0,
    }
}

fn counted(shape: &[usize], first: f32) -> Weights {
    let count: usize = shape.iter().product();
    Weights {
        shape: shape.to_vec(),
        values: (0..count).map(|index| first + index as f32).collect(),
    }
}

#[test]
fn a_linear_weight_is_transposed_and_three_parts_are_one_tensor() {
    let parts = ["query", "key", "value"];
    let shapes: Vec<TensorShape> = parts
        .iter()
        .map(|part| shape(&format!("blocks.0.attention.{part}.weight"), &[2, 2]))
        .collect();
    let entries = state_entries(ModelKind::Vit, &shapes, &[], None).unwrap();
    let state: State = shapes
        .iter()
        .enumerate()
        .map(|(index, shape)| (shape.name.clone(), counted(&[2, 2], 10.0 * index as f32)))
        .collect();
    let theirs = to_pytorch(&entries, &state).unwrap();
    let qkv = &theirs["blocks.0.attn.qkv.weight"];
    assert_eq!(qkv.shape, [6, 2]);
    assert_eq!(
        qkv.values,
        [
            0.0, 2.0, 1.0, 3.0, 10.0, 12.0, 11.0, 13.0, 20.0, 22.0, 21.0, 23.0
        ]
    );
    assert_eq!(from_pytorch(&entries, &theirs).unwrap(), state);
}

#[test]
fn a_missing_a_foreign_and_a_misshapen_weight_are_named() {
    let shapes = [shape("stem.weight", &[4, 3, 3, 3])];
    let entries = state_entries(ModelKind::ResNet, &shapes, &[], None).unwrap();
    let message = |state: &State| from_pytorch(&entries, state).unwrap_err().to_string();
    assert!(message(&State::new()).contains("weight `conv1.weight`: is missing"));
    let right = ("conv1.weight".to_owned(), counted(&[4, 3, 3, 3], 0.0));
    let wrong = State::from([("conv1.weight".to_owned(), counted(&[4, 3, 1, 1], 0.0))]);
    assert!(message(&wrong).contains("has shape [4, 3, 1, 1]"));
    let extra = State::from([right, ("bn1.bias".to_owned(), counted(&[4], 0.0))]);
    assert!(message(&extra).contains("weight `bn1.bias`: is in the file but not in the model"));
}

#[test]
fn an_mlp_has_no_common_pytorch_model() {
    let shapes = [shape("input.weight", &[2, 2])];
    let error = state_entries(ModelKind::Mlp, &shapes, &[], None).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has no name in a common PyTorch model")
    );
}

#[test]
fn names_are_read_without_what_wrappers_put_into_them() {
    let shapes = [shape("stem.weight", &[4, 3, 3, 3])];
    let entries = state_entries(ModelKind::ResNet, &shapes, &[], None).unwrap();
    let weights = counted(&[4, 3, 3, 3], 0.0);
    let plain = State::from([("conv1.weight".to_owned(), weights.clone())]);
    let expected = from_pytorch(&entries, &plain).unwrap();
    for name in [
        "module.conv1.weight",
        "_orig_mod.conv1.weight",
        "_orig_mod.module.conv1.weight",
        "module._orig_mod.conv1.weight",
        "_fsdp_wrapped_module.conv1._checkpoint_wrapped_module.weight",
    ] {
        let state = State::from([(name.to_owned(), weights.clone())]);
        assert_eq!(from_pytorch(&entries, &state).unwrap(), expected, "{name}");
    }
    let mut twice = plain;
    twice.insert("_orig_mod.conv1.weight".to_owned(), weights);
    let error = from_pytorch(&entries, &twice).unwrap_err().to_string();
    assert!(error.contains("is there twice"), "{error}");
}
