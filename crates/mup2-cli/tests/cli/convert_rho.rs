//! `mup2 convert-rho`.

use crate::{mup2, stderr, stdout};
use serde_json::Value;
use std::path::Path;

fn convert(arguments: &[&str]) -> std::process::Output {
    let mut all = vec!["convert-rho"];
    all.extend(arguments);
    mup2(&all, Path::new("."))
}

const SIZES: &str = "input=0.09,hidden=0.09,output=0.09";

#[test]
fn one_radius_is_a_sentence() {
    let output = convert(&[
        "0.05",
        "--from",
        "plain",
        "--to",
        "plain:asam",
        "--weight-size",
        SIZES,
    ]);
    assert_eq!(
        stdout(&output),
        "ρ = 0.05 of plain:sam is ρ = 0.5 of plain:asam\n"
    );
    let output = convert(&[
        "0.1",
        "--from",
        "plain",
        "--to",
        "mup2",
        "--width",
        "64",
        "--base-width",
        "64",
    ]);
    assert_eq!(
        stdout(&output),
        "ρ = 0.1 of plain:sam is ρ = 0.1 of mup2:sam\n"
    );
}

#[test]
fn where_there_is_no_one_radius_each_layer_has_its_own() {
    let papers = [
        "0.5",
        "--from",
        "mup2",
        "--to",
        "paper",
        "--width",
        "64",
        "--base-width",
        "8",
        "--shares",
        "input=8,hidden=8,output=8",
    ];
    let output = convert(&papers);
    insta::assert_snapshot!(stdout(&output), @r"
    ρ = 0.5 of mup2:sam is no one ρ of paper:sam; it is, layer by layer:
    layer          ρ
    input   0.109002
    hidden  0.872019
    output   6.97615
    ");
    let json: Value = serde_json::from_str(&stdout(&convert(
        &[&papers[..], &["--format", "json"]].concat(),
    )))
    .unwrap();
    assert!(json["rho"].is_null());
    let hidden = (73f64 / 24.0).sqrt() / 2.0;
    assert!((json["layers"]["hidden"].as_f64().unwrap() - hidden).abs() < 1e-12);
    assert!((json["layers"]["output"].as_f64().unwrap() - 8.0 * hidden).abs() < 1e-12);
}

#[test]
fn what_is_missing_or_wrong_is_said_in_one_sentence() {
    for (arguments, expected) in [
        (
            &["0.1", "--from", "plain", "--to", "mup2"][..],
            "--width: is not given",
        ),
        (
            &["0.1", "--from", "plain", "--to", "mup2", "--width", "8"],
            "--base-width: is not given",
        ),
        (
            &["0.1", "--from", "plain", "--to", "plain:asam"],
            "weight size of layer `input`: is not given",
        ),
        (
            &["0.1", "--from", "plain", "--to", "paper", "--width", "8"],
            "share of layer `input`: is not given",
        ),
        (
            &["0.1", "--from", "sam", "--to", "mup2"],
            "allowed: plain, mup2, paper",
        ),
        (&["x", "--from", "plain", "--to", "plain"], "invalid float"),
        (&["nan", "--from", "plain", "--to", "plain"], "ρ: is NaN"),
        (
            &[
                "0.1",
                "--from",
                "plain",
                "--to",
                "plain",
                "--weight-size",
                "input=1,input=2",
            ],
            "a layer a second time",
        ),
    ] {
        let output = convert(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr(&output).contains(expected),
            "{expected:?} not in: {}",
            stderr(&output)
        );
    }
}
