//! The largest singular value of a matrix by Lanczos' iteration.

use crate::random::stream;
use mup2_kernels::gram_product;
use rand_distr::{Distribution, StandardNormal};

/// The iteration ends when the estimate changes by less than this share of itself. The estimate
/// grows monotonically towards the norm; perturbations and updates are nearly of low rank, so that
/// few iterations are needed, and the true error is smaller still.
pub const SPECTRAL_NORM_TOLERANCE: f64 = 1e-3;

/// More iterations than this mean a flat spectrum, whose largest values are all nearly equal: any of
/// them is then a good estimate.
const MOST_ITERATIONS: usize = 100;

/// ‖A‖_* of the `rows` × `columns` matrix A, given row by row; within about
/// [`SPECTRAL_NORM_TOLERANCE`] from below. 0 for an empty or zero matrix, NaN if an entry is not
/// finite.
///
/// The squared norm is the largest eigenvalue of AᵀA, here on the space that v, AᵀA v, (AᵀA)² v, … span: what
/// power iteration with as many products knows, and does not use. Both products of an iteration are made in one
/// pass over the matrix.
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
    let mut random = stream(0, "spectral-norm");
    let mut vector: Vec<f32> = (0..columns)
        .map(|_| StandardNormal.sample(&mut random))
        .collect();
    let length = norm(&vector);
    divide(&mut vector, length);
    let mut before = vec![0.0; columns];
    let mut next = vec![0.0; columns];
    let mut tridiagonal = Tridiagonal::default();
    let (mut estimate, mut off_diagonal) = (0.0, 0.0);
    for _ in 0..MOST_ITERATIONS {
        let diagonal = gram_product(matrix, scale, &vector, &mut next);
        for ((next, vector), before) in next.iter_mut().zip(&vector).zip(&before) {
            let known = diagonal * f64::from(*vector) + off_diagonal * f64::from(*before);
            *next = (f64::from(*next) - known) as f32;
        }
        tridiagonal.push(diagonal, off_diagonal);
        let previous = std::mem::replace(&mut estimate, tridiagonal.largest_eigenvalue().sqrt());
        off_diagonal = norm(&next);
        // What is left beside the space so far is rounding, or nothing.
        let is_whole = off_diagonal <= f64::from(f32::EPSILON) * estimate.powi(2);
        if is_whole || (estimate - previous).abs() <= SPECTRAL_NORM_TOLERANCE * estimate {
            break;
        }
        divide(&mut next, off_diagonal);
        std::mem::swap(&mut before, &mut vector);
        std::mem::swap(&mut vector, &mut next);
    }
    estimate / f64::from(scale)
}

/// A symmetric tridiagonal matrix with eigenvalues of at least 0, which grows.
#[derive(Default)]
struct Tridiagonal {
    /// Each entry of the diagonal with the one beside it in the row before.
    rows: Vec<(f64, f64)>,
}

impl Tridiagonal {
    fn push(&mut self, diagonal: f64, off_diagonal: f64) {
        self.rows.push((diagonal, off_diagonal));
    }

    /// By bisection, to the last digits that f32 has.
    fn largest_eigenvalue(&self) -> f64 {
        // Gershgorin's circles reach no further.
        let following = self.rows.iter().skip(1).map(|(_, beside)| *beside);
        let circles = self.rows.iter().zip(following.chain([0.0]));
        let ends = circles.map(|((diagonal, beside), after)| diagonal + beside + after);
        let (mut below, mut above) = (0.0, ends.fold(0.0, f64::max));
        while above - below > 1e-9 * above {
            let middle = f64::midpoint(below, above);
            if self.has_none_above(middle) {
                above = middle;
            } else {
                below = middle;
            }
        }
        above
    }

    /// Whether all eigenvalues are below `value` (Sylvester's law of inertia: all pivots of the matrix less `value`
    /// times the identity are negative).
    fn has_none_above(&self, value: f64) -> bool {
        let mut pivot = f64::NEG_INFINITY;
        self.rows.iter().all(|(diagonal, beside)| {
            pivot = diagonal - value - beside.powi(2) / pivot;
            pivot < 0.0
        })
    }
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

fn divide(x: &mut [f32], by: f64) {
    for value in x {
        *value = (f64::from(*value) / by) as f32;
    }
}
