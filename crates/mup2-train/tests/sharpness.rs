//! Eigenvalues, traces and the loss in a ball, against exact Hessians.
//!
//! The numbers of the network are those that `scripts/reference/sharpness.py` prints (NumPy, dense Hessian).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use mup2::sharpness::{Direction, Landscape, Options, Part, PowerIteration, Sharpness, measure};
use mup2::step::{AsamOptions, Geometry, Sam, SamConfig};
use mup2_scaling::error::Result;
use mup2_scaling::{
    AsamBias, Parameterization, Perturbation, Role, Rule, ScalingTable, Scheme, TensorKind,
    TensorShape, scale,
};
use proptest::prelude::*;

fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D], dtype: DType) -> Tensor<D> {
    let data = TensorData::new(values, shape).convert_dtype(dtype);
    Tensor::from_data(data, (&Device::flex().autodiff(), dtype))
}

fn numbers(tensor: &Tensor<1>) -> Vec<f64> {
    let data = tensor.clone().into_data().convert::<f64>();
    data.try_to_vec().unwrap()
}

fn power(seed: u64) -> PowerIteration {
    PowerIteration {
        max_iterations: 3000,
        tolerance: 1e-9,
        seed,
    }
}

/// Of independent numbers, without a pattern that the code under test could share.
fn wave(count: usize, amplitude: f64, step: f64, phase: f64) -> Vec<f64> {
    let entry = |k| amplitude * (step * k as f64 + phase).sin();
    (0..count).map(entry).collect()
}

/// The weights of a quadratic loss `½ wᵀAw + bᵀw`.
#[derive(Module, Debug)]
struct Point {
    w: Param<Tensor<1>>,
}

struct Quadratic {
    side: usize,
    matrix: Vec<f64>,
    dtype: DType,
}

impl Quadratic {
    /// A diagonal one.
    fn diagonal(eigenvalues: &[f64]) -> Self {
        let side = eigenvalues.len();
        let mut matrix = vec![0.0; side * side];
        for (index, value) in eigenvalues.iter().enumerate() {
            matrix[index * side + index] = *value;
        }
        Self {
            side,
            matrix,
            dtype: DType::F64,
        }
    }

    /// With these eigenvalues, turned by a reflection: no entry is zero.
    fn turned(eigenvalues: &[f64], dtype: DType) -> Self {
        let side = eigenvalues.len();
        let mirror = wave(side, 1.0, 1.9, 0.3);
        let square: f64 = mirror.iter().map(|x| x * x).sum();
        let q =
            |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * mirror[i] * mirror[j] / square;
        let entry = |i, j| {
            let terms = (0..side).map(|k| q(i, k) * eigenvalues[k] * q(j, k));
            terms.sum::<f64>()
        };
        let matrix = (0..side * side).map(|at| entry(at / side, at % side));
        Self {
            side,
            matrix: matrix.collect(),
            dtype,
        }
    }

    fn point(&self) -> Point {
        Point {
            w: Param::from_tensor(tensor(
                wave(self.side, 1.0, 0.7, 0.2),
                [self.side],
                self.dtype,
            )),
        }
    }

    fn gradient(&self) -> impl FnMut(&Point) -> Result<(Tensor<1>, GradientsParams)> {
        let (side, dtype) = (self.side, self.dtype);
        let matrix = tensor(self.matrix.clone(), [side, side], dtype);
        let slope = tensor(wave(side, 0.5, 1.1, 0.9), [side], dtype);
        move |point| {
            let w = point.w.val();
            let row = w.clone().reshape([1, side]);
            let column = w.clone().reshape([side, 1]);
            let square = row.matmul(matrix.clone()).matmul(column).reshape([1]);
            let loss = square.mul_scalar(0.5) + (w * slope.clone()).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), point);
            Ok((loss, gradients))
        }
    }

    fn product(&self, v: &[f64]) -> Vec<f64> {
        let row = |i: usize| {
            let terms = (0..self.side).map(|j| self.matrix[i * self.side + j] * v[j]);
            terms.sum()
        };
        (0..self.side).map(row).collect()
    }
}

fn relative_error(found: &[f64], exact: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(exact).map(|(a, b)| a - b));
    difference / norm(&mut exact.iter().copied())
}

/// ‖found − Hv‖ / ‖Hv‖ of one product.
fn product_error(dtype: DType) -> f64 {
    let eigenvalues: Vec<f64> = (0..60).map(|k| 20.0 * 0.8_f64.powi(k)).collect();
    let quadratic = Quadratic::turned(&eigenvalues, dtype);
    let point = quadratic.point();
    let mut landscape = Landscape::new(&point, quadratic.gradient()).unwrap();
    let v = wave(60, 1.0, 2.7, 0.4);
    let flat = tensor(v.clone(), [60], dtype).without_autodiff();
    let direction = Direction::new(vec![Some(flat)]);
    let geometry = Geometry::euclidean(&point);
    let product = landscape
        .hessian_product(&geometry, Part::Whole, &direction, &mut 0.0)
        .unwrap();
    let found = numbers(product.tensors()[0].as_ref().unwrap());
    relative_error(&found, &quadratic.product(&v))
}

#[test]
fn a_product_with_the_hessian_is_right_to_four_digits_in_f32_and_to_nine_in_f64() {
    let (single, double) = (product_error(DType::F32), product_error(DType::F64));
    println!("relative error of a product: f32 {single:.1e}, f64 {double:.1e}");
    assert!(single < 1e-4, "{single}");
    assert!(double < 1e-9, "{double}");
}

#[test]
fn a_loss_that_bends_within_a_small_part_of_the_weights_norm_is_measured_closely_enough() {
    // ∛ε of this norm is four periods of the cosine.
    let mut weights = vec![0.0; 101];
    weights[100] = 100.0;
    let point = Point {
        w: Param::from_tensor(tensor(weights, [101], DType::F32)),
    };
    let wavy = |point: &Point| {
        let wave = point.w.val().narrow(0, 0, 1).mul_scalar(50.0).cos();
        let loss = wave.mul_scalar(-100.0).add_scalar(150.0);
        let gradients = GradientsParams::from_grads(loss.backward(), point);
        Ok((loss, gradients))
    };
    let mut landscape = Landscape::new(&point, wavy).unwrap();
    let geometry = Geometry::euclidean(&point);
    let found = landscape
        .top_eigenvalues(&geometry, Part::Whole, &power(0))
        .unwrap();
    let relative = found.largest_magnitude.value / (100.0 * 50.0 * 50.0) - 1.0;
    assert!(relative.abs() < 1e-2, "{found:?}");
}

#[test]
fn the_dominant_eigenvalue_keeps_its_sign_and_the_most_positive_one_is_found_by_shift() {
    let quadratic = Quadratic::turned(&[-5.0, 3.0, 1.0, -0.5, 0.0, 2.0], DType::F64);
    let point = quadratic.point();
    let geometry = Geometry::euclidean(&point);
    for seed in 0..5 {
        let mut landscape = Landscape::new(&point, quadratic.gradient()).unwrap();
        let found = landscape
            .top_eigenvalues(&geometry, Part::Whole, &power(seed))
            .unwrap();
        let (largest, positive) = (found.largest_magnitude, found.most_positive);
        assert!((largest.value + 5.0).abs() < 1e-6, "{largest:?}");
        assert!((positive.value - 3.0).abs() < 1e-6, "{positive:?}");
        assert!(largest.converged && positive.converged);
        assert!(largest.residual < 1e-3 && positive.residual < 1e-3);
        let products = largest.iterations + positive.iterations;
        assert_eq!(landscape.evaluations(), 1 + 2 * products);
    }
}

#[test]
fn too_few_iterations_are_reported_as_such() {
    let quadratic = Quadratic::turned(&[3.0, 2.9, 1.0], DType::F64);
    let point = quadratic.point();
    let mut landscape = Landscape::new(&point, quadratic.gradient()).unwrap();
    let few = PowerIteration {
        max_iterations: 3,
        ..power(0)
    };
    let found = landscape
        .top_eigenvalues(&Geometry::euclidean(&point), Part::Whole, &few)
        .unwrap();
    assert_eq!(found.largest_magnitude.iterations, 3);
    assert!(!found.largest_magnitude.converged);
    assert!(found.largest_magnitude.residual > 1e-3);
}

#[test]
fn a_flat_loss_has_the_eigenvalue_zero() {
    let quadratic = Quadratic::diagonal(&[0.0, 0.0, 0.0]);
    let point = quadratic.point();
    let mut landscape = Landscape::new(&point, quadratic.gradient()).unwrap();
    let found = landscape
        .top_eigenvalues(&Geometry::euclidean(&point), Part::Whole, &power(0))
        .unwrap();
    assert!(found.most_positive.value.abs() < 1e-6, "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn the_trace_of_a_diagonal_hessian_is_exact_with_every_random_vector(
        seed: u64, eigenvalues in prop::collection::vec(-3.0..3.0_f64, 2..12),
    ) {
        let quadratic = Quadratic::diagonal(&eigenvalues);
        let point = quadratic.point();
        let mut landscape = Landscape::new(&point, quadratic.gradient()).unwrap();
        let geometry = Geometry::euclidean(&point);
        let found = landscape.trace(&geometry, Part::Whole, 3, seed).unwrap().unwrap();
        prop_assert!((found.value - eigenvalues.iter().sum::<f64>()).abs() < 1e-5);
        prop_assert!(found.standard_error.unwrap() < 1e-5);
    }
}

#[test]
fn the_estimated_trace_is_within_its_standard_error_of_the_exact_one() {
    let quadratic = Quadratic::turned(&[4.0, -1.0, 2.0, 0.5, 1.5], DType::F64);
    let point = quadratic.point();
    let geometry = Geometry::euclidean(&point);
    let mut squares = 0.0;
    for seed in 0..40 {
        let mut landscape = Landscape::new(&point, quadratic.gradient()).unwrap();
        let found = landscape
            .trace(&geometry, Part::Whole, 50, seed)
            .unwrap()
            .unwrap();
        let error = found.standard_error.unwrap();
        assert!(error > 0.1, "{found:?}");
        squares += ((found.value - 7.0) / error).powi(2);
    }
    // The mean square of 40 standardized errors: 1, with a standard deviation of 0.22.
    assert!((0.4..1.8).contains(&(squares / 40.0)), "{}", squares / 40.0);
    let mut landscape = Landscape::new(&point, quadratic.gradient()).unwrap();
    let single = landscape
        .trace(&geometry, Part::Whole, 1, 0)
        .unwrap()
        .unwrap();
    assert_eq!(single.standard_error, None);
    assert!(
        landscape
            .trace(&geometry, Part::Whole, 0, 0)
            .unwrap()
            .is_none()
    );
}

#[test]
fn the_loss_in_a_ball_of_a_quadratic_is_found_even_where_the_gradient_is_zero() {
    // ½·4·0.1² and no more, at the bottom of a bowl.
    let device = Device::flex().autodiff();
    let zero = Tensor::<1>::zeros([3], (&device, DType::F64));
    let point = Point {
        w: Param::from_tensor(zero),
    };
    let curvatures = tensor(vec![4.0, 1.0, 2.0], [3], DType::F64);
    let bowl = |point: &Point| {
        let loss = (point.w.val().square() * curvatures.clone()).sum();
        let loss = loss.mul_scalar(0.5);
        let gradients = GradientsParams::from_grads(loss.backward(), point);
        Ok((loss, gradients))
    };
    let mut landscape = Landscape::new(&point, bowl).unwrap();
    let geometry = Geometry::euclidean(&point);
    let found = landscape.sam_sharpness(&geometry, Part::Whole, 0.1, 30, 0);
    let found = found.unwrap();
    assert_eq!(found.one_step, 0.0);
    assert!((found.value - 0.02).abs() < 1e-9, "{found:?}");
    for radius in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = landscape.sam_sharpness(&geometry, Part::Whole, radius, 1, 0);
        let message = error.unwrap_err().to_string();
        assert!(message.contains("finite numbers above 0"), "{message}");
    }
}

/// The network of the script.
#[derive(Module, Debug)]
struct Net {
    input: Layer,
    hidden: Layer,
    readout: Layer,
}

#[derive(Module, Debug)]
struct Layer {
    weight: Param<Tensor<2>>,
    bias: Option<Param<Tensor<1>>>,
}

impl Net {
    fn new() -> Self {
        let weight = |shape: [usize; 2], (amplitude, step, phase)| {
            let values = wave(shape[0] * shape[1], amplitude, step, phase);
            Param::from_tensor(tensor(values, shape, DType::F64))
        };
        let bias = tensor(wave(5, 0.3, 0.9, 0.2), [5], DType::F64);
        Self {
            input: Layer {
                weight: weight([4, 5], (0.9, 2.3, 0.4)),
                bias: Some(Param::from_tensor(bias)),
            },
            hidden: Layer {
                weight: weight([5, 3], (1.1, 1.3, 0.7)),
                bias: None,
            },
            readout: Layer {
                weight: weight([3, 3], (0.8, 3.1, 0.5)),
                bias: None,
            },
        }
    }

    fn gradient(&self) -> Result<(Tensor<1>, GradientsParams)> {
        let x = tensor(wave(24, 1.5, 1.7, 0.1), [6, 4], DType::F64);
        let labels = TensorData::new(vec![0_i64, 1, 2, 0, 1, 2], [6, 1]);
        let labels: Tensor<2, Int> = Tensor::from_data(labels, &x.device());
        let bias = self.input.bias.as_ref().unwrap().val();
        let x = (x.matmul(self.input.weight.val()) + bias.unsqueeze()).tanh();
        let x = x.matmul(self.hidden.weight.val()).tanh();
        let logits = x.matmul(self.readout.weight.val());
        let loss = log_softmax(logits, 1).gather(1, labels).mean().neg();
        let gradients = GradientsParams::from_grads(loss.backward(), self);
        Ok((loss, gradients))
    }
}

/// Multipliers as of a wide network: those of the script.
fn table() -> ScalingTable {
    let tensors = [
        ("input.weight", TensorKind::Weight, vec![4, 5], 2.0),
        ("input.bias", TensorKind::Bias, vec![5], 2.0),
        ("hidden.weight", TensorKind::Weight, vec![5, 3], 0.5),
        ("readout.weight", TensorKind::Weight, vec![3, 3], 0.25),
    ];
    let shapes = tensors.clone().map(|(name, kind, shape, _)| TensorShape {
        name: name.to_owned(),
        role: Role::Fixed,
        kind,
        shape,
        fan: (1, 1),
        base_fan: (1, 1),
        base_init_std: 0.0,
    });
    let scheme = Scheme::new(Parameterization::Mup, Perturbation::Mup2);
    let mut table = scale(&scheme, &shapes).unwrap();
    for (row, (_, _, _, rho_mult)) in table.tensors.iter_mut().zip(tensors) {
        row.rho_mult = rho_mult;
        row.norm_mult = rho_mult.sqrt();
    }
    table
}

fn sam(rule: Rule) -> SamConfig {
    SamConfig {
        rule,
        asam: AsamOptions {
            eta: 0.01,
            bias: AsamBias::One,
        },
        every: 1,
        ascent_steps: 1,
        clip_norm: None,
        seed: 0,
    }
}

fn multipliers(rule: Rule, net: &Net, table: &ScalingTable) -> Geometry {
    Geometry::of_multipliers(rule, &sam(rule).asam, net, table).unwrap()
}

fn measured(geometry: &Geometry, seed: u64) -> Sharpness {
    let options = Options {
        power: Some(power(seed)),
        trace_vectors: 300,
        radius: Some(0.3),
        ascent_steps: 300,
        per_layer: true,
        seed,
    };
    measure(&Net::new(), Net::gradient, geometry, geometry, &options).unwrap()
}

/// Largest in magnitude, most positive, trace, one step, rise: a line of the script.
type Line = (&'static str, [f64; 5]);

fn assert_is(found: &Sharpness, whole: Line, tensors: &[Line]) {
    assert!((found.loss - 1.081064867140466).abs() < 1e-14);
    let parts = found.tensors.iter().map(|t| (t.name.as_str(), t.measures));
    let parts: Vec<_> = [("whole", found.whole)].into_iter().chain(parts).collect();
    let lines = [&[whole], tensors].concat();
    assert_eq!(parts.len(), lines.len());
    for ((name, measures), (expected, line)) in parts.into_iter().zip(lines) {
        let [largest, positive, trace, one_step, rise] = line;
        assert_eq!(name, expected);
        let eigenvalues = measures.eigenvalues.unwrap();
        let found = eigenvalues.largest_magnitude;
        assert!((found.value - largest).abs() < 1e-6, "{name}: {found:?}");
        let found = eigenvalues.most_positive;
        assert!((found.value - positive).abs() < 1e-6, "{name}: {found:?}");
        let found = measures.trace.unwrap();
        let deviations = (found.value - trace).abs() / found.standard_error.unwrap();
        assert!(deviations < 4.0, "{name}: {found:?}, not {trace}");
        let found = measures.sam.unwrap();
        assert!(
            (found.one_step - one_step).abs() < 1e-11,
            "{name}: {found:?}"
        );
        // A lower bound of the rise, and a close one.
        assert!(found.value < rise + 1e-8, "{name}: {found:?}, not {rise}");
        assert!(found.value > 0.99 * rise, "{name}: {found:?}, not {rise}");
    }
}

const EUCLIDEAN: [Line; 5] = [
    (
        "whole",
        [
            0.739343202912,
            0.739343202912,
            1.574506825377,
            0.114213075842,
            0.118905677,
        ],
    ),
    (
        "input.weight",
        [
            -0.311822744559,
            0.263025533079,
            -0.093317417939,
            0.030407493263,
            0.038130679,
        ],
    ),
    (
        "input.bias",
        [
            -0.065860885345,
            0.050832936641,
            -0.032575264799,
            0.015435832100,
            0.016191445,
        ],
    ),
    (
        "hidden.weight",
        [
            0.131403123122,
            0.131403123122,
            0.166215521771,
            0.026966022839,
            0.027490289,
        ],
    ),
    (
        "readout.weight",
        [
            0.485216085003,
            0.485216085003,
            1.534183986344,
            0.100303864798,
            0.100771599,
        ],
    ),
];

const STRETCHED: [Line; 5] = [
    (
        "whole",
        [
            -0.823771401180,
            0.727781990171,
            0.214868391996,
            0.073489592513,
            0.088519235,
        ],
    ),
    (
        "input.weight",
        [
            -0.623645489118,
            0.526051066158,
            -0.186634835877,
            0.043089699798,
            0.060622039,
        ],
    ),
    (
        "input.bias",
        [
            -0.131721770690,
            0.101665873282,
            -0.065150529598,
            0.021569453739,
            0.023683111,
        ],
    ),
    (
        "hidden.weight",
        [
            0.065701561561,
            0.065701561561,
            0.083107760886,
            0.018767423197,
            0.018983314,
        ],
    ),
    (
        "readout.weight",
        [
            0.121304021251,
            0.121304021251,
            0.383545996586,
            0.045963105572,
            0.046027144,
        ],
    ),
];

#[test]
fn the_measures_of_a_network_and_of_its_layers_are_those_of_its_dense_hessian() {
    let found = measured(&Geometry::euclidean(&Net::new()), 0);
    assert_is(&found, EUCLIDEAN[0], &EUCLIDEAN[1..]);
}

#[test]
fn in_the_multipliers_geometry_they_are_those_of_the_stretched_hessian() {
    let found = measured(&multipliers(Rule::Sam, &Net::new(), &table()), 0);
    assert_is(&found, STRETCHED[0], &STRETCHED[1..]);
}

#[test]
fn the_top_eigenvalue_does_not_depend_on_the_seed() {
    let net = Net::new();
    let geometry = Geometry::euclidean(&net);
    for seed in 1..6 {
        let mut landscape = Landscape::new(&net, Net::gradient).unwrap();
        let found = landscape
            .top_eigenvalues(&geometry, Part::Whole, &power(seed))
            .unwrap();
        assert!((found.most_positive.value - EUCLIDEAN[0].1[1]).abs() < 1e-6);
    }
}

/// The first-order step is that of `Sam`, for every rule, with denominators of its own.
#[test]
fn the_first_step_into_the_multipliers_ball_is_the_optimizers() {
    let net = Net::new();
    let mut table = table();
    for (row, norm_mult) in table.tensors.iter_mut().zip([1.0, 0.3, 2.0, 0.7]) {
        row.norm_mult = norm_mult;
    }
    for rule in [Rule::Sam, Rule::Asam, Rule::AsamLayer] {
        let (loss, gradients) = net.gradient().unwrap();
        let sam = Sam::new(sam(rule), &net, &table).unwrap();
        let moved = sam.perturbation(&net, gradients, 0.2).unwrap();
        let moved = moved.apply(net.clone());
        let rise = moved.gradient().unwrap().0.into_scalar::<f64>() - loss.into_scalar::<f64>();
        let mut landscape = Landscape::new(&net, Net::gradient).unwrap();
        let geometry = multipliers(rule, &net, &table);
        let found = landscape.sam_sharpness(&geometry, Part::Whole, 0.2, 0, 0);
        let found = found.unwrap();
        assert!(
            (found.one_step - rise).abs() < 1e-12,
            "{rule:?}: {found:?}, not {rise}"
        );
        assert_eq!(found.value, found.one_step.max(0.0));
    }
}

#[test]
fn measuring_twice_gives_the_same_bits() {
    let geometry = Geometry::euclidean(&Net::new());
    assert_eq!(measured(&geometry, 7), measured(&geometry, 7));
}
