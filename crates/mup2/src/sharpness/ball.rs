//! SAM's own sharpness: how much the loss rises within a ball around the weights.

use super::direction::Direction;
use super::landscape::{Landscape, Part};
use crate::error::{Error, Result};
use crate::step::Geometry;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// The rise of the loss within the ball of radius ρ, as far as it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamSharpness {
    /// ρ.
    pub radius: f64,
    /// `L(w + ε) − L(w)` at the ε of one SAM step, which is the ball's highest point to first order;
    /// 0 where the gradient is zero.
    pub one_step: f64,
    /// The largest rise that projected gradient ascent met after it.
    pub ascent: f64,
    /// The larger of the two; at least 0, since the weights themselves lie in the ball. A lower
    /// bound of the true maximum.
    pub value: f64,
}

impl<M, F> Landscape<'_, M, F>
where
    M: Module,
    F: FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
{
    /// `max L(w + ε) − L(w)` over the ball of radius `radius`, at the base width, in `part`.
    ///
    /// The ball is `{S u : ‖u‖ ≤ R}`. In the Euclidean geometry R is the radius; in that of the
    /// multipliers it is such that the ε of a SAM step lies on its surface. Within one tensor R is
    /// that of the whole model: the same ball, of which the others' coordinates are zero.
    ///
    /// Each of `ascent_steps` steps goes from u to `R (u + R ĝ) / ‖u + R ĝ‖`, ĝ being the unit
    /// gradient there in the coordinates u, and starts at SAM's.
    ///
    /// # Errors
    /// When the radius is not a finite number above 0, and those of the gradients.
    pub fn sam_sharpness(
        &mut self,
        geometry: &Geometry,
        part: Part,
        radius: f64,
        ascent_steps: usize,
        seed: u64,
    ) -> Result<SamSharpness> {
        if !(radius.is_finite() && radius > 0.0) {
            let problem = format!("is {radius}");
            let allowed = "finite numbers above 0";
            return Err(Error::invalid("sharpness: radius", problem, allowed));
        }
        let whole = self.start(geometry, Part::Whole, seed);
        let denominator = whole.weighted_square(geometry).sqrt();
        let size = radius * whole.norm() / denominator;
        let mut found = SamSharpness {
            radius,
            one_step: 0.0,
            ascent: 0.0,
            value: 0.0,
        };
        let mut u = unit(self.start(geometry, part, seed)).scaled(size);
        let has_slope = self.slope.stretched(geometry, part).norm() > 0.0;
        for step in 0..=ascent_steps {
            let (loss, slope) = self.at(&u.stretched(geometry, part), 1.0)?;
            let rise = loss - self.loss();
            if !rise.is_finite() {
                found.value = rise;
                return Ok(found);
            }
            if step == 0 && has_slope {
                found.one_step = rise;
                found.ascent = rise;
            }
            found.ascent = found.ascent.max(rise);
            let slope = unit(slope.stretched(geometry, part));
            u = unit(u.plus(slope, size)).scaled(size);
        }
        found.value = found.ascent.max(found.one_step).max(0.0);
        Ok(found)
    }

    /// Where the ascent starts: along the gradient, or along a random direction at a point that has
    /// none.
    fn start(&self, geometry: &Geometry, part: Part, seed: u64) -> Direction {
        let slope = self.slope.stretched(geometry, part);
        if slope.norm() > 0.0 {
            return slope;
        }
        Direction::gaussian(&self.space, part, seed, "ascent").stretched(geometry, part)
    }
}

/// The vector at length 1; a zero one as it is.
fn unit(direction: Direction) -> Direction {
    let norm = direction.norm();
    if norm > 0.0 {
        direction.scaled(1.0 / norm)
    } else {
        direction
    }
}
