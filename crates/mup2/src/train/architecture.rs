//! From the `[model]` table and the images to the shape of a network.

use crate::config::{self, Activation, ChannelNorm, ModelKind, ResNetStem, RunSpec, VitPool};
use crate::data::{Dataset, ImageShape};
use crate::error::{Error, Result};
use crate::model::{
    self, AttentionScale, GruConfig, Heads, MlpConfig, NetworkConfig, NormKind, Pooling,
    ResNetConfig, ResNetLayers, Stem, VisionTransformerConfig,
};
use crate::scaling::{Parameterization, TensorShape};

/// Every parameter of the run's model with its role and shapes, for images of `shape` and
/// `classes` classes.
///
/// # Errors
/// As [`network_config`]'s.
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
/// As [`network_config`]'s.
pub(crate) fn network_for(spec: &RunSpec, data: &Dataset) -> Result<NetworkConfig> {
    network_config(spec, data.train.shape, data.classes)
}

/// The shape of the run's model for images of `shape` and `classes` classes.
///
/// # Errors
/// When the architecture cannot take such images.
pub fn network_config(spec: &RunSpec, shape: ImageShape, classes: usize) -> Result<NetworkConfig> {
    Ok(match spec.model.kind {
        ModelKind::Mlp => NetworkConfig::Mlp(mlp(spec, shape, classes)),
        ModelKind::ResNet => NetworkConfig::ResNet(resnet(spec, shape, classes)),
        ModelKind::Vit => NetworkConfig::VisionTransformer(vit(spec, shape, classes)?),
        ModelKind::Gru => NetworkConfig::Gru(GruConfig {
            row: shape.channels * shape.width,
            classes,
            width: spec.model.width,
            base_width: spec.model.base_width,
            layers: spec.model.gru.layers,
            readout_zero_init: spec.model.readout_zero_init,
            output_multiplier: spec.model.output_multiplier,
        }),
    })
}

fn mlp(spec: &RunSpec, shape: ImageShape, classes: usize) -> MlpConfig {
    let model = &spec.model;
    MlpConfig {
        inputs: shape.values(),
        classes,
        width: model.width,
        base_width: model.base_width,
        depth: model.depth,
        bias: model.bias,
        activation: match model.activation {
            Activation::Relu => model::Activation::Relu,
            Activation::Gelu => model::Activation::Gelu,
            Activation::Tanh => model::Activation::Tanh,
        },
        residual: model.residual,
        readout_zero_init: model.readout_zero_init,
        output_multiplier: model.output_multiplier,
    }
}

fn resnet(spec: &RunSpec, shape: ImageShape, classes: usize) -> ResNetConfig {
    let (model, resnet) = (&spec.model, &spec.model.resnet);
    ResNetConfig {
        channels: shape.channels,
        classes,
        width: model.width,
        base_width: model.base_width,
        // `RunSpec::validate` lets no other number through.
        layers: match resnet.layers {
            34 => ResNetLayers::ResNet34,
            50 => ResNetLayers::ResNet50,
            _ => ResNetLayers::ResNet18,
        },
        stem: match resnet.stem {
            ResNetStem::Cifar => Stem::Cifar,
            ResNetStem::Imagenet => Stem::Imagenet,
        },
        norm: match resnet.norm {
            ChannelNorm::Batch => NormKind::Batch,
            ChannelNorm::Group => NormKind::Group {
                groups: resnet.groups,
            },
        },
        norm_zero_init: resnet.norm_zero_init,
        readout_zero_init: model.readout_zero_init,
        output_multiplier: model.output_multiplier,
    }
}

/// # Errors
/// When the patches do not divide the images.
fn vit(spec: &RunSpec, shape: ImageShape, classes: usize) -> Result<VisionTransformerConfig> {
    let (model, vit) = (&spec.model, &spec.model.vit);
    let divides = |side: usize| vit.patch > 0 && side.is_multiple_of(vit.patch);
    if !divides(shape.height) || !divides(shape.width) {
        return Err(Error::invalid(
            "model.vit.patch",
            format!("is {}, but the images are {shape}", vit.patch),
            "a divisor of the images' height and width",
        ));
    }
    Ok(VisionTransformerConfig {
        image: [shape.channels, shape.height, shape.width],
        classes,
        width: model.width,
        base_width: model.base_width,
        patch: vit.patch,
        depth: vit.depth,
        heads: match vit.head_dim {
            Some(size) => Heads::Size(size),
            None => Heads::Count(vit.heads),
        },
        mlp_ratio: vit.mlp_ratio,
        pooling: match vit.pool {
            VitPool::ClassToken => Pooling::ClassToken,
            VitPool::Mean => Pooling::Mean,
        },
        qk_norm: vit.qk_norm,
        attention_scale: attention_scale(spec),
        dropout: vit.dropout,
        stochastic_depth: vit.stochastic_depth,
        readout_zero_init: model.readout_zero_init,
        output_multiplier: model.output_multiplier,
    })
}

fn attention_scale(spec: &RunSpec) -> AttentionScale {
    match (
        spec.model.vit.attention_scale,
        spec.scaling.parameterization,
    ) {
        (Some(config::AttentionScale::Inverse), _) => AttentionScale::Inverse,
        (Some(config::AttentionScale::InverseRoot), _) => AttentionScale::InverseRoot,
        // METHOD section 6: 1/d_head belongs to feature learning, where queries and keys align.
        (None, Parameterization::Mup) => AttentionScale::Inverse,
        (None, Parameterization::Sp | Parameterization::SpStable | Parameterization::Ntp) => {
            AttentionScale::InverseRoot
        }
    }
}
