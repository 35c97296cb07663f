//! From a run and its images to the shape of its network.

use crate::config::RunSpec;
use crate::data::{Dataset, ImageShape};
use crate::error::Result;
use crate::model::NetworkConfig;
use crate::scaling::TensorShape;

/// Every parameter of the run's model with its role and shapes, for images of `shape` and
/// `classes` classes.
///
/// # Errors
/// When the architecture cannot take such images.
pub fn tensor_shapes(
    spec: &RunSpec,
    shape: ImageShape,
    classes: usize,
) -> Result<Vec<TensorShape>> {
    Ok(network_config(spec, shape, classes)?.tensor_shapes())
}

/// The shape of the run's model for the images of `data`.
///
/// # Errors
/// When the architecture cannot take such images.
pub(crate) fn network_for(spec: &RunSpec, data: &Dataset) -> Result<NetworkConfig> {
    network_config(spec, data.train.shape, data.classes)
}

/// The shape of the run's model for images of `shape` and `classes` classes.
///
/// # Errors
/// When the architecture cannot take such images.
pub fn network_config(spec: &RunSpec, shape: ImageShape, classes: usize) -> Result<NetworkConfig> {
    NetworkConfig::new(&spec.model, spec.scaling.parameterization, shape, classes)
}
