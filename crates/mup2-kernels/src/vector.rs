//! How a kernel gets the processor's vectors.

use pulp::{Arch, Simd, WithSimd};

/// No vector has more lanes.
pub(super) const MOST_LANES: usize = 16;

/// Runs `kernel` with the widest vectors that this processor has.
pub(super) fn vectorized<K: WithSimd>(kernel: K) -> K::Output {
    Arch::new().dispatch(kernel)
}

/// The vector at the beginning of `values`; 0 beyond their end.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, values: &[f32]) -> S::f32s {
    match S::as_simd_f32s(values).0.first() {
        Some(vector) => *vector,
        None => simd.partial_load_f32s(values),
    }
}

/// Writes `vector` to the beginning of `values`, as much of it as there is room for.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, values: &mut [f32], vector: S::f32s) {
    match S::as_mut_simd_f32s(values).0.first_mut() {
        Some(place) => *place = vector,
        None => simd.partial_store_f32s(values, vector),
    }
}

/// Vectors that are summed side by side, so that no addition waits for the one before.
const SUMS: usize = 4;

/// Sum of all values.
#[inline(always)]
pub(super) fn sum<S: Simd>(simd: S, values: &[f32]) -> f32 {
    let (vectors, rest) = S::as_simd_f32s(values);
    let mut sums = [simd.splat_f32s(0.0); SUMS];
    let (whole, vectors_rest) = vectors.as_chunks::<SUMS>();
    for vectors in whole {
        for (sum, &vector) in sums.iter_mut().zip(vectors) {
            *sum = simd.add_f32s(*sum, vector);
        }
    }
    for (sum, &vector) in sums.iter_mut().zip(vectors_rest) {
        *sum = simd.add_f32s(*sum, vector);
    }
    reduce(simd, sums) + rest.iter().sum::<f32>()
}

/// Sum of the products of two slices of one length.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, one: &[f32], other: &[f32]) -> f32 {
    let ((ones, one_rest), (others, other_rest)) = (S::as_simd_f32s(one), S::as_simd_f32s(other));
    let mut sums = [simd.splat_f32s(0.0); SUMS];
    let ((ones, ones_rest), (others, others_rest)) =
        (ones.as_chunks::<SUMS>(), others.as_chunks::<SUMS>());
    for (ones, others) in ones.iter().zip(others) {
        for (sum, (&one, &other)) in sums.iter_mut().zip(ones.iter().zip(others)) {
            *sum = simd.mul_add_f32s(one, other, *sum);
        }
    }
    for (sum, (&one, &other)) in sums.iter_mut().zip(ones_rest.iter().zip(others_rest)) {
        *sum = simd.mul_add_f32s(one, other, *sum);
    }
    let rest: f32 = one_rest
        .iter()
        .zip(other_rest)
        .map(|(one, other)| one * other)
        .sum();
    reduce(simd, sums) + rest
}

/// The largest value; −∞ if there is none.
#[inline(always)]
pub(super) fn largest<S: Simd>(simd: S, values: &[f32]) -> f32 {
    let (vectors, rest) = S::as_simd_f32s(values);
    let mut most = simd.splat_f32s(f32::NEG_INFINITY);
    for &vector in vectors {
        most = simd.max_f32s(most, vector);
    }
    rest.iter()
        .fold(simd.reduce_max_f32s(most), |most, &value| most.max(value))
}

#[inline(always)]
fn reduce<S: Simd>(simd: S, sums: [S::f32s; SUMS]) -> f32 {
    let halves = [
        simd.add_f32s(sums[0], sums[1]),
        simd.add_f32s(sums[2], sums[3]),
    ];
    simd.reduce_sum_f32s(simd.add_f32s(halves[0], halves[1]))
}
