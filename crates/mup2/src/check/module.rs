//! The coordinate check of any Burn module: the user trains, this measures and judges.

use super::observe::{ObservedPasses, ObservedTraining, observe};
use super::quantities::{ObservedStep, Origin};
use super::slices::spectral_size;
use super::workers::measure_all;
use super::{CheckProgress, Measured, no_radius};
use crate::error::{Error, Result};
use crate::module::ScaledModule;
use crate::scaling::Rule;
use crate::scaling::check::{CheckReport, Point};
use crate::scaling::check::{CheckSubject, Extent, judge};
use crate::scaling::workers::Cancel;
use crate::step::Sam;
use crate::trace::Trace;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

/// What is checked of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleCheckOptions {
    /// Widths, at least two distinct ones.
    pub widths: Vec<usize>,
    /// Seeds, at least one; with the widths at least three trainings.
    pub seeds: Vec<u64>,
    /// Steps of each training, at least 1.
    pub steps: usize,
    /// A slope within this distance of 0 counts as 0; the theory's exponents are multiples of ½.
    pub tolerance: f64,
    /// Worker threads, one training a thread; no result depends on it.
    pub workers: usize,
}

/// Mean loss (shape `[1]`) and gradients at the model that it is given; it may record in the trace what it
/// does with parameters.
pub type TracedGradient<M> = Box<dyn FnMut(&M, &mut Trace) -> Result<(Tensor<1>, GradientsParams)>>;

/// A module at one width and seed, ready for its first step.
pub struct ModuleTraining<M> {
    /// What made `model`, `optimizer` and `sam`.
    pub scaled: ScaledModule,
    /// The model, on a device with gradients.
    pub model: M,
    /// Its base optimizer.
    pub optimizer: ModuleOptimizer,
    /// What perturbs it, at every step.
    pub sam: Sam,
    /// η at the base width.
    pub learning_rate: f64,
    /// ρ at the base width.
    pub rho: f64,
    /// Loss and gradients on one and the same batch, with the same masks. What it records in the trace is
    /// measured by its effect on that batch, in the order of the forward pass, the same at each call;
    /// other parameters by their norms.
    pub gradient: TracedGradient<M>,
}

/// Trains a module for a few steps at every width and seed, and measures each parameter's perturbation
/// and update.
///
/// A parameter that the trace names is measured as `mup2 check` does, by RMS(ε x) and
/// RMS(ΔW x). For one that it does not name, `effect` is the spectral norm ‖ε‖_* / √(fan_out / fan_in)
/// and `update_effect` that of ΔW (METHOD section 3): SAM's perturbations and the updates of few steps
/// are aligned with the layer's input, so both have the same slope. For a vector, this is the RMS of its
/// entries; for rows that are looked up, that of all rows.
///
/// `train` makes one training; it is called from `options.workers` threads.
///
/// # Errors
/// [`Error::Invalid`] for options that cannot be fitted, a ρ of 0, a trace that names an unknown
/// parameter, and a rule of directions that are not aligned ([`Rule::Random`]) for parameters without a
/// trace; the errors of `train`; [`Error::Interrupted`] when cancelled.
pub fn check_module<M: Module>(
    options: &ModuleCheckOptions,
    train: impl Fn(usize, u64) -> Result<ModuleTraining<M>> + Sync,
    cancel: &Cancel,
    mut progress: impl FnMut(CheckProgress),
) -> Result<CheckReport> {
    let extent = Extent {
        widths: &options.widths,
        seeds: &options.seeds,
        steps: options.steps,
        tolerance: options.tolerance,
    };
    extent.validate()?;
    let seen: Mutex<BTreeMap<usize, Seen>> = Mutex::default();
    let Measured {
        points,
        divergences,
    } = measure_all(&extent, options.workers, &mut progress, |width, seed| {
        let training = train(width, seed)?;
        let mut observed = Observed::new(&training)?;
        observed.train((width, seed), training, options.steps, cancel)?;
        if let Ok(mut seen) = seen.lock() {
            seen.insert(width, observed.seen);
        }
        Ok(observed.measured)
    })?;
    let seen = seen.into_inner().unwrap_or_else(|held| held.into_inner());
    let Some((_, widest)) = seen.into_iter().next_back() else {
        return Err(Error::invalid(
            "--widths",
            "holds no width",
            "at least two widths",
        ));
    };
    let subject = CheckSubject {
        scheme: widest.scaled.scheme().name(),
        base_width: None,
        settings: settings(&widest, options),
    };
    let table = widest.scaled.table();
    Ok(judge(subject, &extent, table, points, divergences))
}

/// What the settings say of one width.
struct Seen {
    scaled: ScaledModule,
    learning_rate: f64,
    rho: f64,
    /// Parameters that the trace names.
    traced: HashSet<String>,
}

struct Observed {
    seen: Seen,
    measured: Measured,
}

impl Observed {
    fn new<M>(training: &ModuleTraining<M>) -> Result<Self> {
        if training.rho <= 0.0 {
            return Err(no_radius("ModuleTraining::rho"));
        }
        Ok(Self {
            seen: Seen {
                scaled: training.scaled.clone(),
                learning_rate: training.learning_rate,
                rho: training.rho,
                traced: HashSet::new(),
            },
            measured: Measured::default(),
        })
    }

    fn train<M: Module>(
        &mut self,
        (width, seed): (usize, u64),
        training: ModuleTraining<M>,
        steps: usize,
        cancel: &Cancel,
    ) -> Result<()> {
        let shapes = training.scaled.shapes().iter();
        let fans = shapes.map(|shape| (shape.name.clone(), shape.fan));
        let fans = fans.collect();
        let mut passes = ByGradient(training.gradient);
        let training = ObservedTraining {
            width,
            seed,
            model: training.model,
            optimizer: training.optimizer.into(),
            sam: training.sam,
            learning_rate: training.learning_rate,
            rho: training.rho,
            fans,
        };
        let add =
            |step: &ObservedStep, origin: &Origin, after: &Trace| self.add(step, origin, after);
        let divergence = observe(training, &mut passes, steps, cancel, add)?;
        self.measured.divergences.extend(divergence);
        Ok(())
    }

    fn add(&mut self, step: &ObservedStep, origin: &Origin, after: &Trace) -> Result<()> {
        let traced = step.points(origin, after)?;
        let names = traced.iter().map(|point| point.tensor.clone());
        self.seen.traced.extend(names);
        self.measured.points.extend(traced);
        let scaled = &self.seen.scaled;
        let rows = scaled.shapes().iter().zip(scaled.parameters());
        for ((shape, parameter), row) in rows.zip(&scaled.table().tensors) {
            if self.seen.traced.contains(&shape.name) {
                continue;
            }
            if scaled.scheme().rule == Rule::Random && row.effect_exponent.is_some() {
                return Err(Error::invalid(
                    format!("parameter `{}`", shape.name),
                    "is not in the trace, and a random direction is not aligned with the layer's input, so that its norm says nothing of its effect",
                    "a closure that records each perturbed parameter under the rule `random`",
                ));
            }
            let size = |change: Tensor<1>| {
                let data = change.into_data().convert::<f32>();
                let Ok(values) = data.as_slice::<f32>() else {
                    return f64::NAN;
                };
                let target = (shape.fan.1 as f64 / shape.fan.0 as f64).sqrt();
                let spectral = spectral_size(values, &shape.shape, &parameter.layout);
                row.weight_mult.abs() * spectral / target
            };
            let mut point = Point {
                tensor: shape.name.clone(),
                ..step.template.clone()
            };
            if let Some(record) = step.record.get(&shape.name) {
                point.gradient_norm = record.gradient_norm;
                point.norm_share = record.contribution / step.record.squared_norm();
                if let Some(epsilon) = &record.epsilon {
                    point.spectral = size(epsilon.clone());
                    point.effect = point.spectral;
                }
            }
            let weights = (
                step.updated.get(&shape.name),
                origin.weights.get(&shape.name),
            );
            if let (Some(updated), Some(initial)) = weights {
                point.update_spectral = size(updated.clone() - initial.clone());
                point.update_effect = point.update_spectral;
            }
            self.measured.points.push(point);
        }
        Ok(())
    }
}

/// All that is known of a module: its loss and gradients.
struct ByGradient<M>(TracedGradient<M>);

impl<M> ObservedPasses<M> for ByGradient<M> {
    fn gradient(&mut self, model: &M, trace: &mut Trace) -> Result<(Tensor<1>, GradientsParams)> {
        (self.0)(model, trace)
    }

    fn forward(&mut self, model: &M, first: &Trace) -> Result<Trace> {
        let mut trace = Trace::recording();
        if !first.sites().is_empty() {
            // Its gradients are not used: only the closure knows the forward pass.
            self.gradient(model, &mut trace)?;
        }
        Ok(trace)
    }
}

fn settings(widest: &Seen, options: &ModuleCheckOptions) -> Vec<(String, String)> {
    let scheme = widest.scaled.scheme();
    let all = widest.scaled.shapes().len();
    let traced = widest.traced.len();
    let list = |values: Vec<String>| values.join(", ");
    let rows = [
        ("Model", format!("a Burn module with {all} parameters")),
        (
            "Measured",
            format!(
                "{traced} parameters by their effect on a batch, {} by spectral norms",
                all - traced
            ),
        ),
        ("Parameterization", scheme.parameterization.to_string()),
        (
            "Perturbation",
            format!(
                "{}, {} denominator",
                scheme.perturbation,
                scheme.denominator()
            ),
        ),
        ("Rule", scheme.rule.to_string()),
        ("Optimizer", scheme.optimizer.to_string()),
        (
            "η, ρ at the base width",
            format!("{}, {}", widest.learning_rate, widest.rho),
        ),
        (
            "Widths",
            list(options.widths.iter().map(ToString::to_string).collect()),
        ),
        (
            "Seeds",
            list(options.seeds.iter().map(ToString::to_string).collect()),
        ),
        ("Steps", options.steps.to_string()),
    ];
    let rows = rows.into_iter();
    rows.map(|(name, value)| (name.to_owned(), value)).collect()
}
