//! Declarations: they win over what layers say, and may not contradict what grows.

use super::nets::{BASE, Perceptron, Zoo};
use mup2::error::Result;
use mup2::module::{BaseShapes, Start};
use mup2::scaling::Role;
use mup2::shapes::Declarations;

fn compare(declarations: Declarations) -> Result<BaseShapes> {
    let (base, wide) = (Perceptron::new(BASE), Perceptron::new(2 * BASE));
    BaseShapes::compare(&base, &wide, &declarations)
}

fn refusal(declarations: Declarations) -> String {
    compare(declarations).unwrap_err().to_string()
}

#[test]
fn a_declared_layout_wins_over_the_layers() {
    let none = Declarations::default();
    let shapes = compare(none.layout("input.weight", "out in").unwrap()).unwrap();
    assert_eq!(shapes.parameters()[0].role(), Role::Output);
}

#[test]
fn a_declared_gain_wins_over_the_layers_and_zero_is_a_zero_readout() {
    let declarations = Declarations::default().gain("readout.*", 0.0).unwrap();
    let shapes = compare(declarations).unwrap();
    assert_eq!(
        shapes.parameters()[4].start,
        Start::Drawn { gain: Some(0.0) }
    );
    let scaled = shapes
        .scale(&super::nets::mup2(), &Perceptron::new(BASE))
        .unwrap();
    assert_eq!(scaled.table().tensors[4].init_std, 0.0);
}

#[test]
fn a_declaration_that_contradicts_what_grows_is_refused() {
    let none = Declarations::default;
    assert_eq!(
        refusal(none().role("hidden.weight", Role::Output)),
        "parameter `hidden.weight`: is declared `output`, and with shapes [8, 8] and [16, 16] in \
         the layout `in out` is `hidden`; allowed: a role that fits what grows, or another layout"
    );
    let message = refusal(none().embedding("hidden.weight"));
    assert!(
        message.contains("a `stack` side of the layout `stack out`, grows"),
        "{message}"
    );
    let message = refusal(none().layout("hidden.weight", "in").unwrap());
    assert!(message.contains("is declared as `in`"), "{message}");
    let roles = Declarations::parse("readout = ['input.weight']", "roles.toml").unwrap();
    let message = refusal(roles);
    assert!(message.contains("is declared `output`"), "{message}");
}

#[test]
fn a_declaration_that_means_nothing_is_refused() {
    let message = refusal(Declarations::default().buffer("inptu.*"));
    assert!(message.contains("`inptu.*` matches no tensor"), "{message}");
    let message = Declarations::default().layout("w", "in uot").unwrap_err();
    assert!(message.to_string().contains("`uot`"), "{message}");
    let message = Declarations::default().gain("w", f64::NAN).unwrap_err();
    assert!(message.to_string().contains("NaN"), "{message}");
}

#[test]
fn what_is_declared_a_buffer_has_no_role_at_any_width() {
    let declarations = Declarations::default().buffer("gain");
    let shapes = BaseShapes::compare(&Zoo::new(4), &Zoo::new(8), &declarations).unwrap();
    let scaled = shapes.scale(&super::nets::mup2(), &Zoo::new(16)).unwrap();
    assert!(scaled.shapes().iter().all(|shape| shape.name != "gain"));
}
