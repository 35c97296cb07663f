//! Sharpness as an evaluation metric: on a fixed sample of training images, in training passes that
//! leave no trace in the model.

use super::batch::Batch;
use super::setup::Setup;
use crate::config::{RunSpec, SharpnessGeometry};
use crate::data::{Dataset, sample_indices};
use crate::error::Result;
use crate::model::{Network, Pass};
use crate::sharpness::{Measures, Options, PowerIteration, Sharpness, measure};
use crate::step::{Geometry, scale_gradients};
use burn::optim::GradientsAccumulator;
use burn::tensor::{Device, Tensor};
use mup2_sweep::results::{
    EigenvalueMetrics, LayerSharpness, SamSharpnessMetrics, SharpnessMeasures, SharpnessMetrics,
    TraceMetrics,
};

/// Power iteration stops when an iteration changes the eigenvalue by at most this share of it. With the
/// customary 1e-3 it stops some per cent too low where the second eigenvalue is close.
const TOLERANCE: f64 = 1e-4;

/// Steps of projected ascent after SAM's own.
const ASCENT_STEPS: usize = 5;

/// The sharpness after `epoch`, if it is due and the loss is finite.
///
/// Batch normalization takes the statistics of each batch, as it does in SAM's passes, and moves no
/// running ones; dropout has the masks of the step that comes next.
///
/// # Errors
/// When a parameter is not in the run's scaling table.
pub(super) fn sharpness_after(
    epoch: usize,
    spec: &RunSpec,
    data: &Dataset,
    labels: &[u16],
    setup: &Setup,
    steps: usize,
    device: &Device,
) -> Result<Option<SharpnessMetrics>> {
    let asked = &spec.sharpness;
    if !asked.is_due(epoch, spec.train.epochs) {
        return Ok(None);
    }
    let model = &setup.model;
    let purpose = "sharpness/samples";
    let indices = sample_indices(spec.seed, purpose, data.train.len(), asked.samples);
    let batches: Vec<(Batch, f64)> = evenly(&indices, spec.train.batch_size)
        .map(|chunk| {
            let share = chunk.len() as f64 / indices.len() as f64;
            let batch = Batch::new(&data.train, labels, chunk, data, device)?;
            Ok((batch, share))
        })
        .collect::<Result<_>>()?;
    let inner = device.clone().inner();
    let gradient = |model: &Network| {
        let mut loss = Tensor::zeros([1], &inner);
        let mut sum = GradientsAccumulator::new();
        for (batch, share) in &batches {
            let mut pass = Pass::training(spec.seed, steps as u64);
            let (part, gradients) = batch.gradient(model, &mut pass);
            loss = loss + part.without_autodiff().mul_scalar(*share);
            sum.accumulate(
                model,
                scale_gradients(model, gradients.into_dense(), *share),
            );
        }
        Ok((loss, sum.grads()))
    };
    let geometry = |geometry| match geometry {
        SharpnessGeometry::Euclidean => Ok(Geometry::euclidean(model)),
        SharpnessGeometry::Multipliers => setup.binding.geometry(model),
    };
    let options = Options {
        power: (asked.power_iterations > 0).then_some(PowerIteration {
            max_iterations: asked.power_iterations,
            tolerance: TOLERANCE,
            seed: spec.seed,
        }),
        trace_vectors: asked.trace_vectors,
        radius: asked.radius_at(spec.sam.rho),
        ascent_steps: ASCENT_STEPS,
        per_layer: asked.per_layer,
        seed: spec.seed,
    };
    let found = measure(
        model,
        gradient,
        &geometry(asked.hessian_geometry)?,
        &geometry(asked.ball_geometry)?,
        &options,
    )?;
    Ok(found.loss.is_finite().then(|| metrics(found)))
}

/// As few consecutive pieces of at most `most` indices as possible, whose lengths differ by at most 1: no
/// piece is so small that its batch statistics are not those of a batch.
fn evenly(indices: &[usize], most: usize) -> impl Iterator<Item = &[usize]> {
    let pieces = indices.len().div_ceil(most.max(1));
    let end = move |piece: usize| piece * indices.len() / pieces.max(1);
    (0..pieces).map(move |piece| &indices[end(piece)..end(piece + 1)])
}

fn metrics(found: Sharpness) -> SharpnessMetrics {
    let layers = found.tensors.into_iter().map(|tensor| LayerSharpness {
        name: tensor.name,
        measures: measures(&tensor.measures),
    });
    SharpnessMetrics {
        loss: found.loss,
        whole: measures(&found.whole),
        gradient_evaluations: found.gradient_evaluations,
        layers: layers.collect(),
    }
}

/// Leaves out what is not finite, for which JSON has no number.
fn measures(found: &Measures) -> SharpnessMeasures {
    let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
    let eigenvalue = found.eigenvalues.map(|found| {
        let (largest, positive) = (found.largest_magnitude, found.most_positive);
        let shifted = if largest == positive {
            0
        } else {
            positive.iterations
        };
        EigenvalueMetrics {
            value: largest.value,
            most_positive: positive.value,
            residual: largest.residual,
            iterations: largest.iterations + shifted,
            converged: largest.converged && positive.converged,
        }
    });
    let trace = found.trace.map(|found| TraceMetrics {
        value: found.value,
        stderr: found.standard_error,
    });
    let sam = found.sam.map(|found| SamSharpnessMetrics {
        radius: found.radius,
        one_step: found.one_step,
        value: found.value,
    });
    SharpnessMeasures {
        eigenvalue: eigenvalue.filter(|it| finite(&[it.value, it.most_positive, it.residual])),
        trace: trace.filter(|it| finite(&[it.value, it.stderr.unwrap_or(0.0)])),
        sam: sam.filter(|it| finite(&[it.one_step, it.value])),
    }
}

#[cfg(test)]
mod tests {
    use super::evenly;

    #[test]
    fn batches_are_even_and_hold_every_sample_once() {
        let indices: Vec<usize> = (0..65).collect();
        let pieces: Vec<&[usize]> = evenly(&indices, 64).collect();
        assert_eq!(pieces, [&indices[..32], &indices[32..]]);
        assert_eq!(evenly(&indices, 100).collect::<Vec<_>>(), [&indices[..]]);
        assert_eq!(evenly(&indices, 7).flatten().count(), 65);
    }
}
