//! The part of the planes that is shown: all named scalings and where regimes change.

use mup2_scaling::PhaseDiagram;

/// Ranges of d and of the distance y that all planes share, in multiples of ½.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub d: (f64, f64),
    /// From 0 to this distance.
    pub distance: f64,
}

impl Window {
    /// d from −1 to 1 and y from 0 to 2, or more where something lies outside.
    pub fn of(diagram: &PhaseDiagram) -> Self {
        let effects = diagram.layers.iter().map(|layer| layer.dominant_effect);
        let schemes = diagram.schemes.iter();
        let (low, high) = effects
            .chain(schemes.map(|scheme| scheme.d))
            .fold((-1.0, 1.0), |(low, high): (f64, f64), d| {
                (low.min(d), high.max(d))
            });
        let layers = diagram.schemes.iter().flat_map(|scheme| &scheme.layers);
        let farthest = layers.map(|layer| layer.distance).fold(2.0, f64::max);
        let halves = |value: f64| (2.0 * value).ceil() / 2.0;
        Self {
            d: (-halves(-low), halves(high)),
            distance: halves(farthest),
        }
    }
}
