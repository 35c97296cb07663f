//! The largest singular value of a matrix by power iteration.

use crate::kernels::gram_product;
use crate::random::stream;
use rand_distr::{Distribution, StandardNormal};

/// The iteration ends when the estimate changes by less than this share of itself. The estimate
/// grows monotonically towards the norm; perturbations and updates are nearly of low rank, so that
/// few iterations are needed and the true error is of the same order.
pub const POWER_ITERATION_TOLERANCE: f64 = 1e-3;

/// More iterations than this mean a flat spectrum, whose largest values are all nearly equal: any of
/// them is then a good estimate.
const MOST_ITERATIONS: usize = 200;

/// ‖A‖_* of the `rows` × `columns` matrix A, given row by row; within about
/// [`POWER_ITERATION_TOLERANCE`] from below. 0 for an empty or zero matrix, NaN if an entry is not
/// finite.
///
/// One iteration is `v ← AᵀA v / ‖AᵀA v‖`, both products in one pass over the matrix.
pub fn spectral_norm(matrix: &[f32], columns: usize) -> f64 {
    if matrix.is_empty() || columns == 0 {
        return 0.0;
    }
    if columns == 1 || columns == matrix.len() {
        return norm(matrix);
    }
    // Scaled to entries of at most 1: f32 squares of tiny perturbations would vanish.
    let largest = matrix.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    if !matrix.iter().all(|x| x.is_finite()) {
        return f64::NAN;
    }
    if largest == 0.0 {
        return 0.0;
    }
    let scale = largest.recip();
    let mut random = stream(0, "power-iteration");
    let mut vector: Vec<f32> = (0..columns)
        .map(|_| StandardNormal.sample(&mut random))
        .collect();
    normalize(&mut vector);
    let mut next = vec![0.0; columns];
    let mut estimate = 0.0;
    for _ in 0..MOST_ITERATIONS {
        let squared = gram_product(matrix, scale, &vector, &mut next);
        let previous = std::mem::replace(&mut estimate, squared.sqrt());
        if estimate == 0.0 || (estimate - previous).abs() <= POWER_ITERATION_TOLERANCE * estimate {
            break;
        }
        normalize(&mut next);
        std::mem::swap(&mut vector, &mut next);
    }
    estimate / f64::from(scale)
}

/// ‖x‖₂.
pub(super) fn norm(x: &[f32]) -> f64 {
    x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

fn normalize(x: &mut [f32]) {
    let norm = norm(x);
    if norm > 0.0 {
        for value in x {
            *value = (f64::from(*value) / norm) as f32;
        }
    }
}
