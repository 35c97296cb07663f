//! Weights as files: whose classes they know, which run they say they are of, where a run starts.

use crate::{mup2, stderr, stdout};
use std::path::Path;
use std::process::Output;

/// A folder of 4×4 grey images, uncompressed PNGs written by hand: `images` a class and split.
fn folder(directory: &Path, classes: &[(&str, u8)], images: u8) {
    for split in ["train", "test"] {
        for (class, shade) in classes {
            let place = directory.join(split).join(class);
            std::fs::create_dir_all(&place).unwrap();
            for image in 0..images {
                let png = grey_png(shade.wrapping_add(image));
                std::fs::write(place.join(format!("{image}.png")), png).unwrap();
            }
        }
    }
}

/// A 4×4 PNG of one shade, without compression.
fn grey_png(shade: u8) -> Vec<u8> {
    let row = [0, shade, shade, shade, shade];
    let raw = row.repeat(4);
    let mut data = vec![0x78, 0x01, 1, 20, 0, 235, 255];
    data.extend(&raw);
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in &raw {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    data.extend((b << 16 | a).to_be_bytes());
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [0, 0, 0, 4, 0, 0, 0, 4, 8, 0, 0, 0, 0];
    for (kind, content) in [(b"IHDR", &header[..]), (b"IDAT", &data), (b"IEND", &[])] {
        png.extend((content.len() as u32).to_be_bytes());
        let chunk = [&kind[..], content].concat();
        let crc = chunk.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                crc >> 1 ^ (0xedb8_8320 * (crc & 1))
            })
        });
        png.extend(chunk);
        png.extend((!crc).to_be_bytes());
    }
    png
}

const RUN: &str = "[data]\ndataset = \"folder\"\npath = \"orig\"\n[model]\nwidth = 8\n\
                   base_width = 8\n[train]\nepochs = 20\nbatch_size = 8\n";

fn succeeds(arguments: &[&str], directory: &Path) -> Output {
    let output = mup2(arguments, directory);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output
}

#[test]
fn labels_are_matched_by_the_names_of_the_classes_and_else_refused() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    folder(&place.join("orig"), &[("dark", 10), ("light", 200)], 20);
    folder(
        &place.join("renamed"),
        &[("a_light", 200), ("dark", 10)],
        20,
    );
    folder(&place.join("part"), &[("light", 200)], 20);
    std::fs::write(place.join("run.toml"), RUN).unwrap();
    succeeds(&["train", "run.toml", "--weights", "w"], place);
    let evaluate = |path: &str| {
        let set = format!("data.path={path}");
        mup2(&["evaluate", "w/best.safetensors", "--set", &set], place)
    };
    let own = evaluate("orig");
    assert!(
        stdout(&own).contains("test       100.00 %"),
        "{}",
        stdout(&own)
    );
    let renamed = evaluate("renamed");
    assert_eq!(renamed.status.code(), Some(2), "{}", stdout(&renamed));
    let said = stderr(&renamed);
    assert!(
        said.contains("`a_light`") && said.contains("dark, light"),
        "{said}"
    );
    // Alone, `light` would be class 0, which is `dark` to the weights.
    let part = evaluate("part");
    assert!(stdout(&part).contains("test       100.00 %"), "{part:?}");
}

#[test]
fn a_run_starts_from_weights_and_its_id_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    folder(&place.join("orig"), &[("dark", 10), ("light", 200)], 20);
    std::fs::write(place.join("run.toml"), RUN).unwrap();
    succeeds(
        &["train", "run.toml", "--weights", "w", "--out", "first.json"],
        place,
    );
    // With a learning rate of almost nothing the weights stay what they are.
    let tiny = ["--set", "optimizer.lr=1e-12", "--set", "train.epochs=1"];
    let init = [
        "train",
        "run.toml",
        "--init",
        "w/last.safetensors",
        "--out",
        "second.json",
    ];
    succeeds(&[&init[..], &tiny].concat(), place);
    let result = |name: &str| {
        let text = std::fs::read(place.join(name)).unwrap();
        let result: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let last = result["epochs"].as_array().unwrap().last().unwrap().clone();
        (
            result["id"].clone(),
            last["test_accuracy"].as_f64().unwrap(),
        )
    };
    assert_eq!(result("second.json").1, 1.0);
    let plain = ["train", "run.toml", "--out", "plain.json"];
    succeeds(&[&plain[..], &tiny].concat(), place);
    assert_ne!(result("plain.json").0, result("second.json").0);
    // Weights of another width, and a file that the run does not name.
    let wide = mup2(&[&init[..], &["--set", "model.width=16"]].concat(), place);
    assert_eq!(wide.status.code(), Some(2), "{}", stderr(&wide));
    assert!(
        stderr(&wide).contains("has another shape"),
        "{}",
        stderr(&wide)
    );
    let digest = format!("train.start={:?}", "0".repeat(64));
    let missing = mup2(&["train", "run.toml", "--set", &digest], place);
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
    assert!(stderr(&missing).contains("--init"), "{}", stderr(&missing));
}

#[test]
fn weights_that_lie_about_their_run_are_refused_before_anything_is_allocated() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let run = |width: &str| {
        // 2 bytes of one tensor, and a run of any size.
        let spec = format!("{{\\\"model\\\":{{\\\"width\\\":{width}}}}}");
        let header = format!(
            "{{\"__metadata__\":{{\"mup2_run\":\"{spec}\"}},\
             \"a\":{{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}}}"
        );
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0, 0]);
        std::fs::write(place.join("w.safetensors"), bytes).unwrap();
        let start = std::time::Instant::now();
        let output = mup2(&["evaluate", "w.safetensors"], place);
        assert_eq!(output.status.code(), Some(2), "{width}: {output:?}");
        assert!(start.elapsed().as_secs() < 20, "{width}");
        stderr(&output)
    };
    assert!(run("9223372036854775808").contains("model.width"));
    let said = run("1048576");
    assert!(said.contains("is missing"), "{said}");
}

#[test]
fn the_weights_of_a_run_are_the_same_bytes_every_time() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    folder(&place.join("orig"), &[("dark", 10), ("light", 200)], 10);
    std::fs::write(place.join("run.toml"), RUN).unwrap();
    for weights in ["one", "two", "three"] {
        let quick = ["--set", "train.epochs=1", "--weights", weights];
        succeeds(&[&["train", "run.toml"], &quick[..]].concat(), place);
    }
    let read = |name: &str| std::fs::read(place.join(name).join("last.safetensors")).unwrap();
    assert!(read("one") == read("two") && read("two") == read("three"));
}
