//! The `[sharpness]` table: whether, when and how the sharpness of the loss is measured.

use super::range;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The `[sharpness]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharpnessSpec {
    /// Measures after every k-th epoch and after the last; 0 is never. A multiple of
    /// `train.evaluate_every`.
    pub every_epochs: usize,
    /// Training images, drawn once a run, that the loss is taken on; at least 1. All, if there are no
    /// more.
    pub samples: usize,
    /// Hessian-vector products of the top eigenvalue, at most; 0 leaves it out.
    pub power_iterations: usize,
    /// Random vectors of the Hessian's trace; 0 leaves it out.
    pub trace_vectors: usize,
    /// Radius of the ball at the base width, above 0; by default the run's `sam.rho`, and none where
    /// that is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius: Option<f64>,
    /// Measures each parameter tensor by itself as well.
    pub per_layer: bool,
    /// Coordinates of the Hessian.
    pub hessian_geometry: SharpnessGeometry,
    /// Coordinates in which the ball is round.
    pub ball_geometry: SharpnessGeometry,
}

/// Coordinates of the parameter space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharpnessGeometry {
    /// All entries alike.
    Euclidean,
    /// Those of the run's own perturbations: `√rho_mult` times the rule's preconditioner.
    Multipliers,
}

impl Default for SharpnessSpec {
    fn default() -> Self {
        Self {
            every_epochs: 0,
            samples: 512,
            power_iterations: 50,
            trace_vectors: 10,
            radius: None,
            per_layer: false,
            hessian_geometry: SharpnessGeometry::Euclidean,
            ball_geometry: SharpnessGeometry::Multipliers,
        }
    }
}

impl SharpnessSpec {
    /// Whether it is measured at all.
    pub fn is_on(&self) -> bool {
        self.every_epochs > 0
    }

    /// Whether it is measured after `epoch` of `epochs`.
    pub fn is_due(&self, epoch: usize, epochs: usize) -> bool {
        self.is_on() && (epoch.is_multiple_of(self.every_epochs) || epoch == epochs)
    }

    /// The ball's radius in a run with `rho`; absent for no ball.
    pub fn radius_at(&self, rho: f64) -> Option<f64> {
        self.radius.or((rho > 0.0).then_some(rho))
    }

    /// Whether the numbers of a run without perturbation depend on how it would be perturbed.
    pub(super) fn sees_multipliers_at_zero(&self) -> bool {
        let ball = self.radius.is_some() && self.ball_geometry == SharpnessGeometry::Multipliers;
        self.is_on() && (ball || self.hessian_geometry == SharpnessGeometry::Multipliers)
    }

    /// `key` gives the full name of a key of this table.
    pub(super) fn validate(
        &self,
        key: &dyn Fn(&str) -> String,
        evaluate_every: usize,
    ) -> Result<()> {
        range::whole(key("every_epochs"), self.every_epochs, 0, 1_000_000)?;
        range::whole(key("samples"), self.samples, 1, 1 << 30)?;
        range::whole(key("power_iterations"), self.power_iterations, 0, 100_000)?;
        range::whole(key("trace_vectors"), self.trace_vectors, 0, 100_000)?;
        if let Some(radius) = self.radius {
            range::positive(key("radius"), radius)?;
        }
        if self.every_epochs.checked_rem(evaluate_every).unwrap_or(0) != 0 {
            return Err(Error::invalid(
                key("every_epochs"),
                format!("is {}", self.every_epochs),
                format!("0 or a multiple of `train.evaluate_every`, which is {evaluate_every}"),
            ));
        }
        Ok(())
    }
}
