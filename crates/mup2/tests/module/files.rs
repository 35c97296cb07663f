//! Base shapes in a file.

use super::nets::{Perceptron, Zoo, mup2, perceptron_shapes};
use mup2::module::{BaseShapes, WeightGain};
use mup2::shapes::Declarations;
use proptest::prelude::*;
use std::path::PathBuf;

const WRITTEN: &str = r#"
format = 1
weight_gain = "he"
count = 6

[parameters]
"input.weight" = { shape = [6, 8], layout = "in out", grows = [1], kind = "weight", start = "drawn" }
"input.bias" = { shape = [8], layout = "out", grows = [0], kind = "bias", start = { value = 0.0 } }
"hidden.weight" = { shape = [8, 8], layout = "in out", grows = [0, 1], kind = "weight", start = "drawn" }
"hidden.bias" = { shape = [8], layout = "out", grows = [0], kind = "bias", start = { value = 0.0 } }
"readout.weight" = { shape = [8, 3], layout = "in out", grows = [0], kind = "weight", start = "drawn" }
"readout.bias" = { shape = [3], layout = "out", grows = [], kind = "bias", start = { value = 0.0 } }
"#;

fn place(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("base.toml")
}

/// The sentence about a file with `text`, from behind the place on.
fn refusal(text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(place(&directory), text).unwrap();
    let message = BaseShapes::read(&place(&directory))
        .unwrap_err()
        .to_string();
    let (before, after) = message.split_once(": ").unwrap();
    assert!(before.ends_with("base.toml"), "{message}");
    after.to_owned()
}

#[test]
fn a_file_is_readable_and_stands_in_for_the_base_model() {
    let directory = tempfile::tempdir().unwrap();
    let shapes = perceptron_shapes();
    shapes.write(&place(&directory)).unwrap();
    let text = std::fs::read_to_string(place(&directory)).unwrap();
    let (comment, rest) = text.split_once("\nformat").unwrap();
    assert!(comment.lines().all(|line| line.starts_with('#')), "{text}");
    assert_eq!(format!("\nformat{rest}"), WRITTEN);
    let read = BaseShapes::read(&place(&directory)).unwrap();
    for width in [8, 40] {
        let model = Perceptron::new(width);
        assert_eq!(
            read.scale(&mup2(), &model).unwrap(),
            shapes.scale(&mup2(), &model).unwrap()
        );
    }
}

#[test]
fn gains_starts_and_buffers_survive_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let declarations = Declarations::default().buffer("gain");
    let declarations = declarations.gain("hidden.weight", 1e-7).unwrap();
    let shapes = BaseShapes::compare(&Zoo::new(4), &Zoo::new(8), &declarations)
        .unwrap()
        .with_gain(WeightGain::LeCun);
    shapes.write(&place(&directory)).unwrap();
    let text = std::fs::read_to_string(place(&directory)).unwrap();
    assert!(
        text.contains("weight_gain = \"lecun\"\ncount = 12\nbuffers = [\"gain\"]\n"),
        "{text}"
    );
    let read = BaseShapes::read(&place(&directory)).unwrap();
    let model = Zoo::new(16);
    assert_eq!(
        read.scale(&mup2(), &model).unwrap(),
        shapes.scale(&mup2(), &model).unwrap()
    );
}

#[test]
fn a_torn_file_is_refused_wherever_it_ends() {
    let lines: Vec<&str> = WRITTEN.lines().collect();
    for count in 0..lines.len() - 1 {
        let message = refusal(&lines[..count].join("\n"));
        assert!(
            message.contains("is not a file of base shapes") || message.contains("is torn"),
            "{count} lines: {message}"
        );
    }
    let message = refusal(&WRITTEN[..WRITTEN.len() - 60]);
    assert!(
        message.starts_with("is not a file of base shapes"),
        "{message}"
    );
}

#[test]
fn a_foreign_or_impossible_file_is_refused_in_one_sentence() {
    for (from, to, expected) in [
        (
            "format = 1",
            "format = 2",
            "has format 2, and this program reads 1",
        ),
        (
            "count = 6",
            "count = 6\nextra = 1",
            "is not a file of base shapes",
        ),
        (
            "[6, 8]",
            "[6, 0]",
            "`input.weight` with the impossible shape [6, 0]",
        ),
        ("[6, 8]", "[6]", "with shape [6] in the layout `in out`"),
        ("\"in out\"", "\"in up\"", "with a side `up`"),
        (
            "\"in out\"",
            "\"in stack\"",
            "whose side 1, a `stack` side, grows",
        ),
        (
            "grows = [1]",
            "grows = [2]",
            "with a side 2 that grows, of 2",
        ),
        ("value = 0.0", "value = inf", "that starts at inf"),
        ("value = 0.0", "gain = -1.0", "that starts at -1"),
        ("\"drawn\"", "\"thrown\"", "is not a file of base shapes"),
        ("\"he\"", "\"she\"", "is not a file of base shapes"),
    ] {
        let message = refusal(&WRITTEN.replace(from, to));
        assert!(message.contains(expected), "{from} → {to}: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
    let fixed = WRITTEN
        .replace("[0, 1]", "[]")
        .replace("[0]", "[]")
        .replace("[1]", "[]");
    assert!(refusal(&fixed).starts_with("has no parameter that grows"));
    assert!(refusal("\u{0}").starts_with("is not a file of base shapes"));
    let directory = tempfile::tempdir().unwrap();
    let absent = BaseShapes::read(&place(&directory)).unwrap_err();
    assert!(absent.to_string().contains("base.toml"), "{absent}");
    let ending = perceptron_shapes().write(&directory.path().join("base.json"));
    assert!(ending.unwrap_err().to_string().contains("`.toml`"));
}

proptest! {
    #[test]
    fn no_damage_to_a_file_makes_a_reader_panic(
        at in 0..WRITTEN.len(), length in 0usize..40, insert in "\\PC{0,8}",
    ) {
        let end = (at + length).min(WRITTEN.len());
        let text = format!("{}{insert}{}", &WRITTEN[..at], &WRITTEN[end..]);
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(place(&directory), text).unwrap();
        match BaseShapes::read(&place(&directory)) {
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
            Ok(shapes) => {
                // What is read can be asked for any model, and says yes or no.
                let _ = shapes.scale(&mup2(), &Perceptron::new(16));
            }
        }
    }
}
