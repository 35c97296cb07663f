//! The names of the PyTorch models, from mup2's own.

use super::entry::{Layout, StateEntry};
use crate::config::ModelKind;
use crate::error::{Error, Result};
use crate::scaling::TensorShape;

/// Where each parameter, and each running statistic of batch normalization, is found.
///
/// `shapes` are the model's parameters, `statistics` the paths of its batch normalization layers,
/// and `patch` is (channels, side) of a Vision Transformer's patches.
///
/// # Errors
/// When a parameter has no counterpart, as in an MLP: there is no common one.
pub fn state_entries(
    kind: ModelKind,
    shapes: &[TensorShape],
    statistics: &[&str],
    patch: Option<(usize, usize)>,
) -> Result<Vec<StateEntry>> {
    let mut entries = Vec::new();
    let class_token = shapes.iter().any(|shape| shape.name == "class_token");
    for tensor in shapes {
        let Some((theirs, part)) = renamed(kind, &tensor.name, class_token) else {
            return Err(Error::invalid(
                format!("parameter `{}`", tensor.name),
                "has no name in a common PyTorch model",
                "a resnet, a vit or a gru",
            ));
        };
        entries.push(entry(tensor, theirs, part, patch));
    }
    for layer in statistics {
        let gain = format!("{layer}.gain");
        let Some(gain) = shapes.iter().find(|shape| shape.name == gain) else {
            continue;
        };
        let theirs = renamed(kind, &gain.name, class_token).map(|(name, _)| name);
        for (ours, buffer) in [("mean", "running_mean"), ("variance", "running_var")] {
            let stem = theirs.as_deref().unwrap_or_default();
            let stem = stem.strip_suffix(".weight").unwrap_or(stem);
            entries.push(StateEntry {
                ours: format!("{layer}.running_{ours}"),
                shape: gain.shape.clone(),
                theirs: format!("{stem}.{buffer}"),
                their_shape: gain.shape.clone(),
                part: (0, 1),
                layout: Layout::Same,
            });
        }
    }
    Ok(entries)
}

fn entry(
    tensor: &TensorShape,
    theirs: String,
    part: (usize, usize),
    patch: Option<(usize, usize)>,
) -> StateEntry {
    let shape = tensor.shape.clone();
    let (layout, their_shape) = match (&shape[..], tensor.name.as_str(), patch) {
        (&[_, width], "patches.weight", Some((channels, side))) => {
            (Layout::Transposed, vec![width, channels, side, side])
        }
        (&[count, width], "class_token" | "positions", _) => (Layout::Same, vec![1, count, width]),
        (&[fan_in, fan_out], _, _) => (Layout::Transposed, vec![fan_out * part.1, fan_in]),
        (&[channels], _, _) => (Layout::Same, vec![channels * part.1]),
        _ => (Layout::Same, shape.clone()),
    };
    StateEntry {
        ours: tensor.name.clone(),
        shape,
        theirs,
        their_shape,
        part,
        layout,
    }
}

/// The name in PyTorch, and which part of that tensor it is.
fn renamed(kind: ModelKind, name: &str, class_token: bool) -> Option<(String, (usize, usize))> {
    let whole = |name: String| Some((name, (0, 1)));
    let readout = match kind {
        ModelKind::Mlp => return None,
        ModelKind::ResNet => "fc",
        ModelKind::Vit => "head",
        ModelKind::Gru => "readout",
    };
    // A normalization's gain is called its weight.
    let (layer, leaf) = name.rsplit_once('.').unwrap_or((name, ""));
    let leaf = if leaf == "gain" { "weight" } else { leaf };
    let parts: Vec<&str> = layer.split('.').collect();
    match parts[..] {
        ["readout"] => whole(format!("{readout}.{leaf}")),
        // torchvision's ResNet
        ["stem"] => whole(format!("conv1.{leaf}")),
        ["stem_norm"] => whole(format!("bn1.{leaf}")),
        ["stages", stage, block, ref rest @ ..] => {
            let stage: usize = stage.parse().ok()?;
            let layer = residual(rest)?;
            whole(format!("layer{}.{block}.{layer}.{leaf}", stage + 1))
        }
        // timm's Vision Transformer
        ["class_token"] => whole("cls_token".to_owned()),
        ["positions"] => whole("pos_embed".to_owned()),
        ["patches"] => whole(format!("patch_embed.proj.{leaf}")),
        ["norm"] if class_token => whole(format!("norm.{leaf}")),
        ["norm"] => whole(format!("fc_norm.{leaf}")),
        ["blocks", block, ref rest @ ..] => {
            let (layer, part) = transformer(rest)?;
            Some((format!("blocks.{block}.{layer}.{leaf}"), part))
        }
        // a module with `gru`, a torch.nn.GRU, and `readout`, a Linear
        ["layers", layer, "input"] => whole(format!("gru.{leaf}_ih_l{layer}")),
        ["layers", layer, "recurrent"] => whole(format!("gru.{leaf}_hh_l{layer}")),
        _ => None,
    }
}

/// A layer of a residual block.
fn residual(parts: &[&str]) -> Option<String> {
    Some(match parts {
        ["convolutions", index] => format!("conv{}", index.parse::<usize>().ok()? + 1),
        ["norms", index] => format!("bn{}", index.parse::<usize>().ok()? + 1),
        ["shortcut"] => "downsample.0".to_owned(),
        ["shortcut_norm"] => "downsample.1".to_owned(),
        _ => return None,
    })
}

/// A layer of a transformer block, and its part of the tensor there.
fn transformer(parts: &[&str]) -> Option<(&'static str, (usize, usize))> {
    Some(match parts {
        ["attention_norm"] => ("norm1", (0, 1)),
        ["mlp_norm"] => ("norm2", (0, 1)),
        ["attention", "query"] => ("attn.qkv", (0, 3)),
        ["attention", "key"] => ("attn.qkv", (1, 3)),
        ["attention", "value"] => ("attn.qkv", (2, 3)),
        ["attention", "query_norm"] => ("attn.q_norm", (0, 1)),
        ["attention", "key_norm"] => ("attn.k_norm", (0, 1)),
        ["attention", "projection"] => ("attn.proj", (0, 1)),
        ["expansion"] => ("mlp.fc1", (0, 1)),
        ["contraction"] => ("mlp.fc2", (0, 1)),
        _ => return None,
    })
}
