//! A training of a few SAM steps, seen from outside: what a check of a run and of a module share.

use super::quantities::{ObservedStep, Origin};
use crate::error::{Error, Result};
use crate::scaling::check::{Divergence, Point};
use crate::scaling::workers::Cancel;
use crate::step::{PerturbationRecord, Recorded, Sam, ScaledOptimizer, flat_parameters};
use crate::trace::Trace;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use std::collections::HashMap;

/// A model before its first step.
pub struct ObservedTraining<M> {
    /// Its width.
    pub width: usize,
    /// Its seed.
    pub seed: u64,
    /// The model.
    pub model: M,
    /// Its base optimizer.
    pub optimizer: ScaledOptimizer,
    /// What perturbs it, at every step.
    pub sam: Sam,
    /// η at the base width.
    pub learning_rate: f64,
    /// ρ at the base width.
    pub rho: f64,
    /// (fan_in, fan_out) of every parameter.
    pub fans: HashMap<String, (usize, usize)>,
}

/// How a model computes on the one batch of a check, and what it did with its parameters.
pub trait ObservedPasses<M> {
    /// Mean loss and gradients; the trace is empty and recording.
    ///
    /// # Errors
    /// What the user's closure fails with.
    fn gradient(&mut self, model: &M, trace: &mut Trace) -> Result<(Tensor<1>, GradientsParams)>;

    /// A forward pass alone, beside that of the first step.
    ///
    /// # Errors
    /// As those of `gradient`.
    fn forward(&mut self, model: &M, first: &Trace) -> Result<Trace>;
}

/// Trains `steps` steps and gives each to `add` as soon as the pass with its updated weights is there,
/// which the next step makes anyway. Returns where the training stopped being finite, if it did.
///
/// # Errors
/// Those of `add`; [`Error::Interrupted`] when cancelled.
pub fn observe<M: Module>(
    training: ObservedTraining<M>,
    passes: &mut impl ObservedPasses<M>,
    steps: usize,
    cancel: &Cancel,
    mut add: impl FnMut(&ObservedStep, &Origin, &Trace) -> Result<()>,
) -> Result<Option<Divergence>> {
    let ObservedTraining {
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
        let passes = &mut Recorded::new(&mut record, watched);
        let (next, report) = sam.step_by(passes, &mut optimizer, model, learning_rate, rho)?;
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
        let after = passes.forward(&model, trace)?;
        let origin = Origin {
            trace,
            weights: &initial,
            fans: &fans,
        };
        add(&last, &origin, &after)?;
    }
    Ok(divergence)
}
