//! Images of Gaussian noise with random labels: inputs without any structure.

use super::RawSplits;
use super::images::{ImageShape, Images};
use crate::error::Result;
use crate::random::stream;
use rand::Rng;
use rand_distr::{Distribution, Normal};

const CLASSES: usize = 10;
const SHAPE: ImageShape = ImageShape {
    channels: 1,
    height: 4,
    width: 8,
};
/// Three of these reach from the middle to either end of a byte.
const STANDARD_DEVIATION: f64 = 42.5;

/// Draws the set: the same one always.
pub(super) fn load() -> Result<RawSplits> {
    Ok(RawSplits {
        train: draw("train", 4096)?,
        validation: Some(draw("validation", 512)?),
        test: draw("test", 512)?,
        classes: CLASSES,
        class_names: Vec::new(),
    })
}

fn draw(split: &str, count: usize) -> Result<Images> {
    let mut stream = stream(0, &format!("random-dataset/{split}"));
    let normal = Normal::new(127.5, STANDARD_DEVIATION).map_err(|error| {
        crate::error::Error::invalid("random dataset", error.to_string(), "a finite deviation")
    })?;
    let pixels = (0..count * SHAPE.values())
        .map(|_| normal.sample(&mut stream).round().clamp(0.0, 255.0) as u8)
        .collect();
    let labels = (0..count)
        .map(|_| (stream.next_u32() % CLASSES as u32) as u16)
        .collect();
    Images::new(pixels, labels, SHAPE)
}
