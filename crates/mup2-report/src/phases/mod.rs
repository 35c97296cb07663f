//! The (d, d_l) planes of `scaling` shown side by side: terminal, SVG and HTML page.

mod findings;
mod labels;
mod names;
mod page;
mod panel;
mod planes;
mod strata;
mod text;
mod window;

pub use page::html;
pub use planes::svg;
pub use text::text;

use mup2_scaling::number::trimmed;
use mup2_scaling::{LayerPlane, PhaseDiagram, Regime};

/// The regimes in the order of legends.
const REGIMES: [Regime; 4] = [
    Regime::Unstable,
    Regime::Effective,
    Regime::Propagated,
    Regime::Vanishing,
];

/// What a regime means, for legends.
fn meaning(regime: Regime) -> &'static str {
    match regime {
        Regime::Unstable => "a perturbation grows with the width, whatever the other layers do",
        Regime::Effective => "p = 0: the layer's own perturbation acts alike at every width",
        Regime::Propagated => "p < 0, but the effect of an earlier layer's perturbation arrives",
        Regime::Vanishing => "p < 0, and no earlier layer's perturbation can have an effect",
    }
}

/// What is drawn, in a line: `mup, rule sam`.
fn subject(diagram: &PhaseDiagram) -> String {
    format!("{}, rule {}", diagram.parameterization, diagram.rule)
}

/// The layer's effect as a formula: `p = −0.5 − d − y`.
fn formula(plane: &LayerPlane) -> String {
    if plane.dominant_effect == 0.0 {
        "p = −d − y".to_owned()
    } else {
        format!("p = {} − d − y", trimmed(plane.dominant_effect))
    }
}

#[cfg(test)]
mod tests;
