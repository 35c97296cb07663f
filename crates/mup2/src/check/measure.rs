//! What is measured of one training: every tensor at every step, on one fixed batch.

use super::quantities::{ObservedStep, Origin};
use super::result::{Divergence, Point};
use crate::config::{RunSpec, TrainingDevice};
use crate::data::{BatchOrder, Dataset, noisy_labels};
use crate::error::{Error, Result};
use crate::model::{Network, Pass, Trace};
use crate::step::{PerturbationRecord, flat_parameters};
use crate::train::{Batch, Cancel, Setup, network_for, open_device, setup};
use burn::module::Module;
use std::collections::HashMap;

/// The measurements of one width and seed, or of several.
#[derive(Default)]
pub(super) struct Measured {
    pub points: Vec<Point>,
    pub divergences: Vec<Divergence>,
}

/// Trains `steps` steps of `spec` on one batch, the first of its order, and measures each.
///
/// # Errors
/// As [`crate::train::train`]'s and [`open_device`]'s.
pub(super) fn measure(
    spec: &RunSpec,
    data: &Dataset,
    device: TrainingDevice,
    steps: usize,
    cancel: &Cancel,
) -> Result<Measured> {
    let device = open_device(device)?.autodiff();
    let order = BatchOrder::new(spec.seed, data.train.len(), spec.train.batch_size)?;
    let labels = noisy_labels(
        &data.train.labels,
        data.classes,
        spec.data.label_noise,
        spec.seed,
    );
    let indices = order.epoch(0);
    let batch = &indices[..spec.train.batch_size];
    let batch = Batch::new(&data.train, &labels, batch, data, &device)?;
    let Setup {
        mut model,
        mut optimizer,
        mut sam,
        ..
    } = setup(spec, data, order.batches_per_epoch(), &device)?;
    let shapes = network_for(spec, data)?.tensor_shapes();
    let fans = shapes.into_iter().map(|shape| (shape.name, shape.fan));
    let fans: HashMap<String, (usize, usize)> = fans.collect();
    let initial = flat_parameters(&model);
    let mut first: Option<Trace> = None;
    let mut observed: Option<ObservedStep> = None;
    let mut points = Vec::new();
    let mut divergences = Vec::new();
    for step in 1..=steps {
        if cancel.is_cancelled() {
            return Err(Error::Interrupted);
        }
        let weights = flat_parameters(&model);
        let mut record = PerturbationRecord::default();
        let mut traces = Vec::new();
        let (lr, rho) = (spec.optimizer.lr, spec.sam.rho);
        let gradient = |model: &Network| {
            let mut pass = watched(spec);
            let gradient = batch.gradient(model, &mut pass);
            traces.push(pass.into_trace());
            gradient
        };
        let (next, report) =
            sam.step_recorded(&mut optimizer, model, lr, rho, gradient, &mut record);
        model = next;
        let (Some(before), Some(perturbed)) = (traces.first().cloned(), traces.pop()) else {
            break;
        };
        let trace = first.get_or_insert_with(|| before.clone());
        let origin = Origin {
            trace,
            weights: &initial,
            fans: &fans,
        };
        if let Some(previous) = observed.take() {
            points.extend(previous.points(&origin, &before)?);
        }
        observed = Some(ObservedStep {
            template: Point {
                width: spec.model.width,
                seed: spec.seed,
                step,
                ..Point::default()
            },
            before,
            perturbed,
            weights,
            updated: flat_parameters(&model),
            record,
        });
        if report.diverged {
            divergences.push(Divergence {
                width: spec.model.width,
                seed: spec.seed,
                step,
            });
            break;
        }
    }
    if let (Some(last), Some(trace)) = (observed, &first) {
        let origin = Origin {
            trace,
            weights: &initial,
            fans: &fans,
        };
        let mut pass = watched(spec);
        batch.forward(&model.valid(), &mut pass);
        points.extend(last.points(&origin, &pass.into_trace())?);
    }
    Ok(Measured {
        points,
        divergences,
    })
}

/// A training pass that is looked into. All of them have the masks of one step, so that a change is
/// that of the weights; what batch normalization sees is not kept, since nothing is evaluated.
fn watched(spec: &RunSpec) -> Pass {
    Pass::training(spec.seed, 0).tracing()
}
