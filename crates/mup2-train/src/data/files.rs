//! Images that stay in their files until they are asked for.

use std::path::Path;
use std::sync::Arc;

use super::decode::{Recipe, pixels};
use super::decode_pool::{DecodePool, Pending};
use super::images::ImageShape;
use crate::error::Result;

/// N files, what becomes of each, and the threads that do it.
#[derive(Clone, Debug)]
pub(super) struct ImageFiles {
    paths: Vec<Arc<Path>>,
    recipe: Recipe,
    pool: Arc<DecodePool>,
}

/// The same images, whichever threads decode them.
impl PartialEq for ImageFiles {
    fn eq(&self, other: &Self) -> bool {
        self.paths == other.paths && self.recipe == other.recipe
    }
}

impl ImageFiles {
    /// All of `paths` as `recipe` says.
    pub fn new(paths: Vec<Arc<Path>>, recipe: Recipe, pool: Arc<DecodePool>) -> Self {
        Self {
            paths,
            recipe,
            pool,
        }
    }

    /// The shape of each image once it is decoded.
    pub fn shape(&self) -> ImageShape {
        let Recipe {
            channels,
            height,
            width,
            pool,
            ..
        } = self.recipe;
        ImageShape {
            channels,
            height: height / pool,
            width: width / pool,
        }
    }

    /// The files at `indices`, in that order.
    pub fn select(&self, indices: &[usize]) -> Self {
        let paths = indices.iter().map(|&index| self.paths[index].clone());
        Self {
            paths: paths.collect(),
            recipe: self.recipe,
            pool: self.pool.clone(),
        }
    }

    /// The same files, averaged over blocks of `side` × `side` of what are now their pixels.
    pub fn average_pool(mut self, side: usize) -> Self {
        self.recipe.pool *= side;
        self
    }

    /// Begins to decode the files at `indices`.
    pub fn begin(&self, indices: &[usize]) -> Pending<Vec<u8>> {
        let recipe = self.recipe;
        let paths = indices.iter().map(|&index| self.paths[index].clone());
        self.pool.begin(paths, move |path| pixels(path, &recipe))
    }
}

/// Waits for images of `shape` and appends them to `out`, in the order in which they were asked for.
pub(super) fn collect(
    pending: Pending<Vec<u8>>,
    shape: ImageShape,
    out: &mut Vec<u8>,
) -> Result<()> {
    out.reserve(pending.len() * shape.values());
    for image in pending {
        out.extend_from_slice(&image?);
    }
    Ok(())
}
