//! The sharpness-aware step: climb to `W + ε`, take the gradient there, apply it at `W`.

use super::ascent::Place;
use super::blocks::numbers;
use super::clip::{clip_blocks, scale_gradients};
use super::parameters::bind;
use super::preconditioner::Preconditioner;
use super::record::{PerturbationRecord, StepReport};
use super::sam_config::SamConfig;
use crate::error::{Error, Result};
use crate::low_rank::LowRank;
use crate::scaling::{Rule, ScalingTable};
use burn::module::{Module, ParamId};
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// How the rule treats one parameter.
#[derive(Debug, Clone)]
pub(super) struct TensorPerturbation {
    pub name: String,
    pub rho_mult: f64,
    pub norm_mult: f64,
    pub preconditioner: Preconditioner,
}

/// Sharpness-aware minimization with layerwise multipliers, bound to the parameters of one model.
///
/// During a step there exist at most: the weights, the perturbed weights, one set of gradients
/// and the optimizer's state. The perturbed weights take over the memory of the first gradients; where
/// `low_rank` spares them there are none of both.
#[derive(Debug, Clone)]
pub struct Sam {
    config: SamConfig,
    tensors: HashMap<ParamId, TensorPerturbation>,
    /// Matrices whose perturbation is a multiple of their gradient.
    multiples: Arc<HashSet<ParamId>>,
    /// The model has numbers that are not trained, running statistics perhaps.
    has_untrained: bool,
    /// Its optimizer takes gradients in factors, [`Sam::descends_by_factors`].
    by_factors: bool,
    /// Of [`Rule::Random`]'s directions, one for each trial of a stack.
    seeds: Vec<u64>,
    steps: u64,
}

impl Sam {
    /// Binds the multipliers of `table` to the parameters of `model` by their paths.
    ///
    /// # Errors
    /// When a parameter has no row in the table or another shape.
    pub fn new<M: Module>(config: SamConfig, model: &M, table: &ScalingTable) -> Result<Self> {
        let seeds = [config.seed];
        Self::of_stack(config, model, table, &seeds)
    }

    /// As [`Sam::new`], for a stack of trials with these seeds, whose parameters are blocks, one a trial, along
    /// their first dimension.
    pub(crate) fn of_stack<M: Module>(
        config: SamConfig,
        model: &M,
        table: &ScalingTable,
        seeds: &[u64],
    ) -> Result<Self> {
        let bound = bind(model, table, seeds.len())?;
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
        let tensors: HashMap<ParamId, TensorPerturbation> = tensors.collect();
        let is_multiple = |tensor: &TensorPerturbation| {
            tensor.preconditioner == Preconditioner::Identity && config.rule != Rule::Random
        };
        let multiples = tensors.iter().filter(|(_, tensor)| is_multiple(tensor));
        Ok(Self {
            multiples: Arc::new(multiples.map(|(id, _)| *id).collect()),
            tensors,
            has_untrained,
            by_factors: false,
            config,
            seeds: seeds.to_vec(),
            steps: 0,
        })
    }

    /// For an optimizer by [`super::build_optimizer`] for [`super::Sgd`], and closures that do what their [`LowRank`] says:
    /// with the same bits, gradients of matrices are then never whole where that is faster.
    #[must_use]
    pub(crate) fn descends_by_factors(self, by_factors: bool) -> Self {
        // The norm that clipping wants is that of whole gradients.
        let by_factors = by_factors && self.config.clip_norm.is_none() && self.trials() == 1;
        Self { by_factors, ..self }
    }

    /// Number of trials, one unless it is of a stack.
    pub(super) fn trials(&self) -> usize {
        self.seeds.len()
    }

    pub(super) fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    pub(super) fn rule(&self) -> Rule {
        self.config.rule
    }

    /// How a parameter is perturbed.
    pub(super) fn tensor(&self, id: ParamId) -> Option<&TensorPerturbation> {
        self.tensors.get(&id)
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
    ///
    /// # Errors
    /// Those of `gradient`; when `learning_rate` or `rho` is negative or not finite, or the loss is no single number.
    /// The model is gone then: who wants to keep it takes [`Sam::gradients`] and [`Sam::update`].
    pub fn step<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        rho: f64,
        gradient: impl FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
    ) -> Result<(M, StepReport)> {
        self.step_with(optimizer, model, learning_rate, rho, gradient, None)
    }

    /// As [`Sam::step`] within rounding, for a `gradient` that does what its [`LowRank`] says: in a pass that observes,
    /// it may leave out the gradients of matrices, and in one that perturbs it adds their perturbations.
    pub(crate) fn step_low_rank<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        rho: f64,
        gradient: impl FnMut(&M, &mut LowRank) -> Result<(Tensor<1>, GradientsParams)>,
    ) -> Result<(M, StepReport)> {
        let (model, reports) =
            self.step_stack(optimizer, model, learning_rate, &[rho], gradient)?;
        Ok((model, only(&reports)))
    }

    /// As [`Sam::step`], bit for bit, keeping in `record` what the perturbation was made of.
    pub fn step_recorded<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        rho: f64,
        gradient: impl FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
        record: &mut PerturbationRecord,
    ) -> Result<(M, StepReport)> {
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
        mut gradient: impl FnMut(&M, usize) -> Result<(Tensor<1>, GradientsParams)>,
    ) -> Result<(M, StepReport)> {
        if parts <= 1 {
            let whole = |model: &M| gradient(model, 0);
            return self.step(optimizer, model, learning_rate, rho, whole);
        }
        let (sum, report) = self.gradients_in_parts(&model, rho, 0..parts, parts, gradient)?;
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
        mut gradient: impl FnMut(&M, usize) -> Result<(Tensor<1>, GradientsParams)>,
    ) -> Result<(GradientsParams, StepReport)> {
        let mut sum = GradientsAccumulator::new();
        let mut total = StepReport::default();
        for part in parts {
            let place = Place { ascent: 0, part };
            let of_part = |model: &M, _: &mut LowRank| gradient(model, part);
            let (gradients, reports) = self.descent(model, &[rho], place, of_part, None)?;
            let report = only(&reports);
            total.loss += report.loss / of as f64;
            total.perturbation_norm = report.perturbation_norm;
            total.diverged |= report.diverged;
            sum.accumulate(model, gradients);
        }
        Ok((sum.grads(), total))
    }

    fn step_with<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        rho: f64,
        mut gradient: impl FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
        record: Option<&mut PerturbationRecord>,
    ) -> Result<(M, StepReport)> {
        refuse_unusable("learning rate", learning_rate)?;
        let gradient = |model: &M, _: &mut LowRank| gradient(model);
        let (gradients, reports) =
            self.descent(&model, &[rho], Place::default(), gradient, record)?;
        self.update(optimizer, model, learning_rate, gradients, only(&reports))
    }

    /// One step of a stack, as [`Sam::step_low_rank`] for each of its trials: `rho` has a radius for each, `gradient`
    /// returns their losses (shape `[trials]`) and the gradients of the sum.
    ///
    /// A trial that diverges spoils its own weights and no other's.
    pub(crate) fn step_stack<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        rho: &[f64],
        gradient: impl FnMut(&M, &mut LowRank) -> Result<(Tensor<1>, GradientsParams)>,
    ) -> Result<(M, Vec<StepReport>)> {
        let (gradients, reports) = self.descent(&model, rho, Place::default(), gradient, None)?;
        let model = self.update_all(optimizer, model, learning_rate, gradients, &reports)?;
        Ok((model, reports))
    }

    /// The gradients at the perturbed weights; those at the weights where nothing is perturbed.
    fn descent<M: Module>(
        &self,
        model: &M,
        rho: &[f64],
        place: Place,
        mut gradient: impl FnMut(&M, &mut LowRank) -> Result<(Tensor<1>, GradientsParams)>,
        mut record: Option<&mut PerturbationRecord>,
    ) -> Result<(GradientsParams, Vec<StepReport>)> {
        for rho in rho {
            refuse_unusable("rho", *rho)?;
        }
        let perturbs =
            rho.iter().any(|rho| *rho > 0.0) && self.steps.is_multiple_of(self.config.every as u64);
        // Later ascents start from perturbed weights, a record wants ε itself, and a product of a stack is of all trials.
        let whole = self.config.ascent_steps > 1 || record.is_some() || self.trials() > 1;
        let by_factors = self.by_factors && record.is_none();
        let mut low_rank = match perturbs && !whole {
            true => LowRank::observing(&self.multiples),
            false => LowRank::off().ending_in_factors(by_factors && !perturbs),
        };
        let (losses, mut gradients) = gradient(model, &mut low_rank)?;
        let mut reports: Vec<StepReport> = self
            .losses(losses)?
            .into_iter()
            .map(|loss| StepReport {
                loss,
                perturbation_norm: 0.0,
                diverged: !loss.is_finite(),
            })
            .collect();
        if perturbs && !reports.iter().all(|report| report.diverged) {
            let mut perturbed = self.copy_to_perturb(model);
            let parts = self.config.ascent_steps as f64;
            let radii: Vec<f64> = rho.iter().map(|rho| rho / parts).collect();
            for ascent in 0..self.config.ascent_steps {
                let place = Place { ascent, ..place };
                let directions = (gradients, std::mem::take(&mut low_rank));
                let (next, next_low_rank, norms) =
                    self.ascend(perturbed, directions, &radii, place, record.as_deref_mut());
                let is_last = ascent + 1 == self.config.ascent_steps;
                low_rank = next_low_rank.ending_in_factors(by_factors && is_last);
                perturbed = next;
                let (losses, next_gradients) = gradient(&perturbed, &mut low_rank)?;
                gradients = next_gradients;
                let seen = norms.into_iter().zip(self.losses(losses)?);
                for ((report, rho), (norm, loss)) in reports.iter_mut().zip(rho).zip(seen) {
                    if *rho > 0.0 {
                        report.perturbation_norm = norm;
                        report.diverged |= !norm.is_finite() || !loss.is_finite();
                    }
                }
            }
        }
        Ok((gradients, reports))
    }

    /// The losses of the trials.
    ///
    /// # Errors
    /// When there is not one for each.
    fn losses(&self, losses: Tensor<1>) -> Result<Vec<f64>> {
        let [count] = losses.dims();
        if count == self.trials() {
            return Ok(numbers(losses));
        }
        let problem = format!("has shape [{count}]");
        let allowed = format!("[{}]: a mean over the batch", self.trials());
        Err(Error::invalid("loss", problem, allowed))
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
        mut gradient: impl FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
    ) -> Result<(GradientsParams, StepReport)> {
        let gradient = |model: &M, _: &mut LowRank| gradient(model);
        let (gradients, reports) = self.descent(model, &[rho], Place::default(), gradient, None)?;
        Ok((gradients, only(&reports)))
    }

    /// The second half of a step: clips `gradients` if asked and hands them to the base optimizer, unless
    /// `report` says that the step diverged.
    pub fn update<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        gradients: GradientsParams,
        report: StepReport,
    ) -> Result<(M, StepReport)> {
        let model = self.update_all(optimizer, model, learning_rate, gradients, &[report])?;
        Ok((model, report))
    }

    /// As [`Sam::update`], for all trials; it leaves the model as it is when all of them diverged.
    fn update_all<M: Module>(
        &mut self,
        optimizer: &mut ModuleOptimizer,
        model: M,
        learning_rate: f64,
        mut gradients: GradientsParams,
        reports: &[StepReport],
    ) -> Result<M> {
        refuse_unusable("learning rate", learning_rate)?;
        self.steps += 1;
        if reports.iter().all(|report| report.diverged) {
            return Ok(model);
        }
        if let Some(max_norm) = self.config.clip_norm {
            gradients = clip_blocks(&model, gradients, max_norm, self.trials());
        }
        Ok(optimizer.step(learning_rate, model, gradients))
    }
}

/// Refuses what is no learning rate and no radius.
fn refuse_unusable(place: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    let problem = format!("is {value}");
    Err(Error::invalid(place, problem, "finite numbers from 0"))
}

/// The report of a step that was of one trial.
fn only(reports: &[StepReport]) -> StepReport {
    reports.first().copied().unwrap_or_default()
}
