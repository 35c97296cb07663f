//! The Hessian's eigenvalues at the upper ends of the spectrum, by power iteration.

use super::direction::Direction;
use super::landscape::{Landscape, Part};
use crate::error::Result;
use crate::step::Geometry;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// When power iteration stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerIteration {
    /// Hessian-vector products at most, for each eigenvalue; at least 1.
    pub max_iterations: usize,
    /// Converged when an iteration changes the value by at most this share of it.
    pub tolerance: f64,
    /// Seed of the start vector.
    pub seed: u64,
}

/// An eigenvalue as power iteration found it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Eigenvalue {
    /// Rayleigh quotient of the last vector.
    pub value: f64,
    /// ‖Av − λv‖ of the last unit vector: some eigenvalue lies within this distance of `value`.
    pub residual: f64,
    /// Hessian-vector products taken.
    pub iterations: usize,
    /// Whether the tolerance was reached within them.
    pub converged: bool,
}

/// Both meanings of "top".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TopEigenvalues {
    /// Largest in magnitude, with its sign.
    pub largest_magnitude: Eigenvalue,
    /// Largest with its sign: the same, unless that one is negative. The second iteration then runs on
    /// `A + |λ|` and its tolerance is a share of `value + |λ|`.
    pub most_positive: Eigenvalue,
}

impl<M, F> Landscape<'_, M, F>
where
    M: Module,
    F: FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
{
    /// Top eigenvalues of `S H S` restricted to `part`: of the block of the Hessian that belongs to
    /// one tensor, or of all.
    ///
    /// # Errors
    /// Those of the gradients.
    pub fn top_eigenvalues(
        &mut self,
        geometry: &Geometry,
        part: Part,
        iteration: &PowerIteration,
    ) -> Result<TopEigenvalues> {
        let largest_magnitude = self.power_iteration(geometry, part, iteration, 0.0)?;
        let shift = largest_magnitude.value;
        let most_positive = if shift < 0.0 {
            self.power_iteration(geometry, part, iteration, shift)?
        } else {
            largest_magnitude
        };
        Ok(TopEigenvalues {
            largest_magnitude,
            most_positive,
        })
    }

    /// The eigenvalue of `S H S` that is farthest from `shift`.
    fn power_iteration(
        &mut self,
        geometry: &Geometry,
        part: Part,
        iteration: &PowerIteration,
        shift: f64,
    ) -> Result<Eigenvalue> {
        let start = Direction::gaussian(&self.space, part, iteration.seed, "power");
        let norm = start.norm();
        let mut vector = start.scaled(1.0 / norm);
        let mut curvature = 0.0;
        let mut found = Eigenvalue {
            value: 0.0,
            residual: 0.0,
            iterations: 0,
            converged: false,
        };
        while found.iterations < iteration.max_iterations && !found.converged {
            let product = self.hessian_product(geometry, part, &vector, &mut curvature)?;
            let previous = found.value;
            found.value = vector.dot(&product);
            found.residual = product.clone().plus(vector.clone(), -found.value).norm();
            if !found.value.is_finite() {
                break;
            }
            let change = (found.value - previous).abs();
            found.converged =
                found.iterations > 0 && change <= iteration.tolerance * (found.value - shift).abs();
            found.iterations += 1;
            let image = product.plus(vector, -shift);
            let norm = image.norm();
            if norm == 0.0 {
                // The start has no part outside the kernel: as far as it can tell, A = shift.
                found.converged = true;
                break;
            }
            vector = image.scaled(1.0 / norm);
        }
        Ok(found)
    }
}
