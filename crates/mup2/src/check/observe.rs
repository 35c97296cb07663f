//! A training of a few SAM steps, seen from outside: what a check of a run and of a module share.

use super::quantities::{ObservedStep, Origin};
use super::result::{Divergence, Point};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::model::Trace;
use crate::step::{PerturbationRecord, Sam, flat_parameters};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use std::collections::HashMap;

/// A model before its first step.
pub(super) struct Training<M> {
    pub width: usize,
    pub seed: u64,
    pub model: M,
    pub optimizer: ModuleOptimizer,
    pub sam: Sam,
    pub learning_rate: f64,
    pub rho: f64,
    /// (fan_in, fan_out) of every parameter.
    pub fans: HashMap<String, (usize, usize)>,
}

/// How a model computes on the one batch of a check, and what it did with its parameters.
pub(super) trait Passes<M> {
    /// Mean loss and gradients; the trace is empty and recording.
    fn gradient(&mut self, model: &M, trace: &mut Trace) -> (Tensor<1>, GradientsParams);

    /// A forward pass alone, beside that of the first step.
    fn forward(&mut self, model: &M, first: &Trace) -> Trace;
}

/// Trains `steps` steps and gives each to `add` as soon as the pass with its updated weights is there,
/// which the next step makes anyway. Returns where the training stopped being finite, if it did.
///
/// # Errors
/// Those of `add`; [`Error::Interrupted`] when cancelled.
pub(super) fn observe<M: Module>(
    training: Training<M>,
    passes: &mut impl Passes<M>,
    steps: usize,
    cancel: &Cancel,
    mut add: impl FnMut(&ObservedStep, &Origin, &Trace) -> Result<()>,
) -> Result<Option<Divergence>> {
    let Training {
        width,
        seed,
        mut model,
        mut optimizer,
        mut sam,
        learning_rate,
        rho,
        fans,
    } = training;
    let initial = flat_parameters(&model);
    let mut first: Option<Trace> = None;
    let mut observed: Option<ObservedStep> = None;
    let mut divergence = None;
    for step in 1..=steps {
        if cancel.is_cancelled() {
            return Err(Error::Interrupted);
        }
        let weights = flat_parameters(&model);
        let mut record = PerturbationRecord::default();
        let mut traces = Vec::new();
        let watched = |model: &M| {
            let mut trace = Trace::recording();
            let computed = passes.gradient(model, &mut trace);
            traces.push(trace);
            computed
        };
        let (next, report) = sam.step_recorded(
            &mut optimizer,
            model,
            learning_rate,
            rho,
            watched,
            &mut record,
        );
        model = next;
        let (Some(before), Some(perturbed)) = (traces.first().cloned(), traces.pop()) else {
            break;
        };
        let trace = first.get_or_insert_with(|| before.clone());
        if let Some(previous) = observed.take() {
            let origin = Origin {
                trace,
                weights: &initial,
                fans: &fans,
            };
            add(&previous, &origin, &before)?;
        }
        observed = Some(ObservedStep {
            template: Point {
                width,
                seed,
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
            divergence = Some(Divergence { width, seed, step });
            break;
        }
    }
    if let (Some(last), Some(trace)) = (observed, &first) {
        let after = passes.forward(&model, trace);
        let origin = Origin {
            trace,
            weights: &initial,
            fans: &fans,
        };
        add(&last, &origin, &after)?;
    }
    Ok(divergence)
}
