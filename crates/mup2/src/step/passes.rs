//! The passes of a step: what computes its gradients, and who watches its perturbations.

use super::perturbation::Perturbation;
use crate::error::Result;
use crate::ghost_norm::{GhostNorm, ModelGradients, Purpose};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// The forward and backward passes of one step over one batch.
pub trait Passes<M> {
    /// Mean loss (shape `[1]`) and gradients at `model`. `purpose` says which of the gradients may
    /// be factors; all may be dense.
    ///
    /// # Errors
    /// What ends the step.
    fn gradient(&mut self, model: &M, purpose: Purpose) -> Result<(Tensor<1>, ModelGradients)>;

    /// `model` is about to be moved by `perturbation`; the next gradient is that at the perturbed
    /// weights.
    fn ascending(&mut self, model: &M, perturbation: &Perturbation) {
        let _ = (model, perturbation);
    }
}

/// Passes that share nothing: dense gradients of a closure.
pub(super) struct ByClosure<F>(F);

impl<F> ByClosure<F> {
    pub fn new(gradient: F) -> Self {
        Self(gradient)
    }
}

impl<M, F: FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>> Passes<M> for ByClosure<F> {
    fn gradient(&mut self, model: &M, _: Purpose) -> Result<(Tensor<1>, ModelGradients)> {
        let (loss, gradients) = (self.0)(model)?;
        Ok((loss, gradients.into()))
    }
}

/// Passes that share a context, which is lent to a closure: with ghost norm, where the closure's
/// model asks the context's [`GhostNorm`] for its products. The step is the same within rounding.
pub struct Sharing<'a, C, F> {
    context: &'a mut C,
    gradient: F,
}

impl<'a, C: AsMut<GhostNorm>, F> Sharing<'a, C, F> {
    /// Of one step. `gradient` returns mean loss and gradients, the latter from
    /// [`GhostNorm::gradients`].
    pub fn new<M>(context: &'a mut C, gradient: F) -> Self
    where
        F: FnMut(&M, &mut C) -> Result<(Tensor<1>, ModelGradients)>,
    {
        *context.as_mut() = GhostNorm::default();
        Self { context, gradient }
    }
}

impl<M, C, F> Passes<M> for Sharing<'_, C, F>
where
    C: AsMut<GhostNorm>,
    F: FnMut(&M, &mut C) -> Result<(Tensor<1>, ModelGradients)>,
{
    fn gradient(&mut self, model: &M, purpose: Purpose) -> Result<(Tensor<1>, ModelGradients)> {
        self.context.as_mut().begin(purpose);
        (self.gradient)(model, self.context)
    }

    fn ascending(&mut self, _: &M, perturbation: &Perturbation) {
        self.context.as_mut().perturb(perturbation.factored());
    }
}
