//! `mup2 scale` on the shapes of PyTorch checkpoints.

use crate::{mup2, stderr, stdout};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

/// Writes a safetensors file of 16-bit floats, all 0.
fn checkpoint(path: &Path, tensors: &[(&str, &[usize])]) {
    let mut end = 0;
    let entries = tensors.iter().map(|(name, shape)| {
        let first = end;
        end += 2 * shape.iter().product::<usize>();
        format!(r#""{name}":{{"dtype":"BF16","shape":{shape:?},"data_offsets":[{first},{end}]}}"#)
    });
    let header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + end, 0);
    std::fs::write(path, bytes).unwrap();
}

/// A directory with `small` and `large`, two widths of a network with a normalization.
fn networks() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, width) in [("small.safetensors", 8), ("large.safetensors", 32)] {
        let tensors: [(&str, &[usize]); 6] = [
            ("conv.weight", &[width, 3, 3, 3]),
            ("bn.weight", &[width]),
            ("bn.running_mean", &[width]),
            ("hidden.weight", &[2 * width, width]),
            ("fc.weight", &[10, 2 * width]),
            ("fc.bias", &[10]),
        ];
        checkpoint(&directory.path().join(name), &tensors);
    }
    directory
}

const FILES: [&str; 5] = [
    "scale",
    "--base",
    "small.safetensors",
    "--target",
    "large.safetensors",
];

fn scale(directory: &Path, more: &[&str]) -> Output {
    let mut arguments = FILES.to_vec();
    arguments.extend(more);
    mup2(&arguments, directory)
}

#[test]
fn the_table_lists_what_could_be_an_embedding_first() {
    let directory = networks();
    let output = scale(directory.path(), &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    insta::assert_snapshot!(stdout(&output), @r"
    name           role    from            shape     init_std  init_mult  lr_mult  rho_mult  norm_mult  wd_mult  effect
    fc.weight      output  only-candidate  10x64       0.0625       0.25     0.25      0.25        0.5        4       0
    bn.weight      input   shapes          32               0          1        4         4          2     0.25       0
    conv.weight    input   shapes          32x3x3x3   0.19245          1        4         4          2     0.25       0
    fc.bias        fixed   shapes          10               0          1        1         1          1        1       0
    hidden.weight  hidden  shapes          64x32     0.176777        0.5        1         1          1        1       0

    width ratio 4
    `fc.weight` is taken for the readout; if it is an embedding table, say so in a roles.toml
    no parameters (running statistics): bn.running_mean
    c∇ = 1, d = -0.5, decoupled denominator
    stable
    effectively perturbed: fc.weight, bn.weight, conv.weight, fc.bias, hidden.weight
    ");
}

#[test]
fn json_has_the_multipliers_of_every_parameter() {
    let directory = networks();
    let output = scale(directory.path(), &["--format", "json"]);
    let scaling: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(scaling["width_ratio"], 4.0);
    let tensors = scaling["tensors"].as_array().unwrap();
    assert_eq!(tensors.len(), 5);
    assert_eq!(tensors[0]["name"], "fc.weight");
    assert_eq!(tensors[0]["role"], "output");
    assert_eq!(tensors[0]["evidence"], "only-candidate");
    for key in ["init_std", "lr_mult", "rho_mult", "norm_mult", "wd_mult"] {
        assert!(tensors[0][key].is_f64(), "{key}");
    }
    assert_eq!(scaling["left_out"][0]["name"], "bn.running_mean");
    assert_eq!(scaling["left_out"][0]["reason"], "running-statistics");
    // What was taken for granted is said where it does not disturb the data.
    assert!(stderr(&output).contains("`fc.weight` is taken for the readout"));
}

#[test]
fn shapes_can_stand_in_for_the_weights() {
    let directory = networks();
    let saved = mup2(
        &[
            "scale",
            "--base",
            "small.safetensors",
            "--save-shapes",
            "small.toml",
        ],
        directory.path(),
    );
    assert_eq!(stdout(&saved), "small.toml\n");
    let from_shapes = mup2(
        &[
            "scale",
            "--base",
            "small.toml",
            "--target",
            "large.safetensors",
        ],
        directory.path(),
    );
    assert_eq!(stdout(&from_shapes), stdout(&scale(directory.path(), &[])));
    // At the base width itself a third one shows what grows.
    let alone = ["scale", "--base", "small.toml", "--target", "small.toml"];
    let output = mup2(&alone, directory.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("have the same shapes"),
        "{}",
        stderr(&output)
    );
    let mut with_other = alone.to_vec();
    with_other.extend(["--other", "large.safetensors", "--format", "csv"]);
    let output = mup2(&with_other, directory.path());
    let first_row = stdout(&output).lines().nth(1).unwrap().to_owned();
    assert_eq!(
        first_row,
        "fc.weight,output,only-candidate,10x16,0.25,1,1,1,1,1,1,0"
    );
}

#[test]
fn the_python_file_is_written_whole_and_names_what_it_is_for() {
    let directory = networks();
    let torch = ["--format", "torch", "--out", "mup2_groups.py"];
    let output = scale(directory.path(), &torch);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "mup2_groups.py\n");
    let python = std::fs::read_to_string(directory.path().join("mup2_groups.py")).unwrap();
    for part in [
        "ORIGIN = \"mup2 ",
        "small.safetensors",
        "\"fc.bias\": Entry((10,), 0.0)",
        "class SAM:",
    ] {
        assert!(python.contains(part), "{part}");
    }
}

#[test]
fn a_rule_that_needs_to_know_biases_asks_for_them() {
    let directory = networks();
    let output = scale(directory.path(), &["--rule", "asam"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("each of \"fc.bias\" in `bias`"),
        "{}",
        stderr(&output)
    );
    std::fs::write(directory.path().join("roles.toml"), "bias = [\"*.bias\"]").unwrap();
    let output = scale(
        directory.path(),
        &["--rule", "asam", "--roles", "roles.toml"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn bad_files_and_flags_end_with_one_sentence_and_two() {
    let directory = networks();
    let path = directory.path();
    std::fs::write(
        path.join("torn.safetensors"),
        [9, 0, 0, 0, 0, 0, 0, 0, b'{'],
    )
    .unwrap();
    std::fs::write(path.join("roles.toml"), "embeddings = []").unwrap();
    for (arguments, expected) in [
        (
            &["scale", "--base", "small.safetensors"][..],
            "--base: is given alone",
        ),
        (
            &[
                "scale",
                "--base",
                "none.safetensors",
                "--target",
                "x.safetensors",
            ],
            "cannot open",
        ),
        (
            &[
                "scale",
                "--base",
                "torn.safetensors",
                "--target",
                "x.safetensors",
            ],
            "announces a header of 9 bytes",
        ),
        (
            &["scale", "--base", "small.bin", "--target", "x.safetensors"],
            "another ending",
        ),
        (
            &[
                "scale",
                "--base",
                "small.safetensors",
                "--target",
                "large.safetensors",
                "--roles",
                "roles.toml",
            ],
            "roles.toml: line 1: unknown field `embeddings`",
        ),
        (
            &["scale", "--base", "small.safetensors", "--width", "8"],
            "cannot be used with",
        ),
        (&["scale", "--width", "8"], "--base-width"),
        (
            &[
                "scale",
                "--width",
                "8",
                "--base-width",
                "4",
                "--format",
                "torch",
            ],
            "--format torch: is for the shapes of a PyTorch model",
        ),
    ] {
        let output = mup2(arguments, path);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr(&output).contains(expected),
            "{expected:?} not in: {}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "");
    }
}
