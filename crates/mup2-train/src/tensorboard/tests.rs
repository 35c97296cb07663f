//! Frames and records against TensorBoard's own (`scripts/reference/tensorboard_events.py`), and what
//! a file holds when.

use super::event::{self, Content, Event};
use super::record::frame;
use super::*;
use prost::Message;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A record at the reference script's wall time.
fn record(step: i64, content: Content) -> String {
    let event = Event {
        wall_time: 1234.5,
        step,
        content: Some(content),
    };
    hexadecimal(&frame(&event.encode_to_vec()))
}

fn settings(name: &str, value: Hyperparameter) -> Content {
    event::hyperparameters(&BTreeMap::from([(name.to_owned(), value)]), 1234.5)
}

/// The events of a file, each of which must be framed as `frame` does it.
fn events(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut events = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let data = &rest[12..12 + length];
        assert_eq!(frame(data), rest[..length + 16]);
        events.push(Event::decode(data).unwrap());
        rest = &rest[length + 16..];
    }
    events
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn frames_are_those_of_tensorboard() {
    assert_eq!(hexadecimal(&frame(b"")), "000000000000000029039807d8ea82a2");
    assert_eq!(
        hexadecimal(&frame(b"123456789")),
        "090000000000000037f97139313233343536373839e5b08ac7"
    );
}

#[test]
fn records_are_those_of_tensorboard_byte_for_byte() {
    assert_eq!(
        record(0, event::file_version()),
        "1800000000000000a37f4b220900000000004a93401a0d627261696e2e4576656e743a3265b8d3fb"
    );
    assert_eq!(
        record(300, event::session_start()),
        "100000000000000095fbfe180900000000004a934010ac023a02080160cea677"
    );
    assert_eq!(
        record(7, event::scalar("train/loss", 0.0)),
        "200000000000000029eda9500900000000004a934010072a130a110a0a747261696e2f6c6f73731500000000757be33a"
    );
    assert_eq!(
        record(7, event::scalar("train/loss", 0.1)),
        "200000000000000029eda9500900000000004a934010072a130a110a0a747261696e2f6c6f737315cdcccc3d2691794c"
    );
    assert_eq!(
        record(7, event::scalar("train/loss", f32::INFINITY)),
        "200000000000000029eda9500900000000004a934010072a130a110a0a747261696e2f6c6f7373150000807fe4224460"
    );
    assert_eq!(
        record(0, event::text("spec", "ρ = 0.1")),
        "2d000000000000003c418afb0900000000004a93402a220a200a0473706563420e080712004208cf81203d20302e314a080a060a04746578746e453892"
    );
}

#[test]
fn settings_are_those_of_tensorboard_byte_for_byte() {
    assert_eq!(
        record(0, settings("lr", Hyperparameter::Number(0.25))),
        "5e00000000000000d8b06ebc0900000000004a93402a530a510a1c5f68706172616d735f2f73657373696f6e5f73746172745f696e666f42060801120212004a290a270a0768706172616d73121c1a1a0a0f0a026c72120911000000000000d03f2900000000004a93402ca69202"
    );
    assert_eq!(
        record(0, settings("rule", Hyperparameter::Text("sam".to_owned()))),
        "5c00000000000000c9cdf98f0900000000004a93402a510a4f0a1c5f68706172616d735f2f73657373696f6e5f73746172745f696e666f42060801120212004a270a250a0768706172616d73121a1a180a0d0a0472756c6512051a0373616d2900000000004a9340d73c9301"
    );
    assert_eq!(
        record(0, settings("nesterov", Hyperparameter::Flag(false))),
        "5d00000000000000615bbbb90900000000004a93402a520a500a1c5f68706172616d735f2f73657373696f6e5f73746172745f696e666f42060801120212004a280a260a0768706172616d73121b1a190a0e0a086e65737465726f76120220002900000000004a93408c15ff93"
    );
}

#[test]
fn a_new_file_begins_with_its_version_and_the_step_from_which_earlier_files_are_void() {
    let directory = tempfile::tempdir().unwrap();
    let writer = EventWriter::create(&directory.path().join("a/run"), 301).unwrap();
    let events = events(writer.path());
    let contents: Vec<_> = events.iter().map(|event| event.content.clone()).collect();
    let expected = [event::file_version(), event::session_start()];
    assert_eq!(contents, expected.map(Some));
    assert_eq!((events[0].step, events[1].step), (0, 301));
    // Later than this test was written, and in seconds.
    assert!((1.7e9..1e11).contains(&events[0].wall_time));
}

#[test]
fn events_are_in_the_file_after_a_flush_in_the_order_they_came() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(directory.path(), 0).unwrap();
    writer.scalar("loss", 10, 0.1).unwrap();
    writer.scalar("loss", 20, 1e300).unwrap();
    writer.scalar("accuracy", 20, f64::NAN).unwrap();
    writer.text("spec", 20, "seed = 1").unwrap();
    assert_eq!(events(writer.path()).len(), 2);
    writer.flush().unwrap();
    let events = events(writer.path());
    let steps: Vec<_> = events.iter().map(|event| event.step).collect();
    assert_eq!(steps, [0, 0, 10, 20, 20, 20]);
    let contents: Vec<_> = events.into_iter().map(|event| event.content).collect();
    assert_eq!(contents[2], Some(event::scalar("loss", 0.1)));
    assert_eq!(contents[3], Some(event::scalar("loss", f32::INFINITY)));
    let Some(Content::Summary(summary)) = &contents[4] else {
        panic!("{:?}", contents[4])
    };
    let Some(event::Data::Scalar(value)) = summary.values[0].data else {
        panic!("{summary:?}")
    };
    assert!(summary.values[0].tag == "accuracy" && value.is_nan());
    assert_eq!(contents[5], Some(event::text("spec", "seed = 1")));
}

#[test]
fn a_process_killed_between_flushes_leaves_whole_records() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(directory.path(), 0).unwrap();
    for step in 0..1000 {
        writer.scalar("a tag", step, 0.5).unwrap();
    }
    // What the buffer could not hold is in the file; `events` fails on a part of a record.
    let flushed = events(writer.path()).len();
    assert!((100..1000).contains(&flushed), "{flushed}");
}

#[test]
fn a_file_name_says_when_where_and_by_whom_and_sorts_after_those_before() {
    let directory = tempfile::tempdir().unwrap();
    let ours = |writer: &EventWriter| name(writer.path());
    let first = ours(&EventWriter::create(directory.path(), 0).unwrap());
    let fields: Vec<_> = first.split('.').collect();
    assert_eq!(fields[..3], ["events", "out", "tfevents"]);
    assert_eq!(fields[3].len(), 10);
    let process = std::process::id().to_string();
    assert_eq!(fields[fields.len() - 2..], [process.as_str(), "mup2"]);
    // At once, in the same second.
    let second = ours(&EventWriter::create(directory.path(), 5).unwrap());
    assert!(second > first, "{second} after {first}");
    // By a machine with another clock.
    let future = "events.out.tfevents.7999999999.zebra.1.mup2";
    fs::write(directory.path().join(future), "").unwrap();
    let third = ours(&EventWriter::create(directory.path(), 9).unwrap());
    assert!(third.starts_with("events.out.tfevents.8000000000."));
}

#[test]
fn names_of_other_files_do_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    for name in [
        "events.out.tfevents.99999999999.zebra.1.mup2",
        "events.out.tfevents.+999999999.zebra.1.mup2",
        "events.out.tfevents.9999999998",
        "9999999997.mup2",
    ] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let writer = EventWriter::create(directory.path(), 0).unwrap();
    let name = name(writer.path());
    assert!(!name.contains("99999999"), "{name}");
    assert_eq!(events(writer.path()).len(), 2);
}

#[test]
fn a_place_that_is_no_directory_and_a_step_that_is_no_step_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("file");
    fs::write(&place, "").unwrap();
    let error = EventWriter::create(&place, 0).unwrap_err().to_string();
    assert!(error.starts_with("cannot create `"), "{error}");
    let mut writer = EventWriter::create(directory.path(), 0).unwrap();
    let error = writer.scalar("loss", usize::MAX, 0.0).unwrap_err();
    insta::assert_snapshot!(error, @"step of an event: is 18446744073709551615; allowed: whole numbers up to 9223372036854775807");
    writer.flush().unwrap();
    assert_eq!(events(writer.path()).len(), 2);
}
