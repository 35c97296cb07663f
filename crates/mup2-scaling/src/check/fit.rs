//! Straight lines through logarithms: the slope over width and how sure it is.

use super::result::Slope;
use std::collections::BTreeMap;

/// One number of one training.
#[derive(Debug, Clone, Copy)]
pub struct Measurement {
    /// Seed of the training.
    pub seed: u64,
    /// Width of the network.
    pub width: usize,
    /// What was measured.
    pub value: f64,
}

/// The least-squares slope of log `value` over log `width`, with its standard error from the
/// residuals.
///
/// All widths of a seed see the same batch, whose luck moves all its values by one factor: every
/// seed has an intercept of its own. With the same widths for every seed the slope is that of a
/// single line through all points, and only the error is another.
///
/// Values that are not finite or not above 0 have no logarithm and are left out. Absent where no
/// seed has two distinct widths, or no value is left over from which an error could be told.
pub fn slope(measurements: impl IntoIterator<Item = Measurement>) -> Option<Slope> {
    let mut of_seeds: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    for Measurement { seed, width, value } in measurements {
        if width > 0 && value.is_finite() && value > 0.0 {
            let point = ((width as f64).ln(), value.ln());
            of_seeds.entry(seed).or_default().push(point);
        }
    }
    for points in of_seeds.values_mut() {
        center(points);
    }
    let points = || of_seeds.values().flatten();
    // One slope and an intercept a seed are fitted.
    let freedom = points().count().checked_sub(of_seeds.len() + 1)?;
    let spread: f64 = points().map(|(x, _)| x * x).sum();
    if freedom == 0 || spread <= f64::EPSILON {
        return None;
    }
    let slope = points().map(|(x, y)| x * y).sum::<f64>() / spread;
    let residuals = points().map(|(x, y)| (y - slope * x).powi(2)).sum::<f64>();
    Some(Slope {
        slope,
        stderr: (residuals / freedom as f64 / spread).sqrt(),
    })
}

/// Moves the mean of both coordinates to 0.
fn center(points: &mut [(f64, f64)]) {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    for point in points {
        *point = (point.0 - x, point.1 - y);
    }
}
