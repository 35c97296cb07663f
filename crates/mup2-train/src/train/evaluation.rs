//! What a training measures of itself on its way.

use super::evaluate::{correct, evaluation_batches, recalibrate, share_of};
use super::setup::Setup;
use super::share::Share;
use super::sharpness::sharpness_after;
use crate::config::RunSpec;
use crate::data::{BatchOrder, Dataset};
use crate::error::Result;
use crate::model::Network;
use burn::module::Module;
use burn::tensor::Device;
use mup2_sweep::results::EpochMetrics;

/// What an evaluation of one run needs to know.
pub(super) struct Evaluation<'a> {
    pub spec: &'a RunSpec,
    pub data: &'a Dataset,
    pub order: &'a BatchOrder,
    pub share: &'a Share<'a>,
    /// The training labels, with their noise.
    pub labels: &'a [u16],
    /// The training's device, with gradients.
    pub device: &'a Device,
}

/// An evaluation, and the model that it is of: the weights or their average.
pub(super) struct Evaluated {
    pub metrics: EpochMetrics,
    pub model: Network,
}

impl Evaluation<'_> {
    /// At the end of an epoch, when `steps` of the run are done.
    ///
    /// # Errors
    /// When an image cannot be read or decoded, or a process is gone.
    pub fn after(
        &self,
        epoch: usize,
        steps: usize,
        train_loss: f64,
        setup: &Setup,
    ) -> Result<Evaluated> {
        let mut evaluated = self.of(epoch, train_loss, setup)?;
        let (spec, data) = (self.spec, self.data);
        // One process measures, the others wait.
        evaluated.metrics.sharpness = self.share.made_by_first(|| {
            sharpness_after(epoch, spec, data, self.labels, setup, steps, self.device)
        })?;
        Ok(evaluated)
    }

    /// Within an epoch, after `step` steps of the run.
    ///
    /// # Errors
    /// As [`Evaluation::after`]'s.
    pub fn within(
        &self,
        epoch: usize,
        step: usize,
        train_loss: f64,
        setup: &Setup,
    ) -> Result<Evaluated> {
        let mut evaluated = self.of(epoch, train_loss, setup)?;
        evaluated.metrics.step = Some(step);
        Ok(evaluated)
    }

    fn of(&self, epoch: usize, train_loss: f64, setup: &Setup) -> Result<Evaluated> {
        let model = self.model(setup)?;
        let device = self.device.clone().inner();
        let normalization = &self.data.normalization;
        let on = |images| {
            let batches = self.share.range(evaluation_batches(images));
            let found = correct(&model, images, batches, normalization, &device)?;
            Ok(share_of(self.share.total(found)?, images))
        };
        let metrics = EpochMetrics {
            epoch,
            step: None,
            train_loss,
            validation_accuracy: on(&self.data.validation)?,
            test_accuracy: on(&self.data.test)?.unwrap_or(0.0),
            sharpness: None,
        };
        Ok(Evaluated { metrics, model })
    }

    /// The weights or their average, with the statistics of batch normalization that the spec asks for.
    fn model(&self, setup: &Setup) -> Result<Network> {
        let mut model = match &setup.average {
            Some(average) => average.model.clone(),
            None => setup.model.valid(),
        };
        let batches = self.spec.train.recalibrate_batches;
        if batches > 0 {
            let device = self.device.clone().inner();
            recalibrate(&mut model, self.data, self.order, batches, &device)?;
        }
        Ok(model)
    }
}
