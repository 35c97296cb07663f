//! The sharpness-aware step: climb to `W + ε`, take the gradient there, apply it at `W`.

use super::clip::{clip_gradients, scale_gradients};
use super::parameters::bind;
use super::preconditioner::Preconditioner;
use super::record::{PerturbationRecord, StepReport};
use super::sam_config::SamConfig;
use crate::error::Result;
use crate::fused::{add_scaled, squared_norm};
use crate::random;
use crate::scaling::{Rule, ScalingTable};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};
use std::collections::HashMap;
use std::ops::Range;

/// How the rule treats one parameter.
#[derive(Debug, Clone)]
struct TensorPerturbation {
    name: String,
    rho_mult: f64,
    norm_mult: f64,
    preconditioner: Preconditioner,
}

/// Sharpness-aware minimization with layerwise multipliers, bound to the parameters of one model.
///
/// During a step there exist at most: the weights, the perturbed weights, one set of gradients
/// and the optimizer's state. The perturbed weights take over the memory of the first gradients.
#[derive(Debug, Clone)]
pub struct Sam {
    config: SamConfig,
    tensors: HashMap<ParamId, TensorPerturbation>,
    /// The model has numbers that are not trained, running statistics perhaps.
    has_untrained: bool,
    steps: u64,
}

impl Sam {
    /// Binds the multipliers of `table` to the parameters of `model` by their paths.
    ///
    /// # Errors
    /// When a parameter has no row in the table or another shape.
    pub fn new<M: Module>(config: SamConfig, model: &M, table: &ScalingTable) -> Result<Self> {
        let bound = bind(model, table)?;
        let has_untrained = bound.iter().any(|(_, row)| row.is_none());
        let rows = bound
            .into_iter()
            .filter_map(|(parameter, row)| Some((parameter, row?)));
        let tensors = rows.map(|(parameter, row)| {
            let perturbation = TensorPerturbation {
                rho_mult: row.rho_mult,
                norm_mult: row.norm_mult,
                preconditioner: Preconditioner::of(config.rule, row, &config.asam),
                name: parameter.name,
            };
            (parameter.id, perturbation)
        });
        Ok(Self {
            tensors: tensors.collect(),
            has_untrained,
            config,
            steps: 0,
        })
    }

    /// Steps so far: the place in the random streams and in `every`.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Goes on as after `steps` steps.
    pub fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// One step: returns the updated model.
    ///
    /// `gradient` returns the mean loss (shape `[1]`) and its gradients at the model it is given;
    /// it is called once for the base optimizer alone (ρ = 0, or a step that `every` skips) and
    /// `ascent_steps` + 1 times otherwise. `learning_rate` and `rho` are those of the base width.
    ///
    /// A zero gradient has no direction: such a step takes no perturbation. A loss or norm that
    /// is not finite ends the step: the model comes back unchanged and the report says
    /// `diverged`.
    pub fn step<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        rho: f64,
        gradient: impl FnMut(&M) -> (Tensor<1>, GradientsParams),
    ) -> (M, StepReport) {
        self.step_with(optimizer, model, learning_rate, rho, gradient, None)
    }

    /// As [`Sam::step`], bit for bit, keeping in `record` what the perturbation was made of.
    pub fn step_recorded<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        rho: f64,
        gradient: impl FnMut(&M) -> (Tensor<1>, GradientsParams),
        record: &mut PerturbationRecord,
    ) -> (M, StepReport) {
        self.step_with(optimizer, model, learning_rate, rho, gradient, Some(record))
    }

    /// One step whose batch is computed in `parts`, each with a perturbation of its own (m-sharpness,
    /// Foret et al. 2021): returns the updated model.
    ///
    /// `gradient` is also told which part of the batch it is to use; the update takes the mean of
    /// the parts' gradients at their perturbed weights. The report has the mean loss and the last
    /// part's norm. To perturb by the gradient of the whole batch, let a closure for [`Sam::step`]
    /// sum over the parts. With one part this is [`Sam::step`], bit for bit.
    pub fn step_in_parts<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        rho: f64,
        parts: usize,
        mut gradient: impl FnMut(&M, usize) -> (Tensor<1>, GradientsParams),
    ) -> (M, StepReport) {
        if parts <= 1 {
            let whole = |model: &M| gradient(model, 0);
            return self.step(optimizer, model, learning_rate, rho, whole);
        }
        let (sum, report) = self.gradients_in_parts(&model, rho, 0..parts, parts, gradient);
        let mean = scale_gradients(&model, sum, 1.0 / parts as f64);
        self.update(optimizer, model, learning_rate, mean, report)
    }

    /// The first half of [`Sam::step_in_parts`], for those `parts` of a batch of `of` that one of several
    /// processes computes; the model stays as it is.
    ///
    /// Returns the sum of the parts' gradients, each at its own perturbed weights, and a report with the
    /// sum of the losses over `of`. Summed over all processes, the gradients over `of` and the report
    /// are what [`Sam::update`] takes.
    pub fn gradients_in_parts<M: Module>(
        &self,
        model: &M,
        rho: f64,
        parts: Range<usize>,
        of: usize,
        mut gradient: impl FnMut(&M, usize) -> (Tensor<1>, GradientsParams),
    ) -> (GradientsParams, StepReport) {
        let mut sum = GradientsAccumulator::new();
        let mut total = StepReport {
            loss: 0.0,
            perturbation_norm: 0.0,
            diverged: false,
        };
        for part in parts {
            let place = Place { ascent: 0, part };
            let of_part = |model: &M| gradient(model, part);
            let (gradients, report) = self.descent(model, rho, place, of_part, None);
            total.loss += report.loss / of as f64;
            total.perturbation_norm = report.perturbation_norm;
            total.diverged |= report.diverged;
            sum.accumulate(model, gradients);
        }
        (sum.grads(), total)
    }

    fn step_with<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        rho: f64,
        gradient: impl FnMut(&M) -> (Tensor<1>, GradientsParams),
        record: Option<&mut PerturbationRecord>,
    ) -> (M, StepReport) {
        let (gradients, report) = self.descent(&model, rho, Place::default(), gradient, record);
        self.update(optimizer, model, learning_rate, gradients, report)
    }

    /// The gradients at the perturbed weights; those at the weights where nothing is perturbed.
    fn descent<M: Module>(
        &self,
        model: &M,
        rho: f64,
        place: Place,
        mut gradient: impl FnMut(&M) -> (Tensor<1>, GradientsParams),
        mut record: Option<&mut PerturbationRecord>,
    ) -> (GradientsParams, StepReport) {
        let (loss, mut gradients) = gradient(model);
        let mut report = StepReport {
            loss: loss.into_scalar::<f64>(),
            perturbation_norm: 0.0,
            diverged: false,
        };
        report.diverged = !report.loss.is_finite();
        let perturbs = rho > 0.0 && self.steps.is_multiple_of(self.config.every as u64);
        if perturbs && !report.diverged {
            let mut perturbed = self.copy_to_perturb(model);
            for ascent in 0..self.config.ascent_steps {
                let radius = rho / self.config.ascent_steps as f64;
                let place = Place { ascent, ..place };
                let (next, norm) =
                    self.ascend(perturbed, gradients, radius, place, record.as_deref_mut());
                perturbed = next;
                report.perturbation_norm = norm;
                let (loss, next_gradients) = gradient(&perturbed);
                gradients = next_gradients;
                report.diverged |= !norm.is_finite() || !loss.into_scalar::<f64>().is_finite();
            }
        }
        (gradients, report)
    }

    /// Running statistics of Burn's layers are shared between the clones of a module; a copy by way of
    /// the validation module has its own, which the passes at perturbed weights may move.
    fn copy_to_perturb<M: Module>(&self, model: &M) -> M {
        match self.has_untrained {
            true => model.valid().train(),
            false => model.clone(),
        }
    }

    /// The gradients that [`Sam::step`] gives to the base optimizer, for training loops that apply
    /// gradients by themselves, as Burn's `Learner` does with what `TrainStep::step` returns.
    ///
    /// Counts no step: with [`SamConfig::every`] above 1 or [`Rule::Random`], say the step by
    /// [`Sam::set_steps`]. Clipping is left out: it belongs to who applies them.
    pub fn gradients<M: Module>(
        &self,
        model: &M,
        rho: f64,
        gradient: impl FnMut(&M) -> (Tensor<1>, GradientsParams),
    ) -> (GradientsParams, StepReport) {
        self.descent(model, rho, Place::default(), gradient, None)
    }

    /// The second half of a step: clips `gradients` if asked and hands them to the base optimizer, unless
    /// `report` says that the step diverged.
    pub fn update<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        mut gradients: GradientsParams,
        report: StepReport,
    ) -> (M, StepReport) {
        self.steps += 1;
        if report.diverged {
            return (model, report);
        }
        if let Some(max_norm) = self.config.clip_norm {
            gradients = clip_gradients(&model, gradients, max_norm);
        }
        (optimizer.step(learning_rate, model, gradients), report)
    }

    /// Moves `model` by ε and returns it with the denominator's norm.
    ///
    /// The preconditioner is taken at `model`, which on later ascent steps is already perturbed.
    /// With a zero or non-finite norm the model is returned as it came.
    pub fn perturb<M: Module>(&self, model: M, gradients: GradientsParams, rho: f64) -> (M, f64) {
        self.ascend(model, gradients, rho, Place::default(), None)
    }

    fn ascend<M: Module>(
        &self,
        model: M,
        gradients: GradientsParams,
        rho: f64,
        place: Place,
        mut record: Option<&mut PerturbationRecord>,
    ) -> (M, f64) {
        let mut direction = Direction {
            sam: self,
            gradients,
            place,
            squared_norm: 0.0,
            record: record.as_deref_mut(),
        };
        model.visit(&mut direction);
        let norm = direction.squared_norm.sqrt();
        if norm == 0.0 || !norm.is_finite() {
            return (model, norm);
        }
        let mut ascent = Ascent {
            sam: self,
            directions: direction.gradients,
            scale: rho / norm,
            record,
        };
        (model.map(&mut ascent), norm)
    }
}

/// Which perturbation of a step.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    ascent: usize,
    part: usize,
}

/// Turns each gradient ∇ into T∇ and sums the denominator.
struct Direction<'a> {
    sam: &'a Sam,
    gradients: GradientsParams,
    place: Place,
    squared_norm: f64,
    record: Option<&'a mut PerturbationRecord>,
}

impl Direction<'_> {
    /// A Gaussian direction in place of the gradient, equal on every device.
    fn gaussian<const D: usize>(&self, gradient: Tensor<D>, name: &str) -> Tensor<D> {
        let Place { ascent, part } = self.place;
        let step = self.sam.steps;
        let purpose = match part {
            0 => format!("perturbation/{step}/{ascent}/{name}"),
            part => format!("perturbation/{step}/{ascent}/part-{part}/{name}"),
        };
        let mut stream = random::stream(self.sam.config.seed, &purpose);
        let shape = gradient.shape();
        let values: Vec<f64> = (0..shape.num_elements())
            .map(|_| StandardNormal.sample(&mut stream))
            .collect();
        let data = TensorData::new(values, shape).convert_dtype(gradient.dtype());
        Tensor::from_data(data, (&gradient.device(), gradient.dtype()))
    }
}

impl ModuleVisitor for Direction<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(tensor) = self.sam.tensors.get(&param.id) else {
            return;
        };
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return;
        };
        if tensor.rho_mult == 0.0 && tensor.norm_mult == 0.0 {
            return;
        }
        if let Some(record) = &mut self.record {
            let norm = squared_norm(gradient.clone()).sqrt();
            record.of(&tensor.name).gradient_norm = norm;
        }
        let direction = match self.sam.config.rule {
            Rule::Random => self.gaussian(gradient, &tensor.name),
            _ => tensor
                .preconditioner
                .apply(gradient, &param.val().without_autodiff()),
        };
        let contribution = squared_norm(direction.clone()) * tensor.norm_mult.powi(2);
        self.squared_norm += contribution;
        if let Some(record) = &mut self.record {
            record.of(&tensor.name).contribution = contribution;
        }
        self.gradients.register(param.id, direction);
    }
}

/// Adds ρ r^(-d-d_l) T (T∇) / norm to each parameter.
struct Ascent<'a> {
    sam: &'a Sam,
    directions: GradientsParams,
    scale: f64,
    record: Option<&'a mut PerturbationRecord>,
}

impl ModuleMapper for Ascent<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(tensor) = self.sam.tensors.get(&param.id) else {
            return param;
        };
        let Some(direction) = self.directions.remove::<D>(param.id) else {
            return param;
        };
        let factor = self.scale * tensor.rho_mult;
        let record = self.record.as_deref_mut();
        param.map(|weight| {
            let tracked = weight.is_require_grad();
            let weight = weight.without_autodiff();
            let epsilon = tensor.preconditioner.apply(direction, &weight);
            if let Some(record) = record {
                record.add(&tensor.name, &epsilon.clone().mul_scalar(factor));
            }
            let moved = add_scaled(weight, epsilon, factor).autodiff();
            moved.set_require_grad(tracked)
        })
    }
}
