//! A batch in parts, each with a perturbation of its own (m-sharpness, Foret et al. 2021).

use super::passes::ByClosure;
use super::record::StepReport;
use super::sam::Sam;
use crate::error::Result;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use std::ops::Range;

impl Sam {
    /// The sum of the gradients of those `parts` of a batch of `of` that one of several processes
    /// computes, each at weights that its own gradient has perturbed; `gradient` is told the part.
    ///
    /// The report has the sum of the losses over `of`, and the last part's norm. Summed over all
    /// processes, the gradients over `of` and the report are what [`Sam::descend`] takes. With one
    /// part that is [`Sam::step`], bit for bit. To perturb by the gradient of the whole batch, sum
    /// over the parts in a closure for [`Sam::step`]: [`BatchParts`](super::BatchParts).
    ///
    /// # Errors
    /// As [`Sam::step`]'s.
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
            let passes = &mut ByClosure::new(|model: &M| gradient(model, part));
            let (gradients, report) = self.ascend(passes, model, rho, part, false)?;
            total.loss += report.loss / of as f64;
            total.perturbation_norm = report.perturbation_norm;
            total.diverged |= report.diverged;
            sum.accumulate(model, gradients.into_dense());
        }
        Ok((sum.grads(), total))
    }
}
