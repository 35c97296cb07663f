//! What a sweep leaves behind: report.json, report.html, figures, the terminal table.

use crate::{TINY, mup2, run_sweep, stderr, stdout, workspace};
use serde_json::Value;

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn a_sweep_ends_with_a_table_and_the_reports_files() {
    let directory = workspace(TINY);
    let output = run_sweep(directory.path(), "out", &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("Transfer of the narrowest width's optimum"));
    let out = directory.path().join("out");
    for file in [
        "report.html",
        "report.json",
        "figures/heatmaps.svg",
        "figures/slices.svg",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let report: Value =
        serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    let has = |value: &Value, expected: &[&str]| {
        let found = keys(value);
        for key in expected {
            assert!(found.contains(key), "{key} is not in {found:?}");
        }
    };
    assert_eq!(report["selection"], "validation");
    has(
        &report["cells"][0],
        &[
            "scheme", "width", "lr", "rho", "seeds", "accuracy", "stderr", "status",
        ],
    );
    has(
        &report["optima"][0],
        &[
            "scheme", "width", "lr", "rho", "accuracy", "stderr", "at_edge",
        ],
    );
    has(
        &report["transfer"][0],
        &[
            "scheme",
            "from",
            "to",
            "log2_lr_drift",
            "log2_rho_drift",
            "centroid_lr_drift",
            "centroid_rho_drift",
            "edge_rho_drift",
            "accuracy_transferred",
            "accuracy_best",
            "regret",
        ],
    );
    has(
        &report["baselines"][0],
        &["scheme", "width", "sgd_accuracy", "sam_accuracy"],
    );
    // 2 schemes × 2 widths × 2 η × 3 ρ.
    assert_eq!(report["cells"].as_array().unwrap().len(), 24);
}

#[test]
fn cells_that_are_one_network_have_one_result() {
    let directory = workspace(TINY);
    run_sweep(directory.path(), "out", &[]);
    let output = mup2(&["report", "out", "--format", "json"], directory.path());
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let cells = report["cells"].as_array().unwrap();
    let accuracies = |scheme: &str, shared: bool| -> Vec<Value> {
        let of_scheme = cells.iter().filter(|cell| {
            let same = cell["width"] == 8 || cell["rho"] == 0.0;
            cell["scheme"] == scheme && same == shared
        });
        of_scheme.map(|cell| cell["accuracy"].clone()).collect()
    };
    assert_eq!(accuracies("mup-global", true), accuracies("mup2", true));
    assert_ne!(accuracies("mup-global", false), accuracies("mup2", false));
}

#[test]
fn a_diverging_run_is_recorded_and_the_others_go_on() {
    let sweep = TINY.replace("lr = [0.0625, 0.25]", "lr = [0.0625, 1e30]");
    let directory = workspace(&sweep);
    let output = run_sweep(
        directory.path(),
        "out",
        &["--set", "grid.width=[8]", "--set", "grid.seed=[0]"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("3 completed, 3 diverged, 0 failed"),
        "{}",
        stderr(&output)
    );
    let report = std::fs::read(directory.path().join("out/report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let cells = report["cells"].as_array().unwrap();
    let diverged = cells.iter().filter(|cell| cell["status"] == "diverged");
    for cell in diverged.clone() {
        assert_eq!(cell["lr"], 1e30);
        assert!(cell["accuracy"].is_null());
    }
    assert_eq!(diverged.count(), 6);
}

#[test]
fn a_single_diverging_run_says_so_and_exits_with_one() {
    let directory = workspace("");
    std::fs::write(
        directory.path().join("run.toml"),
        "[optimizer]\nlr = 1e30\n[data]\ntrain_limit = 500",
    )
    .unwrap();
    let output = mup2(&["train", "run.toml"], directory.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).starts_with("diverged after"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn every_option_of_the_training_loop_trains() {
    let directory = workspace("");
    std::fs::write(
        directory.path().join("run.toml"),
        "[data]\ntrain_limit = 1000\n[train]\nepochs = 3",
    )
    .unwrap();
    for overrides in [
        &[
            "optimizer.name=adamw",
            "optimizer.lr=0.003",
            "optimizer.weight_decay=0.01",
        ][..],
        &[
            "optimizer.momentum=0.9",
            "optimizer.nesterov=true",
            "optimizer.weight_decay=0.001",
        ],
        &[
            "optimizer.schedule=cosine",
            "optimizer.warmup_epochs=0.5",
            "sam.schedule=linear",
        ],
        &[
            "sam.every=3",
            "sam.ascent_steps=2",
            "optimizer.clip_norm=1.0",
        ],
        &["sam.rule=asam", "sam.rho=0.5", "model.bias=true"],
        &[
            "sam.rule=asam-layer",
            "sam.rho=0.05",
            "model.bias=true",
            "sam.asam_bias=absolute",
        ],
        &["sam.rule=random", "model.depth=5", "model.residual=true"],
        &[
            "model.activation=gelu",
            "model.readout_zero_init=true",
            "scaling.weight_multipliers=true",
        ],
        &[
            "model.activation=tanh",
            "scaling.parameterization=ntp",
            "model.width=256",
        ],
    ] {
        let mut arguments = vec!["train", "run.toml"];
        overrides
            .iter()
            .for_each(|set| arguments.extend(["--set", set]));
        let output = mup2(&arguments, directory.path());
        assert!(
            output.status.success(),
            "{overrides:?}: {}",
            stderr(&output)
        );
        let text = stdout(&output);
        let accuracy = text
            .rsplit("test ")
            .next()
            .unwrap()
            .trim()
            .trim_end_matches(" %");
        let accuracy: f64 = accuracy.parse().unwrap();
        // Ten classes: 10 % is chance.
        assert!(accuracy > 50.0, "{overrides:?}: {text}");
    }
}
