//! `mup2 check` and `mup2 phases`: what they print, and the exit code that scripts rely on.

use crate::{mup2, stderr, stdout};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

fn check(arguments: &[&str]) -> Output {
    let widths = ["check", "--dataset", "random", "--widths", "64,128,256"];
    mup2(&[&widths, arguments].concat(), Path::new("."))
}

#[test]
fn a_scheme_that_transfers_exits_with_zero_and_one_that_does_not_with_one() {
    for (scheme, code, ending) in [
        ("mup2", 0, "PASS"),
        ("mup-global", 1, "FAIL"),
        ("mup-naive", 1, "FAIL"),
        ("mup-first-layer", 1, "FAIL"),
        ("sp-naive", 1, "FAIL"),
    ] {
        let output = check(&["--scheme", scheme]);
        assert_eq!(output.status.code(), Some(code), "{scheme}");
        let text = stdout(&output);
        let last = text.lines().last().unwrap();
        assert!(last.starts_with(ending), "{scheme}: {last}");
    }
}

#[test]
fn the_failing_layers_are_named() {
    let text = stdout(&check(&["--param", "mup", "--perturb", "global"]));
    for layer in ["input.weight", "hidden.0.weight"] {
        let sentence = format!("- `{layer}` is not effectively perturbed");
        assert!(text.contains(&sentence), "{text}");
    }
    assert!(!text.contains("- `readout.weight`"), "{text}");
}

#[test]
fn the_json_has_the_promised_fields() {
    let output = check(&["--format", "json", "--steps", "2"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["pass"], true);
    assert_eq!(report["widths"], serde_json::json!([64, 128, 256]));
    let tensors = report["tensors"].as_array().unwrap();
    assert_eq!(tensors.len(), 3);
    for tensor in tensors {
        for key in [
            "effect_slope",
            "effect_stderr",
            "effect_predicted",
            "spectral_slope",
            "update_slope",
            "update_predicted",
            "norm_share",
        ] {
            assert!(tensor[key].is_f64(), "{key}: {tensor}");
        }
        assert!(tensor["role"].is_string());
        assert_eq!(tensor["verdict"], "effective");
    }
    // Every tensor at every width, seed and step.
    assert_eq!(report["points"].as_array().unwrap().len(), 3 * 3 * 3 * 2);
}

#[test]
fn the_page_stands_alone() {
    let page = stdout(&check(&["--format", "html"]));
    assert!(page.starts_with("<!doctype html>"));
    assert!(!page.contains("src=") && !page.contains("<script"));
    assert!(page.contains("Coordinate check"));
}

#[test]
fn a_run_file_is_checked_as_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let file = "[data]\ndataset = \"random\"\n[model]\nbase_width = 32\nbias = true\n\
                [scaling]\nperturbation = \"global\"\n[optimizer]\nlr = 0.01\n";
    std::fs::write(directory.path().join("run.toml"), file).unwrap();
    let run = [
        "check",
        "run.toml",
        "--widths",
        "32,64,128",
        "--format",
        "json",
    ];
    let output = mup2(&run, directory.path());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["scheme"], "mup-global");
    assert_eq!(report["tensors"].as_array().unwrap().len(), 6);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_cannot_be_checked_is_bad_input() {
    for (arguments, problem) in [
        (&["--widths", "64,64"][..], "--widths: holds a width twice"),
        (&["--rho", "0"], "sam.rho: is 0"),
        (&["--rule", "sam-on"], "sam.rule: is `sam-on`"),
        (&["--tolerance", "0.5"], "--tolerance: is 0.5"),
        (&["--batch-size", "5000"], "train.batch_size: 5000"),
    ] {
        let output = mup2(
            &[&["check", "--dataset", "random"], arguments].concat(),
            Path::new("."),
        );
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(problem), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn phases_print_the_theory_in_every_format() {
    let phases = |arguments: &[&str]| {
        let output = mup2(&[&["phases"], arguments].concat(), Path::new("."));
        assert_eq!(output.status.code(), Some(0));
        stdout(&output)
    };
    assert!(phases(&["--param", "mup"]).contains("mup2: effective in every layer."));
    assert!(phases(&["--format", "svg"]).starts_with("<svg"));
    assert!(phases(&["--format", "html"]).starts_with("<!doctype html>"));
    let json: Value = serde_json::from_str(&phases(&["--format", "json"])).unwrap();
    assert_eq!(json["effective_d"], -0.5);
}
