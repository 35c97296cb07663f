//! What is measured of one step, from the traces of its forward passes.

use super::spectral::{norm, spectral_norm};
use crate::error::{Error, Result};
use crate::fused::squared_norm;
use crate::scaling::check::Point;
use crate::step::PerturbationRecord;
use crate::trace::{Site, Trace};
use burn::tensor::Tensor;
use std::collections::HashMap;

/// Weights by path, flattened and detached.
pub type Weights = HashMap<String, Tensor<1>>;

/// What does not change while a network is trained.
pub struct Origin<'a> {
    /// Forward pass with the initial weights.
    pub trace: &'a Trace,
    /// The initial weights, W_0.
    pub weights: &'a Weights,
    /// (fan_in, fan_out) of every parameter.
    pub fans: &'a HashMap<String, (usize, usize)>,
}

/// One SAM step, seen from outside: forward passes on one batch, and weights.
pub struct ObservedStep {
    /// Width, seed and step, and nothing else yet.
    pub template: Point,
    /// Forward pass with the weights before the step.
    pub before: Trace,
    /// With the perturbed weights.
    pub perturbed: Trace,
    /// The weights before the step, W.
    pub weights: Weights,
    /// The updated weights.
    pub updated: Weights,
    /// What the perturbation was made of.
    pub record: PerturbationRecord,
}

impl ObservedStep {
    /// One point a parameter, in the order of the forward pass; `after` is the forward pass with
    /// the updated weights, which the next step makes anyway.
    ///
    /// # Errors
    /// When a trace names a parameter that the model does not have.
    pub fn points(&self, origin: &Origin, after: &Trace) -> Result<Vec<Point>> {
        let later = after.sites().iter().zip(origin.trace.sites());
        let sites = self.before.sites().iter().zip(self.perturbed.sites());
        sites
            .zip(later)
            .map(|((site, moved), (after, start))| self.point(origin, [site, moved, after, start]))
            .collect()
    }

    fn point(&self, origin: &Origin, [site, moved, after, start]: [&Site; 4]) -> Result<Point> {
        let name = site.parameter.as_str();
        let known = |weights: &Weights| weights.get(name).cloned().ok_or_else(|| unknown(name));
        let (fan_in, fan_out) = *origin.fans.get(name).ok_or_else(|| unknown(name))?;
        let target = (fan_out as f64 / fan_in as f64).sqrt();
        let mut point = Point {
            tensor: name.to_owned(),
            activation: rms(site.product.clone()),
            ..self.template.clone()
        };
        if let Some(tensor) = self.record.get(name) {
            point.gradient_norm = tensor.gradient_norm;
            point.norm_share = tensor.contribution / self.record.squared_norm();
            if let Some(epsilon) = &tensor.epsilon {
                perturbation(&mut point, site, moved, &known(&self.weights)?, epsilon);
                let (spectral, frobenius) = sizes(epsilon, site, (fan_in, fan_out));
                (point.spectral, point.frobenius) = (spectral / target, frobenius);
            }
        }
        let initial = known(origin.weights)?;
        update(&mut point, after, start, &initial);
        let (spectral, frobenius) =
            sizes(&(known(&self.updated)? - initial), site, (fan_in, fan_out));
        (point.update_spectral, point.update_frobenius) = (spectral / target, frobenius);
        Ok(point)
    }
}

/// Own, propagated, cross and total effect of the perturbation on the layer's output:
/// `h̃ − h = ε x + W (x̃ − x) + ε (x̃ − x)`.
fn perturbation(
    point: &mut Point,
    site: &Site,
    moved: &Site,
    weight: &Tensor<1>,
    epsilon: &Tensor<1>,
) {
    let own = site.application.apply(epsilon.clone());
    let carried = moved.application.apply(weight.clone());
    point.effect = rms(own.clone());
    point.total = rms(moved.product.clone() - site.product.clone());
    point.cross = rms(moved.product.clone() - carried.clone() - own);
    point.propagated = rms(carried - site.product.clone());
}

/// The refined coordinate check: `h_t − h_0 = ΔW x_t + W_0 (x_t − x_0)`.
fn update(point: &mut Point, later: &Site, origin: &Site, initial: &Tensor<1>) {
    let carried = later.application.apply(initial.clone());
    point.update_effect = rms(later.product.clone() - carried.clone());
    point.update_propagated = rms(carried - origin.product.clone());
}

/// Spectral and Frobenius norm of a change of the weight that acts (multiplier included).
fn sizes(change: &Tensor<1>, site: &Site, (fan_in, fan_out): (usize, usize)) -> (f64, f64) {
    let multiplier = site.application.multiplier().abs();
    let data = change.clone().into_data().convert::<f32>();
    let Ok(values) = data.as_slice::<f32>() else {
        return (f64::NAN, f64::NAN);
    };
    // Spectral norms do not care which side is the rows.
    let spectral = spectral_norm(values, site.application.columns(fan_in, fan_out));
    (multiplier * spectral, multiplier * norm(values))
}

/// Root of the mean square over all entries.
fn rms(x: Tensor<2>) -> f64 {
    let count = x.shape().num_elements().max(1);
    (squared_norm(x) / count as f64).sqrt()
}

fn unknown(name: &str) -> Error {
    Error::invalid(
        format!("parameter `{name}`"),
        "was used by the forward pass but is not among the model's parameters",
        "a model whose trace names its parameters by their paths",
    )
}
