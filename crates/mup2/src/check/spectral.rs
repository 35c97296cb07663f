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
    let Some(largest) = largest(matrix) else {
        return f64::NAN;
    };
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

/// The largest absolute value; none if a value is not finite.
fn largest(x: &[f32]) -> Option<f32> {
    // Without its sign, a float's bits grow with it, and beyond those of infinity are no numbers.
    let bits = x.iter().fold(0, |most, x| most.max(x.abs().to_bits()));
    let largest = f32::from_bits(bits);
    largest.is_finite().then_some(largest)
}

/// ‖x‖₂, in f64 and in independent lanes that the compiler turns into vector instructions.
pub(super) fn norm(x: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut lanes = [0.0_f64; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane += f64::from(*x) * f64::from(*x);
        }
    }
    let rest: f64 = rest.iter().map(|x| f64::from(*x).powi(2)).sum();
    (lanes.iter().sum::<f64>() + rest).sqrt()
}

fn normalize(x: &mut [f32]) {
    let norm = norm(x);
    if norm > 0.0 {
        for value in x {
            *value = (f64::from(*value) / norm) as f32;
        }
    }
}
