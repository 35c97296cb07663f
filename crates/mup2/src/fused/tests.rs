//! Fused operations against the composite ones in f64, with their gradients.

use super::*;
use burn::tensor::{DType, Device, TensorData};
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

/// A leaf of the graph, in both types.
#[derive(Clone)]
struct Leaf<const D: usize> {
    single: Tensor<D>,
    double: Tensor<D>,
}

fn leaf<const D: usize>(shape: [usize; D], seed: u64) -> Leaf<D> {
    let values = numbers(shape.iter().product(), seed);
    let device = Device::flex().autodiff();
    let of = |dtype: DType| {
        let data = TensorData::new(values.clone(), shape).convert_dtype(dtype);
        Tensor::from_data(data, (&device, dtype)).require_grad()
    };
    Leaf {
        single: of(DType::F32),
        double: of(DType::F64),
    }
}

fn assert_near<const D: usize>(found: Tensor<D>, expected: Tensor<D>, tolerance: f64, what: &str) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let numbers = |x: Tensor<D>| x.into_data().iter::<f64>().collect::<Vec<_>>();
    let (found, expected) = (numbers(found), numbers(expected));
    let largest = expected
        .iter()
        .fold(1.0, |most: f64, value| most.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let off = (found - expected).abs() / largest;
        assert!(off < tolerance, "{what}[{index}]: {found}, not {expected}");
    }
}

/// Compares outputs and, after a backward pass from a weighted sum of them, the gradients of `leaves`.
macro_rules! assert_equal {
    ($fused:expr, $composite:expr, $tolerance:expr, $($leaf:ident),*) => {{
        let (fused, composite) = ($fused, $composite);
        assert_near(fused.clone(), composite.clone(), $tolerance, "output");
        let shape = fused.dims();
        let weights = leaf(shape, 99);
        let fused = (fused * weights.single.without_autodiff()).sum().backward();
        let composite = (composite * weights.double.without_autodiff()).sum().backward();
        $(
            let what = concat!("gradient of ", stringify!($leaf));
            let (found, expected) = ($leaf.single.grad(&fused), $leaf.double.grad(&composite));
            assert_near(found.unwrap(), expected.unwrap(), $tolerance, what);
        )*
    }};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn convolution_equals_the_engines(
        (batch, inputs, outputs) in (1usize..4, 1usize..5, 1usize..15),
        (height, width) in (4usize..18, 4usize..18),
        (kernel, stride, padding) in (1usize..5, 1usize..4, 0usize..3),
    ) {
        let x = leaf([batch, inputs, height, width], 1);
        let w = leaf([outputs, inputs, kernel, kernel], 2);
        assert_equal!(
            convolve(x.single.clone(), w.single.clone(), stride, padding),
            composite::convolve(x.double.clone(), w.double.clone(), stride, padding),
            1e-5, x, w
        );
    }

    #[test]
    fn batch_normalization_equals_the_composite_one(
        (batch, channels, side) in (2usize..5, 1usize..5, 1usize..7),
        rectified: bool,
        seed in 1u64..100,
    ) {
        let x = leaf([batch, channels, side, side], seed);
        let (gain, bias) = (leaf([channels], seed + 1), leaf([channels], seed + 2));
        let of = |x: Tensor<4>, gain: Tensor<1>, bias: Tensor<1>, rectified| {
            batch_normalize(x, gain, bias, 1e-2, rectified)
        };
        let (y, moments) = of(x.single.clone(), gain.single.clone(), bias.single.clone(), rectified);
        let (exact, exact_moments) = of(x.double.clone(), gain.double.clone(), bias.double.clone(), rectified);
        // Rounding may put a value on the other side of the kink.
        let plain = of(x.double.clone(), gain.double.clone(), bias.double.clone(), false).0;
        let nearest = plain.without_autodiff().abs().min().into_scalar::<f64>();
        prop_assume!(!rectified || nearest > 1e-4);
        for (found, expected) in [
            (moments.mean, exact_moments.mean),
            (moments.variance, exact_moments.variance),
        ] {
            for (found, expected) in found.iter().zip(expected) {
                prop_assert!((found - expected).abs() < 1e-5, "{found}, not {expected}");
            }
        }
        assert_equal!(y, exact, 1e-4, x, gain, bias);
    }

    #[test]
    fn a_linear_layer_equals_the_engines(
        (rows, inputs, outputs) in (1usize..20, 1usize..50, 1usize..50),
    ) {
        let (x, w) = (leaf([rows, inputs], 1), leaf([inputs, outputs], 2));
        assert_equal!(
            linear(x.single.clone(), w.single.clone()),
            linear(x.double.clone(), w.double.clone()),
            1e-5, x, w
        );
    }

    #[test]
    fn a_layer_with_a_perturbation_of_low_rank_equals_the_composite_one(
        (rows, others) in (1usize..20, 1usize..20),
        (inputs, outputs) in (1usize..50, 1usize..50),
    ) {
        let (x, w) = (leaf([rows, inputs], 1), leaf([inputs, outputs], 2));
        let (a, g) = (leaf([others, inputs], 3), leaf([others, outputs], 4));
        let of = |x: Tensor<2>, w: Tensor<2>, a: Tensor<2>, g: Tensor<2>| perturbed_linear(x, w, a, g);
        assert_equal!(
            of(x.single.clone(), w.single.clone(), a.single.clone(), g.single.clone()),
            of(x.double.clone(), w.double.clone(), a.double.clone(), g.double.clone()),
            1e-5, x, w
        );
        let sum = w.double.clone() + a.double.transpose().matmul(g.double);
        let y = of(x.single.clone(), w.single.clone(), a.single, g.single);
        assert_near(y, x.double.matmul(sum), 1e-5, "x (w + aᵀ g)");
    }

    #[test]
    fn a_layer_whose_output_is_known_has_the_gradient_to_its_weight_alone(
        (rows, inputs, outputs) in (1usize..20, 1usize..50, 1usize..50),
    ) {
        let (x, w) = (leaf([rows, inputs], 1), leaf([inputs, outputs], 2));
        let y = leaf([rows, outputs], 3);
        let of = |x: Tensor<2>, w: Tensor<2>, y: Tensor<2>| known_linear(x, w, y);
        let found = of(x.single.clone(), w.single.clone(), y.single.clone());
        assert_equal!(found, of(x.double.clone(), w.double.clone(), y.double.clone()), 1e-5, w);
        let y_again = known_linear(x.double.clone(), w.double, y.double.clone());
        assert_near(y_again.clone(), y.double.clone(), 1e-12, "y");
        let gradients = y_again.sum().backward();
        prop_assert!(x.double.grad(&gradients).is_none());
        prop_assert!(y.double.grad(&gradients).is_none());
    }

    #[test]
    fn cross_entropy_equals_the_composite_one(
        (blocks, rows, classes) in (1usize..4, 1usize..6, 1usize..40),
        hard: bool,
    ) {
        let x = leaf([blocks * rows, classes], 5);
        // Shares of classes, or one class a row.
        let shares = leaf([blocks * rows, classes], 6);
        let of = |shares: Tensor<2>| match hard {
            true => shares.clone().equal(shares.max_dim(1)).float().cast(DType::F64),
            false => burn::tensor::activation::softmax(shares, 1),
        };
        let targets = of(shares.double.clone().without_autodiff()).autodiff();
        assert_equal!(
            cross_entropy(x.single.clone(), targets.clone().cast(DType::F32), blocks),
            cross_entropy(x.double.clone(), targets.clone(), blocks),
            1e-5, x
        );
    }

    #[test]
    fn products_of_rows_and_of_tensors_equal_the_engines(rows in 1usize..20, columns in 1usize..90) {
        let (x, y) = (leaf([rows, columns], 1), leaf([rows, columns], 2));
        assert_near(gram(x.single.clone()), gram(x.double.clone()), 1e-5, "x xᵀ");
        let products = [inner_product(x.single, y.single), inner_product(x.double, y.double)];
        prop_assert!((products[0] - products[1]).abs() < 1e-5 * (rows * columns) as f64, "{products:?}");
    }

    #[test]
    fn normalization_of_rows_equals_the_composite_one(rows in 1usize..9, channels in 2usize..40, seed in 1u64..100) {
        let x = leaf([rows, channels], seed);
        let (gain, bias) = (leaf([channels], seed + 1), leaf([channels], seed + 2));
        assert_equal!(
            normalize_rows(x.single.clone(), gain.single.clone(), bias.single.clone(), 1e-2),
            composite::normalize_rows(x.double.clone(), gain.double.clone(), bias.double.clone(), 1e-2),
            1e-4, x, gain, bias
        );
    }

    #[test]
    fn activations_and_softmax_equal_the_engines(rows in 1usize..5, heads in 1usize..4, columns in 1usize..40) {
        let x = leaf([rows, heads, columns], 7);
        assert_equal!(gelu(x.single.clone()), gelu(x.double.clone()), 1e-5, x);
        assert_equal!(relu(x.single.clone()), relu(x.double.clone()), 1e-5, x);
        assert_equal!(softmax(x.single.clone()), softmax(x.double.clone()), 1e-5, x);
        let other = leaf([rows, heads, columns], 8);
        assert_equal!(
            add_relu(x.single.clone(), other.single.clone()),
            add_relu(x.double.clone(), other.double.clone()),
            1e-5, x, other
        );
    }
}

#[test]
fn what_is_not_contiguous_is_read_in_its_own_order() {
    let x = leaf([3, 4, 5, 6], 1);
    let turned = |x: Tensor<4>| x.permute([2, 0, 3, 1]).slice([1..4, 0..3, 1..6, 0..4]);
    let w = leaf([7, 3, 3, 3], 2);
    assert_equal!(
        convolve(turned(x.single.clone()), w.single.clone(), 1, 1),
        composite::convolve(turned(x.double.clone()), w.double.clone(), 1, 1),
        1e-5,
        x,
        w
    );
    let x = leaf([3, 4, 5, 6], 3);
    assert_equal!(
        softmax(turned(x.single.clone())),
        softmax(turned(x.double.clone())),
        1e-5,
        x
    );
}

#[test]
fn a_scaled_sum_takes_memory_that_is_free_and_no_other() {
    let device = Device::flex();
    let tensor = |values: [f32; 3]| Tensor::<1>::from_data(values, &device);
    let near = |sum: Tensor<1>| assert_near(sum, tensor([6.0, 4.0, 2.0]), 1e-6, "sum");
    let (x, y) = (tensor([1.0, 2.0, 3.0]), tensor([10.0, 4.0, -2.0]));
    near(add_scaled(x.clone(), y.clone(), 0.5));
    near(add_scaled(tensor([1.0, 2.0, 3.0]), y.clone(), 0.5));
    near(add_scaled(x.clone(), tensor([10.0, 4.0, -2.0]), 0.5));
    // A slice shares its memory with what it was cut from.
    let whole = tensor([7.0, 1.0, 2.0]);
    let part = whole.clone().slice(1..3);
    let sum = add_scaled(part, Tensor::from_data([1.0, 1.0], &device), 2.0);
    assert_near(sum, Tensor::from_data([3.0, 4.0], &device), 1e-6, "part");
    assert_near(whole, tensor([7.0, 1.0, 2.0]), 1e-9, "whole");
    assert_near(x, tensor([1.0, 2.0, 3.0]), 1e-9, "x");
    assert_near(y, tensor([10.0, 4.0, -2.0]), 1e-9, "y");
    let leaf = leaf([5, 7], 3);
    assert_equal!(
        add_scaled(leaf.single.clone(), leaf.single.clone(), 3.0),
        add_scaled(leaf.double.clone(), leaf.double.clone(), 3.0),
        1e-6,
        leaf
    );
    let norms = [leaf.single, leaf.double].map(squared_norm);
    assert!((norms[0] - norms[1]).abs() < 1e-6 * norms[1], "{norms:?}");
}

#[test]
fn a_batch_without_autodiff_is_computed_too() {
    let device = Device::flex();
    let x = Tensor::<4>::from_data(
        TensorData::new(numbers(2 * 3 * 16, 1), [2, 3, 4, 4]),
        &device,
    );
    let vector = |value: f64| Tensor::<1>::full([3], value, &device);
    let (y, moments) = batch_normalize(x.clone(), vector(1.0), vector(0.0), 1e-5, false);
    let (same, same_moments) = composite::batch_normalize(x, vector(1.0), vector(0.0), 1e-5, false);
    assert_near(y, same, 1e-5, "normalized");
    assert_eq!(moments.mean.len(), same_moments.mean.len());
}

#[test]
fn rows_are_summed_whole_however_long_they_are() {
    for columns in [1, 511, 512, 513, 262_144, 300_001] {
        let x = Tensor::<2>::ones([2, columns], &Device::flex());
        let sums: Vec<f32> = composite::row_sums(x).into_data().try_to_vec().unwrap();
        assert_eq!(sums, [columns as f32; 2]);
    }
}
