//! Against the definitions in f64, their gradients by central differences.

use super::*;
use proptest::prelude::*;

/// Numbers between −2 and 2 without a pattern.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 22) as f32 - 2.0
    };
    (0..count).map(|_| next()).collect()
}

/// As [`numbers`], so many of eight of them replaced by zeros.
fn with_zeros(count: usize, zeros: u8, seed: u64) -> Vec<f32> {
    let (mut values, places) = (numbers(count, seed), numbers(count, seed + 7));
    for (value, place) in values.iter_mut().zip(places) {
        if place < f32::from(zeros) / 2.0 - 2.0 {
            *value = 0.0;
        }
    }
    values
}

fn assert_near(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected
        .iter()
        .fold(1.0, |most: f64, value| most.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(*found) - expected).abs() / largest;
        assert!(off < tolerance, "{what}[{index}]: {found}, not {expected}");
    }
}

/// Gradient of `Σ dy·function(x)` by central differences.
fn differences(function: impl Fn(&[f64]) -> Vec<f64>, x: &[f32], dy: &[f32]) -> Vec<f64> {
    let step = 1e-5;
    let x: Vec<f64> = x.iter().copied().map(f64::from).collect();
    let loss = |x: &[f64]| -> f64 {
        function(x)
            .iter()
            .zip(dy)
            .map(|(y, dy)| y * f64::from(*dy))
            .sum()
    };
    let slope = |at: usize| {
        let moved = |by: f64| {
            let mut moved = x.clone();
            moved[at] += by;
            loss(&moved)
        };
        (moved(step) - moved(-step)) / (2.0 * step)
    };
    (0..x.len()).map(slope).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Φ(x) by Simpson's rule.
fn normal(x: f64) -> f64 {
    let steps = 2000;
    let density = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let width = x / f64::from(steps);
    let inner: f64 = (1..steps)
        .map(|step| density(width * f64::from(step)) * if step % 2 == 1 { 4.0 } else { 2.0 })
        .sum();
    0.5 + width / 3.0 * (density(0.0) + inner + density(x))
}

#[test]
fn gelu_and_its_gradient_are_those_of_the_normal_distribution() {
    let x: Vec<f32> = (-60..=60).map(|step| step as f32 / 10.0).collect();
    let dy = numbers(x.len(), 1);
    let exact = |x: &[f64]| x.iter().map(|&x| x * normal(x)).collect::<Vec<_>>();
    let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    gelu(&x, &mut y);
    assert_near(&y, &exact(&wide(&x)), 2e-7, "gelu");
    gelu_backward(&x, &dy, &mut dx);
    assert_near(&dx, &differences(exact, &x, &dy), 1e-6, "its gradient");
}

#[test]
fn what_is_not_a_number_stays_so() {
    let x = [f32::NAN, 1.0, -1.0];
    let mut y = x;
    relu(&mut y);
    assert!(y[0].is_nan() && y[1..] == [1.0, 0.0], "{y:?}");
    gelu(&x, &mut y);
    assert!(y[0].is_nan() && y[1] > 0.0, "{y:?}");
    softmax(&x, 3, &mut y);
    assert!(y.iter().all(|y| y.is_nan()), "{y:?}");
    let map = ChannelMap {
        scale: vec![1.0],
        shift: vec![0.0],
    };
    map_channels(&map, 3, true, &x, &mut y);
    assert!(y[0].is_nan() && y[1..] == [1.0, 0.0], "{y:?}");
}

#[test]
fn softmax_does_not_overflow() {
    let mut y = [0.0; 3];
    softmax(&[1000.0, 1000.0, -1000.0], 3, &mut y);
    assert_eq!(y, [0.5, 0.5, 0.0].map(|share: f32| share), "{y:?}");
}

fn softmax_as_defined(x: &[f64], columns: usize) -> Vec<f64> {
    let row = |row: &[f64]| {
        let total: f64 = row.iter().map(|x| x.exp()).sum();
        row.iter().map(|x| x.exp() / total).collect::<Vec<_>>()
    };
    x.chunks_exact(columns).flat_map(row).collect()
}

/// Mean and variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (
        mean,
        values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / count,
    )
}

fn layer_norm_as_defined(x: &[f64], gain: &[f64], bias: &[f64], epsilon: f64) -> Vec<f64> {
    let row = |row: &[f64]| {
        let (mean, variance) = moments(row);
        let normalized = row.iter().map(|x| (x - mean) / (variance + epsilon).sqrt());
        let affine = normalized
            .zip(gain)
            .zip(bias)
            .map(|((x, gain), bias)| gain * x + bias);
        affine.collect::<Vec<_>>()
    };
    x.chunks_exact(gain.len()).flat_map(row).collect()
}

#[derive(Clone, Copy)]
struct Batch {
    channels: usize,
    pixels: usize,
    rectified: bool,
}

const EPSILON: f64 = 1e-5;

impl Batch {
    fn values(&self, x: &[f64], channel: usize) -> Vec<f64> {
        let images = x.chunks_exact(self.channels * self.pixels);
        images
            .flat_map(|image| &image[channel * self.pixels..][..self.pixels])
            .copied()
            .collect()
    }

    fn as_defined(&self, x: &[f64], gain: &[f64], bias: &[f64]) -> Vec<f64> {
        let moments: Vec<(f64, f64)> = (0..self.channels)
            .map(|channel| moments(&self.values(x, channel)))
            .collect();
        let value = |(place, x): (usize, &f64)| {
            let channel = place / self.pixels % self.channels;
            let (mean, variance) = moments[channel];
            let y = gain[channel] * (x - mean) / (variance + EPSILON).sqrt() + bias[channel];
            if self.rectified { y.max(0.0) } else { y }
        };
        x.iter().enumerate().map(value).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn softmax_of_any_rows_is_as_defined(rows in 1usize..5, columns in 1usize..40, seed in 1u64..1000) {
        let (x, dy) = (numbers(rows * columns, seed), numbers(rows * columns, seed + 1));
        let exact = |x: &[f64]| softmax_as_defined(x, columns);
        let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
        softmax(&x, columns, &mut y);
        assert_near(&y, &exact(&wide(&x)), 1e-6, "y");
        softmax_backward(&y, &dy, columns, &mut dx);
        assert_near(&dx, &differences(exact, &x, &dy), 1e-5, "dx");
    }

    #[test]
    fn normalization_of_any_rows_is_as_defined(rows in 1usize..5, channels in 2usize..40, seed in 1u64..1000) {
        let (x, dy) = (numbers(rows * channels, seed), numbers(rows * channels, seed + 1));
        let (gain, bias) = (numbers(channels, seed + 2), numbers(channels, seed + 3));
        let exact = |x: &[f64], gain: &[f64], bias: &[f64]| layer_norm_as_defined(x, gain, bias, 1e-2);
        let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
        normalize_rows(&x, &gain, &bias, 1e-2, &mut y);
        let (gains, biases) = (wide(&gain), wide(&bias));
        assert_near(&y, &exact(&wide(&x), &gains, &biases), 1e-5, "y");
        let (dgain, dbias) = normalize_rows_backward(&x, &gain, 1e-2, &dy, &mut dx);
        assert_near(&dx, &differences(|x| exact(x, &gains, &biases), &x, &dy), 1e-4, "dx");
        assert_near(&dgain, &differences(|gain| exact(&wide(&x), gain, &biases), &gain, &dy), 1e-4, "dgain");
        assert_near(&dbias, &differences(|bias| exact(&wide(&x), &gains, bias), &bias, &dy), 1e-4, "dbias");
    }

    #[test]
    fn normalization_of_any_batch_is_as_defined(
        (batch, channels, pixels) in (1usize..4, 1usize..5, 1usize..40),
        rectified: bool,
        offset in -3f32..3.0,
        seed in 1u64..1000,
    ) {
        prop_assume!(batch * pixels > 2);
        let of = Batch { channels, pixels, rectified };
        let x: Vec<f32> = numbers(batch * channels * pixels, seed).iter().map(|x| x + offset).collect();
        let dy = numbers(x.len(), seed + 1);
        let (gain, bias) = (numbers(channels, seed + 2), numbers(channels, seed + 3));
        let (gains, biases) = (wide(&gain), wide(&bias));
        let exact = of.as_defined(&wide(&x), &gains, &biases);
        // A kink within the step of the differences has no slope.
        prop_assume!(!rectified || exact.iter().all(|y| *y == 0.0 || *y > 1e-3));
        let unrectified = Batch { rectified: false, ..of }.as_defined(&wide(&x), &gains, &biases);
        prop_assume!(unrectified.iter().all(|y| y.abs() > 1e-3));
        let (mean, variance) = channel_moments(&x, channels, pixels);
        for channel in 0..channels {
            let expected = moments(&of.values(&wide(&x), channel));
            assert_near(&[mean[channel], variance[channel]], &[expected.0, expected.1], 1e-6, "moments");
        }
        let inverse: Vec<f32> = variance.iter().map(|v| 1.0 / (v + EPSILON as f32).sqrt()).collect();
        let mut y = vec![f32::NAN; x.len()];
        map_channels(&ChannelMap::new(&mean, &inverse, &gain, &bias), pixels, rectified, &x, &mut y);
        assert_near(&y, &exact, 1e-5, "y");
        let of_kernel = BatchNormalization {
            x: &x, mean: &mean, inverse: &inverse, gain: &gain, bias: &bias, rectified, pixels,
        };
        let mut dx = vec![f32::NAN; x.len()];
        let (dgain, dbias) = of_kernel.backward(&dy, &mut dx);
        assert_near(&dx, &differences(|x| of.as_defined(x, &gains, &biases), &x, &dy), 1e-3, "dx");
        assert_near(&dgain, &differences(|gain| of.as_defined(&wide(&x), gain, &biases), &gain, &dy), 1e-4, "dgain");
        assert_near(&dbias, &differences(|bias| of.as_defined(&wide(&x), &gains, bias), &bias, &dy), 1e-4, "dbias");
    }
}

/// Any width, or for half of them one of whole vectors.
fn widths((any, vectors): (usize, usize)) -> usize {
    if any % 2 == 0 { any } else { 16 * vectors }
}

#[test]
fn zeros_are_skipped_where_there_are_many_so_that_they_take_nothing_that_is_infinite() {
    let (rows, inputs, outputs) = (64, 96, 32);
    let mut x = with_zeros(rows * inputs, 6, 1);
    x.chunks_exact_mut(inputs).for_each(|row| row[5] = 0.0);
    let mut w = numbers(inputs * outputs, 2);
    w[5 * outputs..6 * outputs].fill(f32::INFINITY);
    let mut y = vec![f32::NAN; rows * outputs];
    linear(&x, &w, [inputs, outputs], &mut y);
    assert!(y.iter().all(|y| y.is_finite()));
    // What is no number is not zero.
    x[0] = f32::NAN;
    linear(&x, &w, [inputs, outputs], &mut y);
    assert!(y[..outputs].iter().all(|y| y.is_nan()));
    assert!(y[outputs..].iter().all(|y| y.is_finite()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn products_of_any_linear_layer_are_as_defined(
        (rows, inputs, outputs) in (1usize..150, 1usize..300, (1usize..220, 1usize..9).prop_map(widths)),
        (zeros_of_x, zeros_of_dy) in (0u8..=8, 0u8..=8),
        seed in 1u64..1000,
    ) {
        let (x, w) = (with_zeros(rows * inputs, zeros_of_x, seed), numbers(inputs * outputs, seed + 1));
        let dy = with_zeros(rows * outputs, zeros_of_dy, seed + 2);
        let product = |a: &dyn Fn(usize, usize) -> f32, b: &dyn Fn(usize, usize) -> f32, [rows, inner, columns]: [usize; 3]| {
            let entry = |place: usize| -> f64 {
                let (row, column) = (place / columns, place % columns);
                (0..inner).map(|k| f64::from(a(row, k)) * f64::from(b(k, column))).sum()
            };
            (0..rows * columns).map(entry).collect::<Vec<_>>()
        };
        let sizes = [inputs, outputs];
        let mut y = vec![f32::NAN; rows * outputs];
        linear(&x, &w, sizes, &mut y);
        let exact = product(&|i, k| x[i * inputs + k], &|k, j| w[k * outputs + j], [rows, inputs, outputs]);
        assert_near(&y, &exact, 1e-5, "y");
        let dw = weight_gradient(&x, &dy, sizes);
        let exact = product(&|i, k| x[k * inputs + i], &|k, j| dy[k * outputs + j], [inputs, rows, outputs]);
        assert_near(&dw, &exact, 1e-5, "dw");
        let mut dx = vec![f32::NAN; x.len()];
        input_gradient(&dy, &w, sizes, &mut dx);
        let exact = product(&|i, k| dy[i * outputs + k], &|k, j| w[j * outputs + k], [rows, outputs, inputs]);
        assert_near(&dx, &exact, 1e-5, "dx");
        // What was there is added to, not written over.
        let mut sum = y.clone();
        add_linear(&x, &w, sizes, &mut sum);
        let twice: Vec<f64> = y.iter().map(|&y| 2.0 * f64::from(y)).collect();
        assert_near(&sum, &twice, 1e-5, "y + x w");
    }

    #[test]
    fn a_descent_has_the_bits_of_the_gradient_and_the_sums_after_it(
        (rows, inputs, outputs) in (1usize..100, 1usize..300, (1usize..150, 1usize..9).prop_map(widths)),
        (decay, momentum, nesterov) in (0u8..2, 0u8..2, proptest::bool::ANY),
        (zeros_of_x, zeros_of_dy) in (0u8..=8, 0u8..=8),
        seed in 1u64..1000,
    ) {
        let x = with_zeros(rows * inputs, zeros_of_x, seed);
        let dy = with_zeros(rows * outputs, zeros_of_dy, seed + 1);
        let (mut w, mut v) = (numbers(inputs * outputs, seed + 2), numbers(inputs * outputs, seed + 3));
        let descent = Descent { rate: -0.1, decay: 0.01 * f32::from(decay), momentum: 0.9, nesterov };
        let (mut moved, mut velocity) = (w.clone(), v.clone());
        match momentum {
            0 => descend(&x, &dy, [inputs, outputs], descent, &mut moved),
            _ => descend_with_velocity(&x, &dy, [inputs, outputs], descent, [&mut moved, &mut velocity]),
        }
        let mut g = weight_gradient(&x, &dy, [inputs, outputs]);
        if decay == 1 {
            add_scaled(&mut g, &w, descent.decay);
        }
        if momentum == 1 {
            scale_and_add(&g, &mut v, descent.momentum);
            match nesterov {
                true => add_scaled(&mut g, &v, descent.momentum),
                false => g.clone_from(&v),
            }
        }
        add_scaled(&mut w, &g, descent.rate);
        prop_assert_eq!(moved, w);
        prop_assert_eq!(velocity, v);
    }

    #[test]
    fn products_of_any_rows_are_as_defined(
        (rows, others, columns) in (1usize..30, 1usize..30, 1usize..200),
        seed in 1u64..1000,
    ) {
        let (x, y) = (numbers(rows * columns, seed), numbers(others * columns, seed + 1));
        let exact = |y: &[f32]| -> Vec<f64> {
            let pairs = x.chunks(columns).flat_map(|x| y.chunks(columns).map(move |y| (x, y)));
            let product = |(x, y): (&[f32], &[f32])| {
                x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
            };
            pairs.map(product).collect()
        };
        let mut products = vec![f32::NAN; rows * others];
        row_products(&x, &y, columns, &mut products);
        assert_near(&products, &exact(&y), 1e-5, "x yᵀ");
        let mut products = vec![f32::NAN; rows * rows];
        gram(&x, columns, &mut products);
        assert_near(&products, &exact(&x), 1e-5, "x xᵀ");
        for (row, column) in (0..rows).flat_map(|row| (0..row).map(move |column| (row, column))) {
            prop_assert_eq!(products[row * rows + column], products[column * rows + row]);
        }
    }
}
