use super::*;
use proptest::prelude::*;

/// The definition, pixel by pixel, in f64.
struct Plain {
    y: Vec<f64>,
    dx: Vec<f64>,
    dw: Vec<f64>,
}

fn plain(shape: &ConvolutionShape, x: &[f32], w: &[f32], dy: &[f32]) -> Plain {
    let (side, height, width) = (shape.kernel, shape.out_height(), shape.out_width());
    let mut all = Plain {
        y: vec![0.0; shape.batch * shape.outputs * height * width],
        dx: vec![0.0; x.len()],
        dw: vec![0.0; w.len()],
    };
    let inside = |at: usize, place: usize, length: usize| {
        let padded = at * shape.stride + place;
        (padded >= shape.padding && padded < shape.padding + length).then(|| padded - shape.padding)
    };
    for image in 0..shape.batch {
        for output in 0..shape.outputs {
            for input in 0..shape.inputs {
                for (row, column) in pairs(height, width) {
                    let q = ((image * shape.outputs + output) * height + row) * width + column;
                    for (down, right) in pairs(side, side) {
                        let k = ((output * shape.inputs + input) * side + down) * side + right;
                        let (Some(row), Some(column)) = (
                            inside(row, down, shape.height),
                            inside(column, right, shape.width),
                        ) else {
                            continue;
                        };
                        let p = ((image * shape.inputs + input) * shape.height + row) * shape.width
                            + column;
                        all.y[q] += f64::from(w[k]) * f64::from(x[p]);
                        all.dx[p] += f64::from(w[k]) * f64::from(dy[q]);
                        all.dw[k] += f64::from(dy[q]) * f64::from(x[p]);
                    }
                }
            }
        }
    }
    all
}

fn pairs(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}

/// Numbers between −1 and 1 without a pattern.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn assert_near(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected
        .iter()
        .fold(1.0, |most: f64, value| most.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(*found) - expected).abs() / largest;
        assert!(off < 1e-5, "{what}[{index}]: {found}, not {expected}");
    }
}

fn assert_is_the_definition(shape: ConvolutionShape) {
    let side = shape.kernel * shape.kernel;
    let x = numbers(shape.batch * shape.inputs * shape.height * shape.width, 1);
    let w = numbers(shape.outputs * shape.inputs * side, 2);
    let pixels = shape.out_height() * shape.out_width();
    let dy = numbers(shape.batch * shape.outputs * pixels, 3);
    let expected = plain(&shape, &x, &w, &dy);
    // Whatever was there before is overwritten.
    let mut y = vec![f32::NAN; dy.len()];
    forward(&shape, &x, &w, &mut y);
    assert_near(&y, &expected.y, "y");
    let mut dx = vec![f32::NAN; x.len()];
    backward_input(&shape, &w, &dy, &mut dx);
    assert_near(&dx, &expected.dx, "dx");
    let mut dw = vec![f32::NAN; w.len()];
    backward_weight(&shape, &x, &dy, &mut dw);
    assert_near(&dw, &expected.dw, "dw");
}

#[test]
fn the_layers_of_residual_networks_are_convolved_as_defined() {
    let shape = |inputs, outputs, side, kernel, stride, padding| ConvolutionShape {
        batch: 3,
        inputs,
        outputs,
        height: side,
        width: side,
        kernel,
        stride,
        padding,
    };
    for shape in [
        shape(3, 16, 32, 3, 1, 1),
        shape(16, 32, 32, 3, 2, 1),
        shape(16, 32, 32, 1, 2, 0),
        shape(5, 14, 16, 3, 1, 1),
        shape(6, 25, 8, 3, 1, 1),
        shape(20, 9, 4, 3, 1, 1),
        shape(20, 9, 4, 3, 2, 1),
        shape(4, 6, 28, 3, 1, 1),
        shape(3, 8, 30, 7, 2, 3),
        shape(3, 8, 16, 4, 4, 0),
    ] {
        assert_is_the_definition(shape);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_convolution_is_as_defined(
        (batch, inputs, outputs) in (1usize..4, 1usize..6, 1usize..16),
        (height, width) in (1usize..20, 1usize..20),
        (kernel, stride, padding) in (1usize..6, 1usize..5, 0usize..4),
    ) {
        let shape = ConvolutionShape { batch, inputs, outputs, height, width, kernel, stride, padding };
        prop_assume!(shape.out_height() > 0 && shape.out_width() > 0);
        assert_is_the_definition(shape);
    }
}
