//! The sharpness-aware step: climb to `W + ε`, take the gradient there, apply it at `W`.

use super::blocks::losses;
use super::clip::clip_gradients;
use super::optimizer::StepOptimizer;
use super::passes::{ByClosure, Passes};
use super::perturbation::{Draw, Perturbation};
use super::perturbed_tensors::{PerturbedTensors, usable};
use super::record::StepReport;
use super::sam_config::SamConfig;
use crate::error::Result;
use crate::ghost_norm::{ModelGradients, Purpose};
use crate::scaling::ScalingTable;
use burn::module::{Module, ParamId};
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Tensor;
use std::collections::HashSet;
use std::sync::Arc;

/// Sharpness-aware minimization with layerwise multipliers, bound to the parameters of one model.
///
/// A step takes a gradient at the weights W, makes a perturbation ε of it, takes the gradient at
/// `W + ε`, and gives that to the base optimizer at W. Meanwhile there exist at most: the weights,
/// the perturbed weights, one set of gradients and the optimizer's state. The perturbed weights
/// take over the memory of the first gradients.
#[derive(Debug, Clone)]
pub struct Sam {
    config: SamConfig,
    tensors: PerturbedTensors,
    steps: u64,
}

impl Sam {
    /// Binds the multipliers of `table` to the parameters of `model` by their paths.
    ///
    /// # Errors
    /// When a parameter has no row in the table or another shape.
    pub fn new<M: Module>(config: SamConfig, model: &M, table: &ScalingTable) -> Result<Self> {
        let tensors = PerturbedTensors::bind(&config, model, table, 1)?;
        Ok(Self {
            config,
            tensors,
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
    /// `ascent_steps` + 1 times otherwise. `learning_rate` (a number, or what a scheduler of Burn's
    /// gives) and `rho` are those of the base width.
    ///
    /// A zero gradient has no direction: such a step takes no perturbation. A loss or norm that is
    /// not finite ends the step: the model comes back unchanged and the report says `diverged`.
    ///
    /// # Errors
    /// Those of `gradient`; when `learning_rate` or `rho` is negative or not finite, or the loss is
    /// no single number. The model is gone then: to keep it, call [`Sam::gradients`] and
    /// [`Sam::descend`].
    pub fn step<M: Module>(
        &mut self,
        optimizer: &mut impl StepOptimizer,
        model: M,
        learning_rate: impl Into<ModuleLearningRate>,
        rho: f64,
        gradient: impl FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
    ) -> Result<(M, StepReport)> {
        let passes = &mut ByClosure::new(gradient);
        self.step_by(passes, optimizer, model, learning_rate, rho)
    }

    /// [`Sam::step`] by passes that share something, or that are watched.
    ///
    /// # Errors
    /// As [`Sam::step`]'s.
    pub fn step_by<M: Module>(
        &mut self,
        passes: &mut impl Passes<M>,
        optimizer: &mut impl StepOptimizer,
        model: M,
        learning_rate: impl Into<ModuleLearningRate>,
        rho: f64,
    ) -> Result<(M, StepReport)> {
        let learning_rate = self.tensors.usable_rates(learning_rate)?;
        // Clipping takes the norm of dense gradients.
        let factored = optimizer.takes_factors() && self.config.clip_norm.is_none();
        let (gradients, report) = self.ascend(passes, &model, rho, 0, factored)?;
        let model = self.descend(optimizer, model, learning_rate, gradients, &report)?;
        Ok((model, report))
    }

    /// The first half of a step: gradient, ascent, gradient. Returns the gradients at the perturbed
    /// weights, and those at the weights where nothing is perturbed.
    ///
    /// `part` of the batch tells random directions apart; `factored` says whether the gradients may
    /// be factors.
    pub(super) fn ascend<M: Module>(
        &self,
        passes: &mut impl Passes<M>,
        model: &M,
        rho: f64,
        part: usize,
        factored: bool,
    ) -> Result<(ModelGradients, StepReport)> {
        let ascents = match usable("rho", rho)? > 0.0 && self.perturbs() {
            true => self.config.ascent_steps,
            false => 0,
        };
        let purpose = |done| match done < ascents {
            true => Purpose::Ascent(self.factored_in_ascent()),
            false => Purpose::Descent { factored },
        };
        let (loss, mut gradients) = passes.gradient(model, purpose(0))?;
        let mut report = StepReport::at(single(loss)?);
        if ascents == 0 || report.diverged {
            return Ok((gradients, report));
        }
        let mut perturbed = self.tensors.copy(model);
        for ascent in 0..ascents {
            let draw = self.draw(ascent, part);
            let radius = rho / ascents as f64;
            let perturbation =
                Perturbation::new(&self.tensors, &perturbed, gradients, &[radius], draw);
            passes.ascending(&perturbed, &perturbation);
            let norm = perturbation.norm();
            perturbed = perturbation.apply(perturbed);
            let (loss, at_perturbed) = passes.gradient(&perturbed, purpose(ascent + 1))?;
            gradients = at_perturbed;
            report.ascended(norm, single(loss)?);
        }
        Ok((gradients, report))
    }

    /// The second half of a step: clips `gradients` if asked and gives them to the base optimizer,
    /// unless `report` says that the step diverged.
    ///
    /// # Errors
    /// When `learning_rate` is negative or not finite.
    pub fn descend<M: Module>(
        &mut self,
        optimizer: &mut impl StepOptimizer,
        model: M,
        learning_rate: impl Into<ModuleLearningRate>,
        gradients: impl Into<ModelGradients>,
        report: &StepReport,
    ) -> Result<M> {
        let learning_rate = self.tensors.usable_rates(learning_rate)?;
        self.steps += 1;
        if report.diverged {
            return Ok(model);
        }
        let mut gradients = gradients.into();
        if let Some(max_norm) = self.config.clip_norm {
            gradients = clip_gradients(&model, gradients.into_dense(), max_norm).into();
        }
        Ok(optimizer.descend(learning_rate, model, gradients))
    }

    /// The gradients that [`Sam::step`] gives to the base optimizer, for training loops that apply
    /// gradients by themselves, as Burn's `Learner` does with what `TrainStep::step` returns.
    ///
    /// Counts no step: with [`SamConfig::every`] above 1 or
    /// [`Rule::Random`](crate::scaling::Rule::Random), say the step by [`Sam::set_steps`]. Clipping
    /// is left out: it belongs to who applies them.
    ///
    /// # Errors
    /// As [`Sam::step`]'s.
    pub fn gradients<M: Module>(
        &self,
        model: &M,
        rho: f64,
        gradient: impl FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
    ) -> Result<(GradientsParams, StepReport)> {
        let passes = &mut ByClosure::new(gradient);
        let (gradients, report) = self.ascend(passes, model, rho, 0, false)?;
        Ok((gradients.into_dense(), report))
    }

    /// The perturbation ε of one ascent at `model` with these gradients.
    ///
    /// # Errors
    /// When `rho` is negative or not finite.
    pub fn perturbation<M: Module>(
        &self,
        model: &M,
        gradients: impl Into<ModelGradients>,
        rho: f64,
    ) -> Result<Perturbation> {
        let radii = [usable("rho", rho)?];
        let (gradients, draw) = (gradients.into(), self.draw(0, 0));
        Ok(Perturbation::new(
            &self.tensors,
            model,
            gradients,
            &radii,
            draw,
        ))
    }

    /// Whether the step that comes is one of those that `every` perturbs.
    fn perturbs(&self) -> bool {
        self.steps.is_multiple_of(self.config.every as u64)
    }

    /// Matrices whose gradient an ascent takes as factors. Later ascents start from weights whose
    /// perturbation has to be there.
    fn factored_in_ascent(&self) -> Arc<HashSet<ParamId>> {
        match self.config.ascent_steps {
            1 => self.tensors.multiples(),
            _ => Arc::default(),
        }
    }

    fn draw(&self, ascent: usize, part: usize) -> Draw<'_> {
        Draw {
            seeds: std::slice::from_ref(&self.config.seed),
            step: self.steps,
            ascent,
            part,
        }
    }
}

/// The loss as a number.
fn single(loss: Tensor<1>) -> Result<f64> {
    Ok(losses(loss, 1)?.into_iter().sum())
}
