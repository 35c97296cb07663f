//! What a second opening of a folder of images may leave out.

use super::Records;
use crate::data::folder::tests::{photograph, photographs, sixteen, truncate};
use crate::data::{Corrupt, DataSpec, Dataset, LoadStage, Storage, load_folder};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Opens with the records in `records`; the data, and how many images each stage was done with.
fn open_recorded(
    directory: &Path,
    records: &Path,
    change: impl FnOnce(&mut DataSpec),
) -> (Dataset, HashMap<LoadStage, usize>) {
    let mut spec = DataSpec {
        storage: Storage::Disk,
        corrupt: Corrupt::Skip,
        ..DataSpec::default()
    };
    sixteen(&mut spec);
    change(&mut spec);
    let mut stages = HashMap::new();
    let records = Records::new(Some(records.to_path_buf()));
    let data = load_folder(directory, &spec, records, 0, &mut |progress| {
        assert!(progress.done <= progress.total);
        stages.insert(progress.stage, progress.done);
    });
    (data.unwrap(), stages)
}

#[test]
fn opening_again_reads_headers_only_until_a_file_changes() {
    let directory = photographs();
    let records = tempfile::tempdir().unwrap();
    let open = || open_recorded(directory.path(), records.path(), |_| {});
    truncate(&directory.path().join("train/cat/4.jpg"));
    let all = [
        (LoadStage::Headers, 16),
        (LoadStage::Verification, 16),
        (LoadStage::Decoding, 15),
    ];
    let (first, stages) = open();
    assert_eq!(stages, HashMap::from(all));
    let (again, stages) = open();
    assert_eq!(stages, HashMap::from([(LoadStage::Headers, 16)]));
    assert_eq!(again, first);
    assert_eq!(first.notes.len(), 1);
    photograph(directory.path(), "train/cat/4.jpg", 33, 33, 0);
    let (changed, stages) = open();
    assert_eq!(stages[&LoadStage::Decoding], 16);
    assert_ne!(changed.digest, first.digest);
    assert_eq!(changed.notes, Vec::<String>::new());
}

#[test]
fn other_keys_of_the_spec_do_not_share_a_record() {
    let directory = photographs();
    let records = tempfile::tempdir().unwrap();
    let open = |change: fn(&mut DataSpec)| open_recorded(directory.path(), records.path(), change);
    open(|_| {});
    for change in [
        (|spec| spec.crop = Some(14)) as fn(&mut DataSpec),
        |spec| spec.resize = Some(17),
        |spec| spec.validation_fraction = 0.3,
        |spec| spec.train_limit = Some(5),
        |spec| spec.average_pool = 2,
    ] {
        let (data, _) = open(change);
        let (memory, _) = open_recorded(directory.path(), records.path(), |spec| {
            change(spec);
            spec.storage = Storage::Memory;
        });
        assert_eq!(data.digest, memory.digest);
        assert_eq!(data.normalization, memory.normalization);
    }
    let (_, stages) = open(|spec| spec.decode_threads = Some(3));
    assert!(!stages.contains_key(&LoadStage::Decoding));
}

#[test]
fn records_that_are_damaged_or_cannot_be_written_cost_time_and_a_note() {
    let directory = photographs();
    let records = tempfile::tempdir().unwrap();
    let (first, _) = open_recorded(directory.path(), records.path(), |_| {});
    for record in fs::read_dir(records.path()).unwrap() {
        fs::write(record.unwrap().path(), "{").unwrap();
    }
    let (again, stages) = open_recorded(directory.path(), records.path(), |_| {});
    assert_eq!(stages[&LoadStage::Decoding], 16);
    assert_eq!((&again.digest, again.notes.len()), (&first.digest, 2));
    let file = directory.path().join("train/cat/0.png");
    let (last, _) = open_recorded(directory.path(), &file.join("inside"), |_| {});
    assert_eq!(last.digest, first.digest);
    let told = |note: &&String| note.contains("will be decoded again");
    assert_eq!(last.notes.iter().filter(told).count(), 2);
}
