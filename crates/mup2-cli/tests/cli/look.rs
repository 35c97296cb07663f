//! What one looks at before a training: images and speed.

use crate::{mup2, stderr, stdout};
use serde_json::Value;

const RUN: &str = "[data]\ntrain_limit = 300\nlabel_noise = 0.5\n[augment]\nflip = true\ncutout = 8\n\
                   [model]\nwidth = 16\nbase_width = 16\n";

fn directory(run: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("RUN.toml"), run).unwrap();
    directory
}

#[test]
fn images_are_shown_with_their_labels_and_what_epochs_make_of_them() {
    let directory = directory(RUN);
    let show = [
        "data",
        "show",
        "RUN.toml",
        "--samples",
        "5",
        "--augment",
        "3",
        "--out",
        "sheet.png",
    ];
    let output = mup2(&show, directory.path());
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.starts_with("row 1: image "), "{text}");
    assert!(
        text.contains(", trained as "),
        "half of the labels are noise: {text}"
    );
    let sheet = std::fs::read(directory.path().join("sheet.png")).unwrap();
    assert_eq!(sheet[1..4], *b"PNG");
    // Columns: the image and three epochs of it, 28 pixels a side, three times as large, 4 between them.
    let side = |at: usize| u32::from_be_bytes(sheet[at..at + 4].try_into().unwrap());
    assert_eq!(
        (side(16), side(20)),
        (4 + 4 * (28 * 3 + 4), 4 + 5 * (28 * 3 + 4))
    );
    // The same command draws the same sheet.
    assert!(mup2(&show, directory.path()).status.success());
    assert_eq!(
        std::fs::read(directory.path().join("sheet.png")).unwrap(),
        sheet
    );
}

#[test]
fn a_sheet_that_would_be_too_large_is_refused_and_nothing_is_written() {
    let directory = directory(RUN);
    let show = [
        "data",
        "show",
        "RUN.toml",
        "--samples",
        "300",
        "--augment",
        "1000",
        "--out",
        "sheet.png",
    ];
    let output = mup2(&show, directory.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("contact sheet"),
        "{}",
        stderr(&output)
    );
    assert!(!directory.path().join("sheet.png").exists());
}

#[test]
fn a_bench_times_the_steps_that_it_was_asked_for() {
    let directory = directory(RUN);
    let bench = [
        "bench",
        "RUN.toml",
        "--steps",
        "7",
        "--workers",
        "2",
        "--json",
    ];
    let output = mup2(&bench, directory.path());
    assert!(output.status.success(), "{}", stderr(&output));
    let measured: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let steps = measured["step_seconds"].as_array().unwrap();
    assert_eq!((steps.len(), measured["workers"].as_u64()), (7, Some(2)));
    assert!(steps.iter().all(|seconds| seconds.as_f64().unwrap() > 0.0));
    let rate = measured["steps_per_second"].as_f64().unwrap();
    // Two workers at the pace of the first, within what a busy machine does to the other.
    let first = 7.0
        / steps
            .iter()
            .map(|seconds| seconds.as_f64().unwrap())
            .sum::<f64>();
    assert!(rate > first, "{rate} in all, {first} the first alone");
    assert!(measured["peak_memory_bytes"].as_u64().unwrap() > 1 << 20);
}

#[test]
fn a_bench_of_a_run_that_diverges_says_so_and_ends() {
    let directory = directory(&format!("{RUN}[optimizer]\nlr = 1e30\n"));
    let output = mup2(&["bench", "RUN.toml", "--workers", "2"], directory.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("the run diverged"),
        "{}",
        stderr(&output)
    );
}
