//! `--device`: refused where it is not built in or not there, and the same results within rounding where it is.

use crate::{TINY, run_sweep, stderr, workspace};

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_built_in_ends_the_call_before_anything_is_written() {
    let directory = workspace(TINY);
    let output = run_sweep(directory.path(), "out", &["--device", "cuda"]);
    assert_eq!(output.status.code(), Some(2));
    let sentence = stderr(&output);
    assert!(sentence.contains("is not in this build"), "{sentence}");
    assert!(sentence.contains("--features cuda"), "{sentence}");
    assert!(!directory.path().join("out").exists());
}

#[test]
fn the_names_of_devices_are_listed_where_one_is_wrong() {
    let directory = workspace(TINY);
    let output = run_sweep(directory.path(), "out", &["--device", "gpu"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("flex, wgpu, vulkan, cuda"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_stack_is_for_a_gpu_and_for_runs_that_can_be_stacked() {
    let directory = workspace(TINY);
    let refused = |arguments: &[&str]| {
        let output = run_sweep(directory.path(), "out", arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(!directory.path().join("out").exists());
        stderr(&output)
    };
    let sentence = refused(&["--stack", "4"]);
    assert!(sentence.contains("on the processor"), "{sentence}");
    let measured = ["--set", "run.sharpness.every_epochs=2"];
    let sentence = refused(&[&["--stack", "4", "--device", "wgpu"], &measured[..]].concat());
    assert!(sentence.contains("measure sharpness"), "{sentence}");
}

#[cfg(feature = "wgpu")]
mod on_a_gpu {
    use crate::{TINY, mup2, run_sweep, stderr, stdout, workspace};
    use serde_json::Value;

    /// A sweep of one width and four runs, two of them plain SGD.
    const FOUR_RUNS: &[&str] = &[
        "--set",
        "grid.scheme=[\"mup2\"]",
        "--set",
        "grid.width=[32]",
        "--set",
        "grid.lr=[0.0625]",
        "--set",
        "grid.rho=[0.0, 0.125]",
    ];

    fn json(path: &std::path::Path) -> Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn a_sweep_on_a_gpu_has_the_runs_of_one_on_the_processor_and_a_directory_of_its_own() {
        let directory = workspace(TINY);
        let (processor, gpu) = (directory.path().join("flex"), directory.path().join("wgpu"));
        let output = run_sweep(directory.path(), "flex", FOUR_RUNS);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let on_gpu = [FOUR_RUNS, &["--device", "wgpu"]].concat();
        let output = run_sweep(directory.path(), "wgpu", &on_gpu);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("device wgpu: "),
            "{}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(", 1 worker\n"),
            "{}",
            stderr(&output)
        );
        let runs = std::fs::read_dir(processor.join("runs")).unwrap();
        let ids: Vec<_> = runs.map(|run| run.unwrap().file_name()).collect();
        assert_eq!(ids.len(), 4);
        for id in ids {
            let of = |out: &std::path::Path| json(&out.join("runs").join(&id).join("result.json"));
            let (here, there) = (of(&processor), of(&gpu));
            assert_eq!(here["spec"], there["spec"]);
            let loss = |result: &Value| result["epochs"][0]["train_loss"].as_f64().unwrap();
            let difference = (loss(&here) - loss(&there)).abs();
            assert!(difference < 1e-3 * loss(&here), "{id:?}: {difference}");
        }
        let at_once = [FOUR_RUNS, &["--device", "wgpu", "--stack", "2"]].concat();
        let output = run_sweep(directory.path(), "stacked", &at_once);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let told = "trials at once: at most 2\n";
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
        let refused = run_sweep(directory.path(), "wgpu", FOUR_RUNS);
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains("holds results of device `wgpu`"));
    }

    #[test]
    fn what_was_trained_on_a_gpu_is_evaluated_on_both() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("run.toml"), "").unwrap();
        let run = |arguments: &[&str]| {
            let output = mup2(arguments, directory.path());
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            output
        };
        let small = ["--set", "data.train_limit=640", "--set", "train.epochs=1"];
        let train = [
            "train",
            "run.toml",
            "--device",
            "wgpu",
            "--weights",
            "weights",
        ];
        run(&[&train[..], &["--out", "result.json"], &small].concat());
        let result = json(&directory.path().join("result.json"));
        let accuracy = result["epochs"][0]["test_accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.3, "{accuracy}");
        for device in ["flex", "wgpu"] {
            let output = run(&["evaluate", "weights/last.safetensors", "--device", device]);
            let text = stdout(&output);
            let line = text.lines().find(|line| line.starts_with("test")).unwrap();
            let found: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            assert!((found - 100.0 * accuracy).abs() < 0.2, "{device}: {line}");
        }
    }

    #[test]
    fn a_benchmark_names_its_device() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("run.toml"), "").unwrap();
        let bench = [
            "bench", "run.toml", "--device", "wgpu", "--steps", "3", "--json",
        ];
        let output = mup2(&bench, directory.path());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let line: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&line["device"], &line["workers"]),
            (&"wgpu".into(), &1.into())
        );
    }

    #[test]
    fn a_machine_without_a_gpu_is_told_in_one_sentence() {
        let directory = workspace(TINY);
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_mup2"))
            .args([
                "sweep",
                "run",
                "sweep.toml",
                "--out",
                "out",
                "--device",
                "wgpu",
            ])
            .current_dir(directory.path())
            // Vulkan then has no driver, and OpenGL no display.
            .env("VK_ICD_FILENAMES", "/nowhere")
            .env("CUBECL_WGPU_DEFAULT_DEVICE", "DiscreteGpu(7)")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let sentence = stderr(&output);
        assert!(sentence.starts_with("mup2: device `wgpu`: "), "{sentence}");
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
        assert!(!directory.path().join("out").exists());
    }
}
