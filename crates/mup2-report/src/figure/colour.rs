//! Colours: the viridis scale for accuracy and distinguishable hues for widths.

/// Ten equally spaced colours of viridis (Smith and van der Walt, matplotlib): perceptually uniform
/// and safe for colour-blind readers.
const VIRIDIS: [[u8; 3]; 10] = [
    [0x44, 0x01, 0x54],
    [0x48, 0x28, 0x78],
    [0x3e, 0x4a, 0x89],
    [0x31, 0x68, 0x8e],
    [0x26, 0x82, 0x8e],
    [0x1f, 0x9e, 0x89],
    [0x35, 0xb7, 0x79],
    [0x6d, 0xcd, 0x59],
    [0xb4, 0xde, 0x2c],
    [0xfd, 0xe7, 0x25],
];

/// From narrow to wide: hues of middling lightness, readable on white and on dark ground.
const WIDTHS: [[u8; 3]; 5] = [
    [0x4a, 0x86, 0xd8],
    [0x1f, 0xa1, 0x93],
    [0xd9, 0x9a, 0x17],
    [0xd6, 0x4f, 0x4f],
    [0xa0, 0x4f, 0xb4],
];

/// Fill of a cell whose mean accuracy is below the stability threshold.
pub(crate) const UNSTABLE: &str = "#c9c9c9";
/// Fill of a cell in which every run diverged.
pub(crate) const DIVERGED: &str = "#8c8c8c";
/// The outline of the optimum that was carried over from the narrowest width.
pub(crate) const TRANSFERRED: &str = "#ff2d55";

/// The viridis colour of a share between 0 and 1.
pub(crate) fn viridis(share: f64) -> String {
    between(&VIRIDIS, share)
}

/// The colour of one of several widths, by its place from the narrowest.
pub(crate) fn width_colour(place: usize, widths: usize) -> String {
    // Up to five widths take the anchors themselves, which differ most.
    let steps = widths.saturating_sub(1).max(WIDTHS.len() - 1);
    between(&WIDTHS, place as f64 / steps as f64)
}

fn between(anchors: &[[u8; 3]], share: f64) -> String {
    let position = share.clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
    let lower = (position.floor() as usize).min(anchors.len() - 2);
    let weight = position - lower as f64;
    let channel = |index: usize| {
        let (low, high) = (anchors[lower][index], anchors[lower + 1][index]);
        (f64::from(low) + weight * (f64::from(high) - f64::from(low))).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", channel(0), channel(1), channel(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_runs_from_viridis_purple_to_yellow() {
        assert_eq!(viridis(0.0), "#440154");
        assert_eq!(viridis(1.0), "#fde725");
        assert_eq!(viridis(7.0), viridis(1.0));
    }

    #[test]
    fn every_width_has_its_own_colour() {
        for widths in 1..9 {
            let mut colours: Vec<_> = (0..widths).map(|w| width_colour(w, widths)).collect();
            colours.dedup();
            assert_eq!(colours.len(), widths);
        }
    }
}
