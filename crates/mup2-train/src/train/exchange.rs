//! Weights from outside: evaluated on a run's data, and given other names.

use super::architecture::{network_config, network_for};
use super::device::open_device;
use super::evaluate::accuracy;
use super::weights::with_effective_weights;
use crate::checkpoint::Weights;
use crate::config::{Architecture, AttentionScale, RunSpec, TrainingDevice};
use crate::data::{Dataset, ImageShape};
use crate::error::{Error, Result};
use crate::pytorch::{StateEntry, from_pytorch, state_entries, to_pytorch};
use crate::scaling::scale;
use burn::tensor::DType;
use std::collections::BTreeMap;

/// Tensors by name.
type Named = BTreeMap<String, Weights>;

/// Accuracies of a network, 0 to 1; absent for an empty split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracies {
    /// On the training images, not augmented, with their true labels.
    pub train: Option<f64>,
    /// On the validation images.
    pub validation: Option<f64>,
    /// On the test images.
    pub test: Option<f64>,
}

/// The accuracies of the network of `spec` with `weights`, by mup2's names ([`ours`] translates).
///
/// # Errors
/// When the weights are not those of the network, or an image cannot be read; as [`open_device`]'s.
pub fn evaluate_weights(
    spec: &RunSpec,
    data: &Dataset,
    device: TrainingDevice,
    weights: Named,
) -> Result<Accuracies> {
    let config = network_for(spec, data)?;
    let table = scale(&spec.scheme(), &config.tensor_shapes())?;
    let device = open_device(device)?;
    let network = config.init(&table, spec.seed, &device, DType::F32)?;
    let network = with_effective_weights(network, &config, &table, weights)?;
    let on = |images| accuracy(&network, images, &data.normalization, &device);
    Ok(Accuracies {
        train: on(&data.train)?,
        validation: on(&data.validation)?,
        test: on(&data.test)?,
    })
}

/// Compares the shapes in the header of a file of weights, by mup2's names, with those of the network
/// of `spec`: before anything of the network's size is allocated, and before the weights are read.
///
/// # Errors
/// When a tensor is missing or has another shape.
pub fn check_weight_shapes(
    spec: &RunSpec,
    data: &Dataset,
    shapes: &BTreeMap<String, Vec<usize>>,
) -> Result<()> {
    for tensor in network_for(spec, data)?.tensor_shapes() {
        let problem = match shapes.get(&tensor.name) {
            Some(shape) if *shape == tensor.shape => continue,
            Some(shape) => format!("has shape {shape:?} and not {:?}", tensor.shape),
            None => "is missing".to_owned(),
        };
        return Err(Error::invalid(
            format!("weight `{}`", tensor.name),
            problem,
            format!(
                "weights of a {} of width {} for images of {} and {} classes",
                spec.model.kind(),
                spec.model.width,
                data.train.shape,
                data.classes
            ),
        ));
    }
    Ok(())
}

/// PyTorch's weights under mup2's names, for the network of `spec` on such images.
///
/// # Errors
/// When the file is not that of the architecture, or when the network computes another function of
/// the same weights.
pub fn ours(spec: &RunSpec, image: ImageShape, classes: usize, theirs: &Named) -> Result<Named> {
    from_pytorch(&entries(spec, image, classes)?, theirs)
}

/// mup2's weights under PyTorch's names, for the network of `spec` on such images.
///
/// # Errors
/// As [`ours`]'.
pub fn theirs(spec: &RunSpec, image: ImageShape, classes: usize, ours: &Named) -> Result<Named> {
    to_pytorch(&entries(spec, image, classes)?, ours)
}

fn entries(spec: &RunSpec, image: ImageShape, classes: usize) -> Result<Vec<StateEntry>> {
    let config = network_config(spec, image, classes)?;
    refuse_other_attention(spec)?;
    let layers = config.batch_norm_layers();
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    let shapes = config.tensor_shapes();
    state_entries(spec.model.kind(), &shapes, &layers, config.patches())
}

/// timm scales the products of queries and keys by 1/√d_head: with another scale the same weights
/// are another function.
fn refuse_other_attention(spec: &RunSpec) -> Result<()> {
    let Architecture::Vit(vit) = &spec.model.architecture else {
        return Ok(());
    };
    let heads_grow = vit.head_dim.is_none() && spec.model.width != spec.model.base_width;
    let scale = vit.attention_scale_in(spec.scaling.parameterization);
    if scale == AttentionScale::InverseRoot || !heads_grow {
        return Ok(());
    }
    Err(Error::invalid(
        "model.vit.attention_scale",
        "is `inverse`, but PyTorch's models scale by 1/√d_head",
        "`inverse-root`, heads of a fixed size (`head_dim`), or the base width",
    ))
}
