//! Straight lines through logarithms: the slope over width and how sure it is.

use super::result::Slope;

/// The least-squares slope of log `value` over log `width`, over all pairs given, with its standard
/// error from the residuals.
///
/// Values that are not finite or not above 0 have no logarithm and are left out. Absent with fewer
/// than two distinct widths or fewer than three values, from which no error can be told.
pub(super) fn slope(pairs: impl IntoIterator<Item = (usize, f64)>) -> Option<Slope> {
    let points: Vec<(f64, f64)> = pairs
        .into_iter()
        .filter(|(width, value)| *width > 0 && value.is_finite() && *value > 0.0)
        .map(|(width, value)| ((width as f64).ln(), value.ln()))
        .collect();
    let count = points.len() as f64;
    if points.len() < 3 {
        return None;
    }
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if spread <= f64::EPSILON {
        return None;
    }
    let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread;
    let residual = |p: &(f64, f64)| (p.1 - y - slope * (p.0 - x)).powi(2);
    let variance = points.iter().map(residual).sum::<f64>() / (count - 2.0);
    Some(Slope {
        slope,
        stderr: (variance / spread).sqrt(),
    })
}
