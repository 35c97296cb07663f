//! What the planes show, in sentences.

use mup2_scaling::number::{signed, trimmed};
use mup2_scaling::{PhaseDiagram, Regime, SchemePoint};

/// The sentences, the most important first.
pub(super) fn findings(diagram: &PhaseDiagram) -> Vec<String> {
    let mut sentences = vec![where_all_are_effective(diagram)];
    sentences.extend(diagram.schemes.iter().map(scheme));
    sentences.extend(growing_updates(diagram));
    sentences
}

/// Effective everywhere means y_l = q_l − d, and the smallest y is 0: one d, and one d_l a layer.
fn where_all_are_effective(diagram: &PhaseDiagram) -> String {
    let d = diagram.effective_d;
    let layers = diagram.layers.iter().map(|layer| {
        let d_layer = layer.norm_exponent + layer.dominant_effect - d;
        format!("{} ({})", trimmed(d_layer), layer.role)
    });
    format!(
        "Every layer is effectively perturbed at one choice only, up to a constant added to all \
         d_l: d = {} with d_l = {}. That is mup2.",
        trimmed(d),
        listed(&layers.collect::<Vec<_>>())
    )
}

fn scheme(scheme: &SchemePoint) -> String {
    let of = |regime: Regime| -> Vec<String> {
        let layers = scheme.layers.iter();
        layers
            .filter(|layer| layer.regime == regime)
            .map(|layer| layer.role.to_string())
            .collect()
    };
    let effective = of(Regime::Effective);
    let mut parts = Vec::new();
    let unstable: Vec<String> = scheme
        .layers
        .iter()
        .filter(|layer| layer.regime == Regime::Unstable)
        .map(|layer| format!("{} (p = {})", layer.role, exponent(layer.effect)))
        .collect();
    if !unstable.is_empty() {
        parts.push(format!("unstable in {}", listed(&unstable)));
    }
    if effective.len() == scheme.layers.len() {
        parts.push("effective in every layer".to_owned());
    } else if !effective.is_empty() {
        parts.push(format!("effective in {} only", listed(&effective)));
    }
    for regime in [Regime::Propagated, Regime::Vanishing] {
        let layers = of(regime);
        if layers.len() == scheme.layers.len() {
            parts.push(format!("{regime} in every layer"));
        } else if !layers.is_empty() {
            parts.push(format!("{regime} in {}", listed(&layers)));
        }
    }
    format!("{}: {}.", scheme.perturbation, parts.join("; "))
}

/// A parameterization whose training is unstable before it is perturbed.
fn growing_updates(diagram: &PhaseDiagram) -> Option<String> {
    let growing: Vec<String> = diagram
        .layers
        .iter()
        .filter(|layer| layer.update_effect > 0.0)
        .map(|layer| format!("{} ({})", layer.role, exponent(layer.update_effect)))
        .collect();
    (!growing.is_empty()).then(|| {
        format!(
            "In {} SGD's updates themselves grow with the width: {}. The regimes speak of the \
             perturbation alone.",
            diagram.parameterization,
            listed(&growing)
        )
    })
}

/// An exponent with its sign.
pub(super) fn exponent(value: f64) -> String {
    signed(value, &trimmed(value))
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
