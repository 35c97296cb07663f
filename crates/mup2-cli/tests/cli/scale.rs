//! `mup2 scale` and the help texts.

use crate::{mup2, stderr, stdout};
use serde_json::Value;
use std::path::Path;

fn scale(arguments: &[&str]) -> String {
    let mut all = vec!["scale", "--model", "mlp"];
    all.extend(arguments);
    let output = mup2(&all, Path::new("."));
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn the_table_shows_multipliers_and_verdict() {
    insta::assert_snapshot!(scale(&["--width", "1024", "--base-width", "256"]));
}

#[test]
fn a_scaling_that_fails_is_told_layer_by_layer() {
    insta::assert_snapshot!(scale(&[
        "--width",
        "1024",
        "--base-width",
        "256",
        "--param",
        "sp",
        "--perturb",
        "naive",
        "--bias"
    ]));
}

#[test]
fn csv_has_a_row_a_tensor() {
    insta::assert_snapshot!(scale(&[
        "--width",
        "4096",
        "--base-width",
        "64",
        "--depth",
        "2",
        "--rule",
        "asam",
        "--format",
        "csv"
    ]));
}

#[test]
fn json_has_the_documented_keys() {
    let text = scale(&[
        "--width",
        "1024",
        "--base-width",
        "256",
        "--perturb",
        "global",
        "--format",
        "json",
    ]);
    let table: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(table["c_nabla"], 1.0);
    for key in [
        "name",
        "role",
        "shape",
        "init_std",
        "lr_mult",
        "rho_mult",
        "norm_mult",
        "wd_mult",
        "effect_exponent",
    ] {
        assert!(!table["tensors"][0][key].is_null(), "{key}");
    }
    assert_eq!(table["verdict"]["stable"], true);
    assert_eq!(
        table["verdict"]["effective"],
        serde_json::json!(["readout.weight"])
    );
    assert_eq!(
        table["verdict"]["vanishing"],
        serde_json::json!(["input.weight", "hidden.0.weight"])
    );
    assert_eq!(table["verdict"]["unstable"], serde_json::json!([]));
}

#[test]
fn exponents_of_ones_own_replace_the_derived_ones() {
    // ASAM per layer, with METHOD section 4's d_l and with the unscaled ones.
    let base = [
        "--width",
        "1024",
        "--base-width",
        "64",
        "--rule",
        "asam-layer",
        "--format",
        "json",
        "--denominator",
        "coupled",
    ];
    let effects = |exponents: &[&str]| -> Vec<f64> {
        let mut arguments = base.to_vec();
        arguments.extend(exponents);
        let table: Value = serde_json::from_str(&scale(&arguments)).unwrap();
        let tensors = table["tensors"].as_array().unwrap().iter();
        tensors
            .map(|tensor| tensor["effect_exponent"].as_f64().unwrap())
            .collect()
    };
    assert_eq!(
        effects(&["--exponent", "d=0", "--exponent", "d-layer=0,1,0"]),
        [0.0, 0.0, 0.0]
    );
    assert_eq!(
        effects(&["--exponent", "d=0", "--exponent", "d-layer=0,0,0"]),
        [-0.5, 0.5, -0.5]
    );
}

#[test]
fn a_wrong_flag_names_what_is_allowed_and_exits_with_two() {
    for (flag, value, allowed) in [
        ("--perturb", "mup3", "mup2"),
        ("--rule", "xsam", "asam-layer"),
        ("--width", "0", "1.."),
    ] {
        let arguments = ["scale", "--width", "64", "--base-width", "64", flag, value];
        let arguments = if flag == "--width" {
            &["scale", "--base-width", "64", flag, value][..]
        } else {
            &arguments
        };
        let output = mup2(arguments, Path::new("."));
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(allowed), "{}", stderr(&output));
    }
    let output = mup2(
        &[
            "scale",
            "--width",
            "64",
            "--base-width",
            "64",
            "--exponent",
            "b=1",
        ],
        Path::new("."),
    );
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output), @"mup2: --exponent b=1: needs three or four numbers; allowed: b, c, d-layer, e or a = INPUT,HIDDEN,OUTPUT[,FIXED], or d=NUMBER");
}

#[test]
fn help_shows_every_command() {
    let output = mup2(&["--help"], Path::new("."));
    insta::assert_snapshot!(stdout(&output));
}
