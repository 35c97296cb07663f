//! What is measured of one training: every tensor at every step, on one fixed batch.

use super::observe::{Passes, Training, observe};
use super::result::{Divergence, Point};
use crate::cancel::Cancel;
use crate::config::{RunSpec, TrainingDevice};
use crate::data::{BatchOrder, Dataset, noisy_labels};
use crate::error::Result;
use crate::model::{Network, Pass, Trace};
use crate::train::{Batch, Setup, network_for, open_device, setup};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

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
        model,
        optimizer,
        sam,
        ..
    } = setup(spec, data, order.batches_per_epoch(), &device)?;
    let shapes = network_for(spec, data)?.tensor_shapes();
    let training = Training {
        width: spec.model.width,
        seed: spec.seed,
        model,
        optimizer,
        sam,
        learning_rate: spec.optimizer.lr,
        rho: spec.sam.rho,
        fans: shapes
            .into_iter()
            .map(|shape| (shape.name, shape.fan))
            .collect(),
    };
    let mut points = Vec::new();
    let mut passes = OnBatch { spec, batch };
    let divergence = observe(
        training,
        &mut passes,
        steps,
        cancel,
        |step, origin, after| {
            points.extend(step.points(origin, after)?);
            Ok(())
        },
    )?;
    Ok(Measured {
        points,
        divergences: divergence.into_iter().collect(),
    })
}

/// The passes of a run over one batch.
struct OnBatch<'a> {
    spec: &'a RunSpec,
    batch: Batch,
}

impl Passes<Network> for OnBatch<'_> {
    fn gradient(&mut self, model: &Network, trace: &mut Trace) -> (Tensor<1>, GradientsParams) {
        let mut pass = watched(self.spec);
        let gradient = self.batch.gradient(model, &mut pass);
        *trace = pass.into_trace();
        gradient
    }

    fn forward(&mut self, model: &Network, _: &Trace) -> Trace {
        let mut pass = watched(self.spec);
        self.batch.forward(&model.valid(), &mut pass);
        pass.into_trace()
    }
}

/// A training pass that is looked into. All of them have the masks of one step, so that a change is
/// that of the weights; what batch normalization sees is not kept, since nothing is evaluated.
fn watched(spec: &RunSpec) -> Pass {
    Pass::training(spec.seed, 0).tracing()
}
