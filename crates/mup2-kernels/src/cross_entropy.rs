//! The loss of a classification, and its gradient.

use super::activation::exp;
use super::vector::{largest, sum, vectorized};
use pulp::{Simd, WithSimd};

/// `−Σ t log softmax(x)` summed over the rows of `x`, for targets t of as many `columns`; the softmax of each row
/// into `shares`.
pub fn cross_entropy(x: &[f32], targets: &[f32], columns: usize, shares: &mut [f32]) -> f64 {
    vectorized(CrossEntropy {
        x,
        targets,
        columns,
        shares,
    })
}

struct CrossEntropy<'a> {
    x: &'a [f32],
    targets: &'a [f32],
    columns: usize,
    shares: &'a mut [f32],
}

impl WithSimd for CrossEntropy<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let mut total = 0.0;
        let x = self.x.chunks_exact(self.columns);
        let rows = x.zip(self.targets.chunks_exact(self.columns));
        for ((x, targets), shares) in rows.zip(self.shares.chunks_exact_mut(self.columns)) {
            let most = largest(simd, x);
            for (x, share) in x.iter().zip(shares.iter_mut()) {
                *share = exp(x - most);
            }
            let sum_of_shares = sum(simd, shares);
            for share in shares {
                *share /= sum_of_shares;
            }
            // Σ t (log Σ e^x − x), which for a target of one class has one term.
            let of_all = most + sum_of_shares.ln();
            for (x, target) in x.iter().zip(targets) {
                if *target != 0.0 {
                    total += f64::from(*target) * f64::from(of_all - x);
                }
            }
        }
        total
    }
}

/// `factor` times the gradient of [`cross_entropy`], into `dx`.
pub fn cross_entropy_backward(
    shares: &[f32],
    targets: &[f32],
    columns: usize,
    factor: f32,
    dx: &mut [f32],
) {
    vectorized(CrossEntropyBackward {
        shares,
        targets,
        columns,
        factor,
        dx,
    });
}

struct CrossEntropyBackward<'a> {
    shares: &'a [f32],
    targets: &'a [f32],
    columns: usize,
    factor: f32,
    dx: &'a mut [f32],
}

impl WithSimd for CrossEntropyBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let shares = self.shares.chunks_exact(self.columns);
        let rows = shares.zip(self.targets.chunks_exact(self.columns));
        for ((shares, targets), dx) in rows.zip(self.dx.chunks_exact_mut(self.columns)) {
            let whole = sum(simd, targets);
            for ((share, target), dx) in shares.iter().zip(targets).zip(dx) {
                *dx = self.factor * share.mul_add(whole, -target);
            }
        }
    }
}
