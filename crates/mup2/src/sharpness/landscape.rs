//! The loss around the weights of a model, known through gradients: Hessian-vector products.

use super::direction::{Direction, Space};
use crate::error::{Error, Result};
use crate::step::{Geometry, Parameter, flat_parameters, parameters};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};

/// Shortest displacement, in units of the precision's ε times ‖w‖: below it, what is added to the
/// weights drowns in their rounding.
const SHORTEST: f64 = 64.0;

/// A displacement that turns out this many times too long is shortened.
const TOO_LONG: f64 = 2.0;

/// Which entries of the parameters move; the others stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of them.
    Whole,
    /// Those of one parameter, by its place in the order of `step::parameters`.
    Tensor(usize),
}

impl Part {
    pub(super) fn contains(self, index: usize) -> bool {
        match self {
            Self::Whole => true,
            Self::Tensor(only) => only == index,
        }
    }
}

/// The loss around one point of the parameter space.
///
/// `gradient` returns the mean loss (shape `[1]`) and its gradients at the model it is given; it
/// must be a function of the model alone, with the same samples and masks at every call.
pub struct Landscape<'a, M, F> {
    model: &'a M,
    gradient: F,
    pub(super) space: Space,
    /// The loss at the weights.
    loss: f64,
    /// ∇ at the weights.
    pub(super) slope: Direction,
    weight_norm: f64,
    /// Distance from 1 to the next number of the weights' precision.
    epsilon: f64,
    evaluations: usize,
}

impl<'a, M, F> Landscape<'a, M, F>
where
    M: Module,
    F: FnMut(&M) -> Result<(Tensor<1>, GradientsParams)>,
{
    /// Takes one gradient at the weights.
    ///
    /// # Errors
    /// When the model has no parameters, or weights are not finite, and those of `gradient`. A loss that is not finite makes
    /// all measures so.
    pub fn new(model: &'a M, mut gradient: F) -> Result<Self> {
        let refuse = |problem: &str, allowed: &str| Error::invalid("sharpness", problem, allowed);
        let parameters = parameters(model);
        let values = flat_parameters(model);
        let Some(first) = values.values().next() else {
            return Err(refuse("the model has no parameters", "a model with some"));
        };
        let space = Space {
            device: first.device(),
            dtype: first.dtype(),
            parameters,
        };
        let epsilon = match space.dtype {
            DType::F64 => f64::EPSILON,
            _ => f64::from(f32::EPSILON),
        };
        let weight_norm = crate::step::weight_norm(model);
        let (loss, gradients) = gradient(model)?;
        let loss = loss.into_scalar::<f64>();
        if !weight_norm.is_finite() {
            let problem = "a weight is not finite";
            return Err(refuse(problem, "a model that has not diverged"));
        }
        let slope = Direction::of_gradients(model, &space.parameters, gradients);
        Ok(Self {
            model,
            gradient,
            slope,
            space,
            loss,
            weight_norm,
            epsilon,
            evaluations: 1,
        })
    }

    /// The loss at the weights.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// Gradients taken so far, each a forward and a backward pass.
    pub fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// The model's parameters, in the order of [`Part::Tensor`].
    pub fn parameters(&self) -> &[Parameter] {
        &self.space.parameters
    }

    /// Loss and gradient at `W + factor · direction`.
    pub(super) fn at(&mut self, direction: &Direction, factor: f64) -> Result<(f64, Direction)> {
        let moved = direction.added_to(self.model, &self.space.parameters, factor);
        let (loss, gradients) = (self.gradient)(&moved)?;
        self.evaluations += 1;
        let slope = Direction::of_gradients(&moved, &self.space.parameters, gradients);
        Ok((loss.into_scalar::<f64>(), slope))
    }

    /// `S H S u` within `part`, H being the Hessian at the weights and S that of `geometry`.
    ///
    /// A central difference, `(∇(w + d) − ∇(w − d)) / 2`, along `S u`. `curvature` is ‖Hd‖/‖d‖ as
    /// expected for this direction, 0 if unknown, and comes back as found. The length of d is
    /// ∛ε ‖w‖, ε being the precision of the weights, unless that would change the loss at second
    /// order by more than ∛ε of itself; a d that turns out too long is shortened and the product
    /// taken again.
    ///
    /// # Errors
    /// Those of the gradients.
    pub fn hessian_product(
        &mut self,
        geometry: &Geometry,
        part: Part,
        u: &Direction,
        curvature: &mut f64,
    ) -> Result<Direction> {
        let direction = u.stretched(geometry, part);
        let size = direction.norm();
        if size == 0.0 {
            return Ok(direction);
        }
        let mut length = self.displacement(*curvature);
        loop {
            let step = length / size;
            let (_, ahead) = self.at(&direction, step)?;
            let (_, behind) = self.at(&direction, -step)?;
            let product = ahead.plus(behind, -1.0).scaled(0.5 / step);
            *curvature = product.norm() / size;
            let allowed = self.displacement(*curvature);
            // Written so that a curvature that is not a number ends the loop.
            if length > TOO_LONG * allowed {
                length = allowed;
                continue;
            }
            return Ok(product.stretched(geometry, part));
        }
    }

    /// How far to go from the weights in a direction of this curvature: at most ∛ε ‖w‖, so that the
    /// weights' own size decides; and no farther than changes the loss at second order by ∛ε of
    /// itself, since a wide network's loss bends within a small part of ‖w‖; but never so little
    /// that the weights' rounding shows.
    ///
    /// ∛ε balances rounding and the third derivative in a central difference. A shorter way measures
    /// smooth losses no better and networks of ReLUs worse: where a unit switches on, the gradient
    /// jumps, and the shorter the way, the larger the curvature that the jump is taken for.
    fn displacement(&self, curvature: f64) -> f64 {
        let scale = if self.weight_norm > 0.0 {
            self.weight_norm
        } else {
            1.0
        };
        let share = self.epsilon.cbrt();
        let longest = share * scale;
        let shortest = SHORTEST * self.epsilon * scale;
        let change = share * self.loss.abs();
        if change > 0.0 && curvature > 0.0 {
            (2.0 * change / curvature).sqrt().clamp(shortest, longest)
        } else {
            longest
        }
    }
}
