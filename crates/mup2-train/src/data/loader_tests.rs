//! Batches from files: their order, how many are decoded ahead, and what an early end leaves.

use super::Loader;
use crate::data::decode::{Geometry, Recipe};
use crate::data::decode_pool::DecodePool;
use crate::data::files::ImageFiles;
use crate::data::images::Images;
use image::{GrayImage, Luma};
use std::path::Path;
use std::sync::Arc;

/// Images 0 to `count` − 1, 1×1×2, each known by its first pixel.
fn on_disk(directory: &Path, count: u8, pool: &Arc<DecodePool>) -> Images {
    let paths = (0..count).map(|index| {
        let path = directory.join(format!("{index}.png"));
        let pixel = |x, _| Luma([index + 100 * x as u8]);
        GrayImage::from_fn(2, 1, pixel).save(&path).unwrap();
        path.into()
    });
    let recipe = Recipe {
        geometry: Geometry::default(),
        channels: 1,
        height: 1,
        width: 2,
        pool: 1,
    };
    let files = ImageFiles::new(paths.collect(), recipe, pool.clone());
    Images::on_disk(files, (0..u16::from(count)).collect())
}

fn pool(threads: usize) -> Arc<DecodePool> {
    Arc::new(DecodePool::start(Some(threads)).unwrap())
}

const ORDER: [usize; 10] = [7, 1, 9, 0, 4, 4, 2, 8, 3, 5];

#[test]
fn batches_come_in_the_order_asked_for_with_any_number_of_threads_and_ahead() {
    let directory = tempfile::tempdir().unwrap();
    for threads in [1, 2, 5] {
        let images = on_disk(directory.path(), 10, &pool(threads));
        for ahead in [0, 1, 3, 100] {
            let batches = Loader::new(&images, ORDER.chunks(3), ahead).map(Result::unwrap);
            let batches: Vec<_> = batches.collect();
            assert_eq!(batches.len(), 4);
            let indices: Vec<usize> = batches.iter().flat_map(|b| b.indices).copied().collect();
            assert_eq!(indices, ORDER);
            let pixels: Vec<u8> = batches.into_iter().flat_map(|batch| batch.pixels).collect();
            let expected = ORDER
                .iter()
                .flat_map(|&index| [index as u8, index as u8 + 100]);
            assert!(pixels.into_iter().eq(expected), "{threads} {ahead}");
        }
    }
}

#[test]
fn images_in_memory_are_loaded_as_those_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let disk = on_disk(directory.path(), 10, &pool(2));
    let mut pixels = vec![];
    disk.fill(&(0..10).collect::<Vec<_>>(), &mut pixels)
        .unwrap();
    let memory = Images::new(pixels, disk.labels.clone(), disk.shape).unwrap();
    let of = |images| -> Vec<_> {
        let loader = Loader::new(images, ORDER.chunks_exact(4), 2);
        loader.map(Result::unwrap).collect()
    };
    assert_eq!(of(&memory), of(&disk));
    assert_eq!(of(&memory).len(), 2);
}

#[test]
fn no_more_batches_are_begun_than_were_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let images = on_disk(directory.path(), 10, &pool(2));
    for ahead in 0..4 {
        let mut loader = Loader::new(&images, ORDER.chunks(1), ahead);
        assert_eq!(loader.begun.len(), ahead);
        for taken in 1..=ORDER.len() {
            loader.next().unwrap().unwrap();
            // What is begun has not left the loader, and nothing else keeps pixels.
            let begun: usize = loader.begun.iter().map(|(_, pending)| pending.len()).sum();
            assert_eq!(begun, ahead.min(ORDER.len() - taken));
        }
        assert!(loader.next().is_none());
    }
}

#[test]
fn batches_are_decoded_before_they_are_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let threads = pool(1);
    let images = on_disk(directory.path(), 10, &threads);
    let mut loader = Loader::new(&images, ORDER.chunks(2), 2);
    // The one thread takes files in order, so it has decoded two batches when it is here.
    let here = threads.begin([Arc::from(directory.path())], |_| Ok(()));
    here.last().unwrap().unwrap();
    for index in 0..10 {
        std::fs::remove_file(directory.path().join(format!("{index}.png"))).unwrap();
    }
    assert_eq!(loader.next().unwrap().unwrap().pixels, [7, 107, 1, 101]);
    assert_eq!(loader.next().unwrap().unwrap().pixels, [9, 109, 0, 100]);
    let message = loader.next().unwrap().unwrap_err().to_string();
    assert!(message.contains("4.png"), "{message}");
}

#[test]
fn a_loader_dropped_in_the_middle_holds_on_to_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let threads = pool(2);
    let images = on_disk(directory.path(), 10, &threads);
    let mut loader = Loader::new(&images, ORDER.chunks(1), 5);
    loader.next().unwrap().unwrap();
    drop(loader);
    drop(images);
    // No task keeps the pool, so its threads end with the images.
    assert_eq!(Arc::strong_count(&threads), 1);
}

#[test]
fn a_file_that_was_removed_is_named_and_the_other_batches_are_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let images = on_disk(directory.path(), 10, &pool(2));
    std::fs::remove_file(directory.path().join("9.png")).unwrap();
    let outcomes: Vec<_> = Loader::new(&images, ORDER.chunks(2), 2).collect();
    assert_eq!(outcomes.len(), 5);
    for (place, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(_) => assert_ne!(place, 1),
            Err(error) => {
                assert_eq!(place, 1);
                assert!(error.to_string().contains("9.png"), "{error}");
            }
        }
    }
}
