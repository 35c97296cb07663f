//! How much memory of a device a trial of a stack is expected to take.

use super::architecture::network_for;
use super::batch::images_tensor;
use crate::config::{OptimizerName, RunSpec};
use crate::data::Dataset;
use crate::error::Result;
use crate::model::Pass;
use crate::scaling::scale;
use burn::tensor::{DType, Device};

/// Weights, perturbed weights, gradients, their like in the making, and what an allocator keeps beside them; measured
/// on the processor: 4.5 to 5.3.
const COPIES_OF_WEIGHTS: f64 = 5.0;

/// A layer's product is kept for its gradient, and so is what an activation made of it; both get gradients.
const COPIES_OF_PRODUCTS: f64 = 4.0;

/// Bytes that one trial more in a stack is expected to take on its device: weights and what a step makes of them, the
/// optimizer's state, averages, and the activations of a batch. An estimate, from the network's own shapes
/// and a forward pass of one image.
///
/// # Errors
/// When the network of `spec` cannot be made.
pub fn trial_memory(spec: &RunSpec, data: &Dataset) -> Result<u64> {
    let config = network_for(spec, data)?;
    let shapes = config.tensor_shapes();
    let weights: usize = shapes
        .iter()
        .map(|shape| shape.shape.iter().product::<usize>())
        .sum();
    let state = match spec.optimizer.name {
        OptimizerName::Sgd if spec.optimizer.momentum == 0.0 => 0.0,
        OptimizerName::Sgd => 1.0,
        OptimizerName::Adamw => 2.0,
    };
    let average = if spec.train.ema_decay > 0.0 { 1.0 } else { 0.0 };
    let copies = COPIES_OF_WEIGHTS + state + average;

    let table = scale(&spec.scheme(), &shapes)?;
    let device = Device::flex();
    let model = config.init(&table, spec.seed, &device, DType::F32)?;
    let shape = data.train.shape;
    let image = images_tensor(vec![0.0; shape.values()], shape, 1, &device);
    let mut pass = Pass::evaluation().tracing();
    model.forward(image, &mut pass);
    let trace = pass.into_trace();
    let products = trace.sites().iter();
    let products: usize = products
        .map(|site| site.product.shape().num_elements())
        .sum();
    let of_image = COPIES_OF_PRODUCTS * (products + shape.values()) as f64;
    let values = copies * weights as f64 + spec.train.batch_size as f64 * of_image;
    Ok((values * std::mem::size_of::<f32>() as f64) as u64)
}
