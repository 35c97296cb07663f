//! Random masks of training: dropout and stochastic depth.

use super::Pass;
use burn::tensor::{Tensor, TensorData};
use rand::Rng;

/// Sets a share of the entries of `x` to zero and divides the others by what is kept (Srivastava et
/// al. 2014). `layer` names the mask's random stream; nothing happens in evaluation.
pub(super) fn dropout(x: Tensor<3>, share: f64, layer: &str, pass: &Pass) -> Tensor<3> {
    let shape = x.dims();
    masked(x, shape, share, layer, pass)
}

/// Drops a residual branch for whole samples (Huang et al., "Deep Networks with Stochastic Depth",
/// 2016): `branch` `[batch, …]` is zero for a share of them, and divided by what is kept.
pub(super) fn stochastic_depth(
    branch: Tensor<3>,
    share: f64,
    layer: &str,
    pass: &Pass,
) -> Tensor<3> {
    let samples = [branch.dims()[0], 1, 1];
    masked(branch, samples, share, layer, pass)
}

fn masked(x: Tensor<3>, shape: [usize; 3], share: f64, layer: &str, pass: &Pass) -> Tensor<3> {
    if share <= 0.0 {
        return x;
    }
    let Some(mut streams) = pass.mask_streams(layer) else {
        return x;
    };
    let kept = 1.0 - share;
    // A draw below this bound drops the entry.
    let bound = (share * 2f64.powi(32)) as u32;
    let count = shape.iter().product::<usize>() / streams.len().max(1);
    let mut values: Vec<f64> = Vec::with_capacity(count * streams.len());
    for stream in &mut streams {
        values.extend((0..count).map(|_| {
            if stream.next_u32() < bound {
                0.0
            } else {
                1.0 / kept
            }
        }));
    }
    let (device, dtype) = (x.device(), x.dtype());
    let data = TensorData::new(values, shape).convert_dtype(dtype);
    x * Tensor::from_data(data, (&device, dtype))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn ones() -> Tensor<3> {
        Tensor::ones([50, 20, 10], &Device::flex())
    }

    fn values(x: Tensor<3>) -> Vec<f32> {
        x.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn dropout_zeroes_its_share_and_keeps_the_mean() {
        let dropped = values(dropout(ones(), 0.25, "layer", &Pass::training(0, 0)));
        let zeros = dropped.iter().filter(|value| **value == 0.0).count();
        // 10,000 draws: the standard deviation of the share is 0.0043.
        assert!((zeros as f64 / 10_000.0 - 0.25).abs() < 0.02, "{zeros}");
        assert!(
            dropped
                .iter()
                .all(|value| *value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6)
        );
    }

    #[test]
    fn stochastic_depth_keeps_or_drops_whole_samples() {
        let dropped = values(stochastic_depth(
            ones(),
            0.5,
            "layer",
            &Pass::training(0, 0),
        ));
        let samples: Vec<&[f32]> = dropped.chunks(200).collect();
        assert!(
            samples
                .iter()
                .all(|sample| sample.iter().all(|value| *value == sample[0]))
        );
        assert!(samples.iter().any(|sample| sample[0] == 0.0));
        assert!(samples.iter().any(|sample| sample[0] == 2.0));
    }

    #[test]
    fn a_mask_belongs_to_seed_step_and_layer_and_to_no_evaluation() {
        let mask =
            |seed, step, layer| values(dropout(ones(), 0.5, layer, &Pass::training(seed, step)));
        assert_eq!(mask(1, 2, "a"), mask(1, 2, "a"));
        assert_ne!(mask(1, 2, "a"), mask(2, 2, "a"));
        assert_ne!(mask(1, 2, "a"), mask(1, 3, "a"));
        assert_ne!(mask(1, 2, "a"), mask(1, 2, "b"));
        assert_eq!(
            values(dropout(ones(), 0.5, "a", &Pass::evaluation())),
            values(ones())
        );
    }
}
