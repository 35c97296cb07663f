//! The product of a matrix and its transpose with a vector, in one pass over the matrix.

use super::vector::{dot, vectorized};
use pulp::{Simd, WithSimd};

/// `Aᵀ A v` into `product`, for `A = scale · matrix`, given row by row; and `‖A v‖²`.
pub fn gram_product(matrix: &[f32], scale: f32, vector: &[f32], product: &mut [f32]) -> f64 {
    vectorized(GramProduct {
        matrix,
        scale,
        vector,
        product,
    })
}

struct GramProduct<'a> {
    matrix: &'a [f32],
    scale: f32,
    vector: &'a [f32],
    product: &'a mut [f32],
}

impl WithSimd for GramProduct<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        self.product.fill(0.0);
        let mut squared = 0.0;
        for row in self.matrix.chunks_exact(self.vector.len()) {
            let image = dot(simd, row, self.vector) * self.scale;
            squared += f64::from(image).powi(2);
            let share = image * self.scale;
            for (sum, entry) in self.product.iter_mut().zip(row) {
                *sum = entry.mul_add(share, *sum);
            }
        }
        squared
    }
}
