//! The planes of (d, d_l): where a layer's perturbation is unstable, effective, propagated or vanishing.

use super::exponents::SchemeExponents;
use super::names::{Denominator, Parameterization, Perturbation, Rule, Scheme};
use super::role::{Role, TensorKind, TensorShape};
use super::table::EXPONENT_TOLERANCE;
use crate::error::{Error, Result};
use serde::Serialize;
use strum::Display;

/// The layers of the planes in the order of the forward pass.
const LAYERS: [Role; 3] = [Role::Input, Role::Hidden, Role::Output];

/// The scalings that have a name, in the order of METHOD section 3.
const NAMED: [Perturbation; 5] = [
    Perturbation::Naive,
    Perturbation::Global,
    Perturbation::Balanced,
    Perturbation::FirstLayer,
    Perturbation::Mup2,
];

/// What becomes of a layer's perturbation as the width grows (METHOD section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Regime {
    /// A perturbation grows with the width.
    Unstable,
    /// The layer's own perturbation changes its output by Θ(1): p = 0.
    Effective,
    /// The layer's own perturbation vanishes, that of an earlier layer arrives: not effective.
    Propagated,
    /// The layer's own perturbation vanishes, and none from an earlier layer arrives.
    Vanishing,
}

/// A layer's plane: horizontally the global exponent d, vertically the distance y ≥ 0.
///
/// Adding one constant to all d_l changes nothing, so they are normalised: with g_l the exponent
/// of ‖T∇_l‖, the constant is the one that gives `min(d_l − g_l) = 0`, and `y_l = d_l − g_l`.
/// The layer with y = 0 dominates the denominator, which is then Θ(1), and layer l's perturbation
/// has the effect `p_l = q_l − d − y_l`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LayerPlane {
    /// The layer's role.
    pub role: Role,
    /// g_l: exponent of the layer's part ‖T∇_l‖ of the norm, before any multiplier.
    pub norm_exponent: f64,
    /// q_l: the effect of a layer that dominates the norm, at d = 0. It does not depend on c∇:
    /// under SAM it is −½, 0, ½ in every parameterization.
    pub dominant_effect: f64,
    /// Exponent of the effect of SGD's update. Above 0 training is unstable before it is
    /// perturbed; the regimes speak of the perturbation alone.
    pub update_effect: f64,
}

impl LayerPlane {
    /// p_l: the exponent of the effect of the layer's own perturbation.
    pub fn effect(&self, d: f64, distance: f64) -> f64 {
        self.dominant_effect - d - distance
    }
}

/// A named scaling's place in one plane.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LayerPoint {
    /// The layer's role.
    pub role: Role,
    /// d_l, normalised as [`LayerPlane`] says.
    pub d_layer: f64,
    /// y_l = d_l − g_l ≥ 0: how far the layer is from dominating the norm.
    pub distance: f64,
    /// p_l: exponent of the effect of the layer's own perturbation.
    pub effect: f64,
    /// The layer's regime with the scaling's own exponents in the other layers.
    pub regime: Regime,
}

/// A named scaling with the coupled denominator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchemePoint {
    /// Its name.
    pub perturbation: Perturbation,
    /// Global exponent d.
    pub d: f64,
    /// Whether no layer's perturbation grows with the width.
    pub stable: bool,
    /// One entry a layer, in the order of the forward pass.
    pub layers: Vec<LayerPoint>,
}

/// The planes of an MLP with an input, a hidden and an output weight, and the named scalings.
///
/// The coupled denominator is assumed. The decoupled one is Θ(1) by its own exponents, so no
/// layer has to dominate it, and `p_l = q_l − d − y_l` is all that decides: below the line p = 0
/// a layer is unstable, on it effective, and y may be negative. The numerators are the same.
///
/// In deeper networks all hidden layers share one plane, and an earlier hidden layer can be
/// effective where the input layer is not: for the later ones, what is vanishing here is
/// propagated up to d = q of the hidden layers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseDiagram {
    /// Initialization and learning rate.
    pub parameterization: Parameterization,
    /// Perturbation rule.
    pub rule: Rule,
    /// c∇ = min(b_output, c_output).
    pub c_nabla: f64,
    /// The one d at which every layer can be effective: the smallest q_l.
    pub effective_d: f64,
    /// One plane a layer, in the order of the forward pass.
    pub layers: Vec<LayerPlane>,
    /// The named scalings.
    pub schemes: Vec<SchemePoint>,
}

impl PhaseDiagram {
    /// The plane of a role; `None` for [`Role::Fixed`], which has none.
    pub fn plane(&self, role: Role) -> Option<&LayerPlane> {
        self.layers.iter().find(|layer| layer.role == role)
    }

    /// The regime of a layer at (d, y), with the other layers perturbed as strongly as stability
    /// allows; `None` for a role without a plane, and for y < 0, which normalised exponents
    /// never have.
    ///
    /// Some layer must have y = 0. Where neither this layer nor another one can dominate the norm
    /// without an effect that grows, every choice of the other exponents is unstable.
    pub fn regime(&self, role: Role, d: f64, distance: f64) -> Option<Regime> {
        let place = self.layers.iter().position(|layer| layer.role == role)?;
        if distance < -EXPONENT_TOLERANCE {
            return None;
        }
        let own = self.layers[place].effect(d, distance);
        // The strongest stable choice for another layer is y = max(0, q − d).
        let may_dominate = |layer: &LayerPlane| layer.effect(d, 0.0) <= EXPONENT_TOLERANCE;
        let may_be_effective = |layer: &LayerPlane| layer.effect(d, 0.0) >= -EXPONENT_TOLERANCE;
        let (earlier, later) = (&self.layers[..place], &self.layers[place + 1..]);
        let is_normalised =
            distance <= EXPONENT_TOLERANCE || earlier.iter().chain(later).any(may_dominate);
        Some(if is_normalised {
            layer_regime(own, earlier.iter().any(may_be_effective))
        } else {
            Regime::Unstable
        })
    }
}

/// The regime of a layer from the effect of its own perturbation and what arrives at it.
fn layer_regime(effect: f64, arrives: bool) -> Regime {
    if effect > EXPONENT_TOLERANCE {
        Regime::Unstable
    } else if effect >= -EXPONENT_TOLERANCE {
        Regime::Effective
    } else if arrives {
        Regime::Propagated
    } else {
        Regime::Vanishing
    }
}

/// Computes the planes of the weights of an MLP, and places the named scalings in them.
///
/// The base optimizer is not asked for: its learning rates decide c∇, but SGD's and Adam's are
/// the same for the output.
///
/// # Errors
/// When the rule perturbs no weight: `sam-on`.
///
/// # Examples
/// ```
/// use mup2_scaling::*;
/// let diagram = phases(Parameterization::Mup, Rule::Sam).unwrap();
/// assert_eq!(diagram.effective_d, -0.5);
/// assert_eq!(diagram.regime(Role::Output, -0.5, 1.0), Some(Regime::Effective));
/// assert_eq!(diagram.regime(Role::Output, 0.0, 0.0), Some(Regime::Unstable));
/// ```
pub fn phases(parameterization: Parameterization, rule: Rule) -> Result<PhaseDiagram> {
    if rule == Rule::SamOn {
        return Err(Error::invalid(
            format!("perturbation rule `{rule}`"),
            "perturbs no weight, and the planes are those of weights",
            "sam, asam, asam-layer, random",
        ));
    }
    let tensors = LAYERS.map(weight);
    let derive = |perturbation, denominator| {
        let mut scheme = Scheme::new(parameterization, perturbation);
        scheme.rule = rule;
        scheme.denominator = Some(denominator);
        SchemeExponents::derive(&scheme, &tensors)
    };
    // The decoupled norm is Θ(1), and its exponents are the sizes of the layers' parts.
    let sizes = derive(Perturbation::Mup2, Denominator::Decoupled)?;
    let layers: Vec<LayerPlane> = LAYERS
        .into_iter()
        .zip(&sizes.tensors)
        .map(|(role, tensor)| LayerPlane {
            role,
            norm_exponent: tensor.e,
            dominant_effect: tensor.effect.unwrap_or_default() + sizes.d + tensor.d - tensor.e,
            update_effect: tensor.update,
        })
        .collect();
    let schemes = NAMED
        .into_iter()
        .map(|perturbation| {
            let exponents = derive(perturbation, Denominator::Coupled)?;
            Ok(scheme_point(perturbation, &exponents, &layers))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(PhaseDiagram {
        parameterization,
        rule,
        c_nabla: sizes.c_nabla,
        effective_d: layers
            .iter()
            .map(|layer| layer.dominant_effect)
            .fold(f64::INFINITY, f64::min),
        layers,
        schemes,
    })
}

fn scheme_point(
    perturbation: Perturbation,
    exponents: &SchemeExponents,
    layers: &[LayerPlane],
) -> SchemePoint {
    let unshifted = |layer: &LayerPlane, d_layer: f64| d_layer - layer.norm_exponent;
    let shift = layers
        .iter()
        .zip(&exponents.tensors)
        .map(|(layer, tensor)| unshifted(layer, tensor.d))
        .fold(f64::INFINITY, f64::min);
    let mut arrives = false;
    let mut points = Vec::new();
    for (layer, tensor) in layers.iter().zip(&exponents.tensors) {
        let effect = tensor.effect.unwrap_or_default();
        points.push(LayerPoint {
            role: layer.role,
            d_layer: tensor.d - shift,
            distance: unshifted(layer, tensor.d) - shift,
            effect,
            regime: layer_regime(effect, arrives),
        });
        // What grows arrives at later layers too.
        arrives |= effect >= -EXPONENT_TOLERANCE;
    }
    SchemePoint {
        perturbation,
        d: exponents.d,
        stable: points.iter().all(|point| point.regime != Regime::Unstable),
        layers: points,
    }
}

/// A weight of the given role that doubles its width; the exponents depend on the role alone.
fn weight(role: Role) -> TensorShape {
    let (grows_in, grows_out) = role.fan_exponents();
    let fan = |grows: f64| if grows > 0.0 { 2 } else { 1 };
    TensorShape {
        name: role.to_string(),
        role,
        kind: TensorKind::Weight,
        shape: vec![fan(grows_in), fan(grows_out)],
        fan: (fan(grows_in), fan(grows_out)),
        base_fan: (1, 1),
        base_init_std: 1.0,
    }
}

#[cfg(test)]
#[path = "phases_tests.rs"]
mod tests;
