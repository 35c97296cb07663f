//! Folders of images made for the purpose: what is read, what is refused and what is skipped.

use crate::data::records::Records;
use crate::data::{
    BatchOrder, Corrupt, DataSpec, Dataset, DatasetName, Images, Normalization, Storage,
    load_folder,
};
use crate::error::Result;
use image::{GrayImage, Luma, Rgb, RgbImage};
use std::fs;
use std::path::Path;

fn grey(directory: &Path, name: &str, value: u8) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_pixel(4, 2, Luma([value]))
        .save(path)
        .unwrap();
}

/// Two classes, three training images and one test image, all 2 high and 4 wide.
fn small_folder() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    grey(directory.path(), "train/dog/2.png", 30);
    grey(directory.path(), "train/dog/1.PNG", 20);
    grey(directory.path(), "train/cat/1.png", 10);
    grey(directory.path(), "test/dog/1.png", 40);
    directory
}

/// Opens a folder as it is, all of its training images for training.
fn load(directory: &Path) -> Result<Dataset> {
    load_as(directory, |_| {})
}

fn load_as(directory: &Path, change: impl FnOnce(&mut DataSpec)) -> Result<Dataset> {
    let mut spec = DataSpec {
        dataset: DatasetName::Folder,
        path: Some(directory.to_path_buf()),
        validation_fraction: 0.0,
        storage: Storage::Memory,
        decode_threads: Some(2),
        ..DataSpec::default()
    };
    change(&mut spec);
    spec.validate("data").unwrap();
    load_folder(directory, &spec, Records::new(None), 0, &mut |_| {})
}

fn message(directory: &Path) -> String {
    load(directory).unwrap_err().to_string()
}

#[test]
fn classes_are_the_sorted_directory_names_and_grey_images_have_one_channel() {
    let directory = small_folder();
    fs::write(directory.path().join("train/dog/readme.txt"), "x").unwrap();
    fs::create_dir(directory.path().join("train/.hidden")).unwrap();
    let splits = load(directory.path()).unwrap();
    let shape = splits.train.shape;
    assert_eq!((shape.channels, shape.height, shape.width), (1, 2, 4));
    assert_eq!(splits.train.labels, [0, 1, 1]);
    assert_eq!(
        splits.train.in_memory().unwrap(),
        [[10; 8], [20; 8], [30; 8]].concat()
    );
    assert_eq!((splits.test.labels, splits.classes), (vec![1], 2));
}

#[test]
fn one_colour_image_makes_three_planes_of_every_image() {
    let directory = small_folder();
    let path = directory.path().join("train/cat/2.png");
    RgbImage::from_pixel(4, 2, Rgb([1, 2, 3]))
        .save(path)
        .unwrap();
    let splits = load(directory.path()).unwrap();
    assert_eq!(splits.train.shape.channels, 3);
    assert_eq!(splits.train.in_memory().unwrap()[..24], [10; 24]);
    assert_eq!(
        splits.train.in_memory().unwrap()[24..48],
        [[1; 8], [2; 8], [3; 8]].concat()
    );
}

#[test]
fn a_jpeg_is_read() {
    let directory = small_folder();
    grey(directory.path(), "test/cat/1.jpg", 128);
    let splits = load(directory.path()).unwrap();
    assert_eq!(splits.test.labels, [0, 1]);
    assert!(
        splits.test.in_memory().unwrap()[..8]
            .iter()
            .all(|pixel| pixel.abs_diff(128) <= 2)
    );
}

#[test]
fn an_image_of_another_size_is_an_error_naming_it_and_both_sizes() {
    let directory = small_folder();
    let path = directory.path().join("test/dog/2.png");
    GrayImage::new(5, 3).save(path).unwrap();
    let message = message(directory.path());
    assert!(message.contains("test/dog/2.png"), "{message}");
    assert!(
        message.contains("3×5") && message.contains("2×4"),
        "{message}"
    );
}

#[test]
fn an_image_cut_at_several_offsets_is_an_error_naming_it() {
    let directory = small_folder();
    let path = directory.path().join("train/dog/2.png");
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len() - 12).step_by(7) {
        fs::write(&path, &whole[..length]).unwrap();
        let message = message(directory.path());
        assert!(message.contains("train/dog/2.png"), "{length}: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn a_header_that_claims_a_huge_image_is_refused() {
    let directory = small_folder();
    let path = directory.path().join("train/cat/1.png");
    let mut bytes = fs::read(&path).unwrap();
    bytes[16..24].fill(0x7f);
    fs::write(&path, bytes).unwrap();
    assert!(message(directory.path()).contains("cat/1.png"));
}

#[test]
fn missing_parts_of_the_layout_are_named() {
    let directory = tempfile::tempdir().unwrap();
    assert!(message(directory.path()).contains("train: there is no such directory"));
    fs::create_dir(directory.path().join("train")).unwrap();
    assert!(message(directory.path()).contains("0 class directories"));
    grey(directory.path(), "train/cat/1.png", 1);
    assert!(message(directory.path()).contains("test: there is no such directory"));
    grey(directory.path(), "test/cow/1.png", 1);
    assert!(message(directory.path()).contains("no training images"));
    fs::create_dir(directory.path().join("train/cow")).unwrap();
    assert!(message(directory.path()).contains("no .png, .jpg or .jpeg"));
}

/// A photograph of `height` × `width` pixels, different for every `seed`.
pub(in crate::data) fn photograph(
    directory: &Path,
    name: &str,
    height: u32,
    width: u32,
    seed: u32,
) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pixel = |x, y| {
        Rgb([
            (x * 9 + seed) as u8,
            (y * 7) as u8,
            (x * y + seed * 31) as u8,
        ])
    };
    RgbImage::from_fn(width, height, pixel).save(path).unwrap();
}

/// Two classes of photographs of different sizes and kinds, 12 for training and 4 to test.
pub(in crate::data) fn photographs() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for index in 0..12 {
        let class = ["cat", "dog"][index as usize % 2];
        let ending = ["png", "jpg", "JPEG"][index as usize % 3];
        let name = format!("train/{class}/{index}.{ending}");
        photograph(directory.path(), &name, 20 + index, 24 + index % 5, index);
    }
    for index in 0..4 {
        let class = ["cat", "dog"][index as usize % 2];
        let name = format!("test/{class}/{index}.jpg");
        photograph(directory.path(), &name, 30, 20 + index, 100 + index);
    }
    directory
}

pub(in crate::data) fn sixteen(spec: &mut DataSpec) {
    spec.resize = Some(18);
    spec.crop = Some(16);
}

#[test]
fn memory_and_disk_give_the_same_bytes_through_splits_subsets_pooling_and_epochs() {
    let directory = photographs();
    let with = |storage: Storage, threads: usize| {
        load_as(directory.path(), |spec| {
            sixteen(spec);
            spec.validation_fraction = 0.25;
            spec.train_limit = Some(7);
            spec.average_pool = 2;
            spec.storage = storage;
            spec.decode_threads = Some(threads);
        })
        .unwrap()
    };
    let memory = with(Storage::Memory, 2);
    let sizes = [&memory.train, &memory.validation, &memory.test].map(Images::len);
    assert_eq!(sizes, [7, 3, 4]);
    assert_eq!(memory.train.shape.to_string(), "3×8×8");
    for threads in [1, 3] {
        let disk = with(Storage::Disk, threads);
        assert!(disk.train.in_memory().is_none() && memory.train.in_memory().is_some());
        assert_eq!(disk.digest, memory.digest);
        assert_eq!(disk.normalization, memory.normalization);
        assert_eq!(disk.normalization, Normalization::of(&disk.train).unwrap());
        for (disk, memory) in [
            (&disk.train, &memory.train),
            (&disk.validation, &memory.validation),
            (&disk.test, &memory.test),
        ] {
            assert_eq!((&disk.labels, disk.shape), (&memory.labels, memory.shape));
            for epoch in 0..2 {
                let order = BatchOrder::new(3, disk.len(), 2).unwrap().epoch(epoch);
                let (mut from_disk, mut from_memory) = (vec![], vec![]);
                disk.fill(&order, &mut from_disk).unwrap();
                memory.fill(&order, &mut from_memory).unwrap();
                assert_eq!(from_disk, from_memory);
            }
        }
    }
}

#[test]
fn left_to_us_images_are_in_memory_up_to_its_share_and_on_disk_above() {
    let directory = photographs();
    let in_memory = |share| {
        let spec = DataSpec {
            resize: Some(16),
            crop: Some(16),
            ..DataSpec::default()
        };
        let records = Records::new(None);
        let data = load_folder(directory.path(), &spec, records, share, &mut |_| {}).unwrap();
        data.test.in_memory().is_some()
    };
    let all = 16 * 3 * 16 * 16;
    assert!(in_memory(all));
    assert!(!in_memory(all - 1));
}

#[test]
fn an_image_too_small_to_crop_is_named_with_its_size() {
    let directory = photographs();
    let refused = load_as(directory.path(), |spec| spec.crop = Some(25)).unwrap_err();
    let message = refused.to_string();
    assert!(message.contains("train/cat/0.png"), "{message}");
    assert!(message.contains("20×24"), "{message}");
}

/// Cuts off the end of a file, of its pixels and not of its header.
pub(in crate::data) fn truncate(path: &Path) {
    let whole = fs::read(path).unwrap();
    let kept = whole.len() - (whole.len() / 8).max(20);
    fs::write(path, &whole[..kept]).unwrap();
}

#[test]
fn a_truncated_jpeg_and_a_file_that_is_no_image_are_named_wherever_the_images_are() {
    for storage in [Storage::Memory, Storage::Disk] {
        for name in ["train/dog/1.jpg", "test/cat/2.jpg"] {
            let directory = photographs();
            let open = || {
                load_as(directory.path(), |spec| {
                    sixteen(spec);
                    spec.storage = storage;
                })
            };
            open().unwrap();
            truncate(&directory.path().join(name));
            let message = open().unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
            assert!(message.contains("cannot be read as an image"), "{message}");
            fs::write(directory.path().join(name), "<html>not found</html>").unwrap();
            let message = open().unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}

#[test]
fn skipping_is_as_if_the_corrupt_files_were_not_there_and_names_each() {
    let corrupt = [
        ("train/cat/4.jpg", None),
        ("train/dog/9.png", Some("no image")),
        ("test/dog/1.jpg", Some("")),
    ];
    for storage in [Storage::Memory, Storage::Disk] {
        let directory = photographs();
        for (name, content) in corrupt {
            let path = directory.path().join(name);
            match content {
                None => truncate(&path),
                Some(content) => fs::write(path, content).unwrap(),
            }
        }
        let open = |corrupt| {
            load_as(directory.path(), |spec| {
                sixteen(spec);
                spec.validation_fraction = 0.2;
                spec.storage = storage;
                spec.corrupt = corrupt;
            })
        };
        open(Corrupt::Fatal).unwrap_err();
        let skipped = open(Corrupt::Skip).unwrap();
        assert_eq!(skipped.notes.len(), 3);
        for (name, _) in corrupt {
            let named = |note: &&String| note.contains(name) && note.ends_with("it is skipped");
            let count = skipped.notes.iter().filter(named).count();
            assert_eq!(count, 1, "{name}: {:?}", skipped.notes);
            fs::remove_file(directory.path().join(name)).unwrap();
        }
        let without = open(Corrupt::Fatal).unwrap();
        assert_eq!(skipped.train.len() + skipped.validation.len(), 10);
        assert_eq!(skipped.digest, without.digest);
        assert_eq!(skipped.train, without.train);
        assert_eq!(without.notes, Vec::<String>::new());
        // Nothing to skip changes nothing.
        assert_eq!(open(Corrupt::Skip).unwrap(), without);
    }
}

#[test]
fn a_skipped_file_decides_neither_colour_nor_size() {
    let directory = small_folder();
    let path = directory.path().join("train/cat/0.png");
    RgbImage::new(4, 2).save(&path).unwrap();
    truncate(&path);
    let skip = |spec: &mut DataSpec| spec.corrupt = Corrupt::Skip;
    let data = load_as(directory.path(), skip).unwrap();
    assert_eq!((data.train.shape.channels, data.train.len()), (1, 3));
    RgbImage::new(40, 20).save(&path).unwrap();
    truncate(&path);
    assert_eq!(load_as(directory.path(), skip).unwrap(), data);
}

#[test]
fn a_class_of_which_nothing_is_left_is_an_error() {
    let directory = small_folder();
    fs::write(directory.path().join("train/cat/1.png"), "").unwrap();
    let refused = load_as(directory.path(), |spec| spec.corrupt = Corrupt::Skip).unwrap_err();
    assert!(refused.to_string().contains("train/cat: "), "{refused}");
}

#[cfg(unix)]
#[test]
fn a_file_that_the_system_cannot_read_is_named_and_never_skipped() {
    let directory = small_folder();
    let path = directory.path().join("train/cat/2.png");
    std::os::unix::fs::symlink("/nowhere/at all.png", &path).unwrap();
    for corrupt in [Corrupt::Fatal, Corrupt::Skip] {
        let refused = load_as(directory.path(), |spec| spec.corrupt = corrupt).unwrap_err();
        let message = refused.to_string();
        assert!(message.starts_with("cannot read"), "{message}");
        assert!(message.contains("train/cat/2.png"), "{message}");
    }
}

#[test]
fn images_in_directories_below_a_class_are_used_in_the_order_of_their_paths() {
    let directory = small_folder();
    grey(directory.path(), "train/cat/more/deep/9.png", 50);
    grey(directory.path(), "train/cat/0.png", 60);
    let data = load(directory.path()).unwrap();
    assert_eq!(data.train.labels, [0, 0, 0, 1, 1]);
    let first: Vec<u8> = data
        .train
        .in_memory()
        .unwrap()
        .iter()
        .step_by(8)
        .copied()
        .collect();
    assert_eq!(first, [60, 10, 50, 20, 30]);
    assert!(data.notes.is_empty(), "{:?}", data.notes);
}

#[test]
fn what_is_not_used_is_counted_and_named() {
    let directory = small_folder();
    for name in ["train/cat/a.bmp", "train/cat/b.tiff", "test/dog/x.webp"] {
        fs::write(directory.path().join(name), "x").unwrap();
    }
    grey(directory.path(), "train/lost.png", 1);
    grey(directory.path(), "train/cat/.2.png", 1);
    #[cfg(unix)]
    std::os::unix::fs::symlink(".", directory.path().join("train/cat/circle")).unwrap();
    let data = load(directory.path()).unwrap();
    assert_eq!(data.train.len(), 3);
    let notes = data.notes.join("\n");
    for said in [
        "3 files are not used, because they are no .png, .jpg or .jpeg",
        "1 file is not used, because they lie outside of the classes' directories",
        "because their names begin with a dot",
    ] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
}

#[test]
fn val_is_the_test_set_where_there_is_no_other_and_else_the_validation_set() {
    let directory = small_folder();
    fs::rename(directory.path().join("test"), directory.path().join("val")).unwrap();
    let data = load(directory.path()).unwrap();
    assert_eq!((data.validation.len(), data.test.len()), (0, 1));
    assert!(
        data.notes[0].contains("is the test set"),
        "{:?}",
        data.notes
    );
    grey(directory.path(), "test/cat/1.png", 70);
    let data = load_as(directory.path(), |spec| spec.validation_fraction = 0.4).unwrap();
    assert_eq!(
        (data.train.len(), data.validation.len(), data.test.len()),
        (3, 1, 1)
    );
    assert_eq!(data.validation.in_memory().unwrap()[0], 40);
    assert!(
        data.notes[0].contains("is the validation set"),
        "{:?}",
        data.notes
    );
}

#[test]
fn a_class_keeps_a_training_image_or_is_named() {
    let directory = small_folder();
    for index in 0..8 {
        grey(
            directory.path(),
            &format!("train/dog/more{index}.png"),
            index,
        );
    }
    for fraction in [0.1, 0.5, 0.8] {
        let data = load_as(directory.path(), |spec| spec.validation_fraction = fraction).unwrap();
        assert!(data.train.labels.contains(&0), "{fraction}");
    }
    let error = load_as(directory.path(), |spec| spec.train_limit = Some(1)).unwrap_err();
    assert!(error.to_string().contains("class `cat`"), "{error}");
    let data = load_as(directory.path(), |spec| spec.train_limit = Some(2)).unwrap();
    assert_eq!(data.train.labels, [0, 1]);
    assert_eq!(data.class_names, ["cat", "dog"]);
    let single = tempfile::tempdir().unwrap();
    for name in ["train/a/1.png", "train/b/1.png", "test/a/1.png"] {
        grey(single.path(), name, 1);
    }
    let error = load_as(single.path(), |spec| spec.validation_fraction = 0.1).unwrap_err();
    assert!(error.to_string().contains("class such as `a`"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_pipe_among_the_images_is_named_and_not_waited_for() {
    let directory = small_folder();
    let pipe = directory.path().join("train/cat/pipe.png");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let said = message(directory.path());
    assert!(
        said.contains("pipe.png") && said.contains("a pipe or a device"),
        "{said}"
    );
    let data = load_as(directory.path(), |spec| spec.corrupt = Corrupt::Skip).unwrap();
    assert_eq!(data.train.len(), 3);
}
