//! The parameters of Burn's own layers: their layouts are fixed in `burn::nn` (0.22), and the type of
//! the layer tells them.

use super::start::Start;
use crate::scaling::TensorKind;
use crate::shapes::{EMBEDDING_STD, Layout, Side};

/// What a layer of Burn's says of one of its tensors.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    /// No optimizer sees it.
    Buffer,
    /// A parameter.
    Parameter {
        layout: Layout,
        kind: TensorKind,
        start: Start,
    },
}

/// What is known of the tensor with `rank` sides in `field` of the struct `layer`.
///
/// A struct of the user's with the name of one of Burn's layers would be taken for it; a field of
/// another name or rank is not, and [`check_bias`](super::compare) sees a matrix the other way round.
pub(super) fn known(layer: &str, field: &str, rank: usize) -> Option<Known> {
    let drawn = Start::Drawn { gain: None };
    let rows = Start::Drawn {
        gain: Some(EMBEDDING_STD),
    };
    let weight = |layout, start| (layout, TensorKind::Weight, start);
    let vector = || Layout::new([Side::Out]);
    let (layout, kind, start) = match (layer, field, rank) {
        ("BatchNorm", "running_mean" | "running_var", 1) => return Some(Known::Buffer),
        ("Linear", "weight", 2) => weight(Layout::transposed(2), drawn),
        ("Conv1d", "weight", 3)
        | ("Conv2d" | "DeformConv2d", "weight", 4)
        | ("Conv3d", "weight", 5) => weight(Layout::of_pytorch(rank), drawn),
        ("ConvTranspose1d", "weight", 3)
        | ("ConvTranspose2d", "weight", 4)
        | ("ConvTranspose3d", "weight", 5) => weight(Layout::transposed(rank), drawn),
        ("Embedding", "weight", 2) => weight(Layout::embedding(2), rows),
        ("PRelu", "alpha", 1) => weight(vector(), Start::Kept),
        (
            "Linear" | "Conv1d" | "Conv2d" | "DeformConv2d" | "Conv3d" | "ConvTranspose1d"
            | "ConvTranspose2d" | "ConvTranspose3d",
            "bias",
            1,
        ) => (vector(), TensorKind::Bias, Start::Constant(0.0)),
        ("BatchNorm" | "LayerNorm" | "GroupNorm" | "InstanceNorm" | "RmsNorm", "gamma", 1) => {
            (vector(), TensorKind::Norm, Start::Constant(1.0))
        }
        ("BatchNorm" | "LayerNorm" | "GroupNorm" | "InstanceNorm", "beta", 1) => {
            (vector(), TensorKind::Norm, Start::Constant(0.0))
        }
        _ => return None,
    };
    Some(Known::Parameter {
        layout,
        kind,
        start,
    })
}
