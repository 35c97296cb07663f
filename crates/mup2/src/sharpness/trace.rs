//! The Hessian's trace by Hutchinson's estimator.

use super::direction::Direction;
use super::landscape::{Landscape, Part};
use crate::error::Result;
use crate::step::Geometry;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// An estimate and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceEstimate {
    /// Mean of `vᵀ A v` over random vectors v with entries of −1 or 1.
    pub value: f64,
    /// Standard error of that mean; absent for a single vector.
    pub standard_error: Option<f64>,
    /// Random vectors.
    pub vectors: usize,
}

impl<M, F> Landscape<'_, M, F>
where
    M: Module,
    F: FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
{
    /// Trace of `S H S` restricted to `part`, by the mean of `vectors` quadratic forms; absent for
    /// none.
    ///
    /// # Errors
    /// Those of the gradients.
    pub fn trace(
        &mut self,
        geometry: &Geometry,
        part: Part,
        vectors: usize,
        seed: u64,
    ) -> Result<Option<TraceEstimate>> {
        let mut curvature = 0.0;
        let mut forms = Vec::new();
        for index in 0..vectors {
            let purpose = format!("trace/{index}");
            let vector = Direction::rademacher(&self.space, part, seed, &purpose);
            let product = self.hessian_product(geometry, part, &vector, &mut curvature)?;
            forms.push(vector.dot(&product));
        }
        let count = forms.len() as f64;
        let value = forms.iter().sum::<f64>() / count;
        let squares: f64 = forms.iter().map(|form| (form - value).powi(2)).sum();
        Ok((vectors > 0).then(|| TraceEstimate {
            value,
            standard_error: (vectors > 1).then(|| (squares / (count - 1.0) / count).sqrt()),
            vectors,
        }))
    }
}
