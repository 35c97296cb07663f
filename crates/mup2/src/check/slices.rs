//! A parameter as the matrices that it holds, and their norms: what is known of a layer without a look
//! into its forward pass.

use super::spectral::spectral_norm;
use crate::shapes::{Layout, Side};

/// The matrices of a parameter, one for each place of its `stack` sides (one in all without such), each
/// `fan_out` × `fan_in` and row by row.
fn slices(values: &[f32], shape: &[usize], layout: &Layout) -> (Vec<f32>, usize, usize) {
    let group = |side: Side| match side {
        Side::Stack => 0,
        Side::Out => 1,
        Side::In | Side::Kernel => 2,
    };
    let mut lengths = [1; 3];
    for (side, length) in layout.sides().iter().zip(shape) {
        lengths[group(*side)] *= length;
    }
    let mut strides = [lengths[1] * lengths[2], lengths[2], 1];
    let mut steps = vec![0; shape.len()];
    for (place, (side, length)) in layout.sides().iter().zip(shape).enumerate().rev() {
        let group = group(*side);
        steps[place] = strides[group];
        strides[group] *= length;
    }
    let mut ordered = vec![0.0; values.len()];
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    for value in values {
        if let Some(place) = ordered.get_mut(at) {
            *place = *value;
        }
        // The next index, the last side first, as the values are stored.
        for side in (0..shape.len()).rev() {
            index[side] += 1;
            at += steps[side];
            if index[side] < shape[side] {
                break;
            }
            at -= steps[side] * shape[side];
            index[side] = 0;
        }
    }
    (ordered, lengths[1] * lengths[2], lengths[2])
}

/// Spectral norm of a parameter's matrix; of several in a stack, the root of the mean of the squares.
pub(super) fn spectral_size(values: &[f32], shape: &[usize], layout: &Layout) -> f64 {
    let (ordered, size, columns) = slices(values, shape, layout);
    let mut squares = 0.0;
    let mut count = 0;
    for matrix in ordered.chunks(size.max(1)) {
        squares += spectral_norm(matrix, columns).powi(2);
        count += 1;
    }
    (squares / f64::from(count.max(1))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(words: &str) -> Layout {
        Layout::parse(words).unwrap()
    }

    #[test]
    fn a_matrix_has_its_outputs_as_rows_in_every_layout() {
        // W = [[1, 2, 3], [4, 5, 6]] with 2 outputs and 3 inputs.
        let by_rows = slices(&[1., 2., 3., 4., 5., 6.], &[2, 3], &layout("out in"));
        let by_columns = slices(&[1., 4., 2., 5., 3., 6.], &[3, 2], &layout("in out"));
        assert_eq!(by_rows, (vec![1., 2., 3., 4., 5., 6.], 6, 3));
        assert_eq!(by_columns, by_rows);
    }

    #[test]
    fn a_stack_on_any_side_is_divided_into_its_matrices() {
        // Two matrices of 1 output and 3 inputs, 1 2 3 and 4 5 6, the stack last and first.
        let last = slices(
            &[1., 4., 2., 5., 3., 6.],
            &[1, 3, 2],
            &layout("out in stack"),
        );
        let first = slices(
            &[1., 2., 3., 4., 5., 6.],
            &[2, 1, 3],
            &layout("stack out in"),
        );
        assert_eq!(last, (vec![1., 2., 3., 4., 5., 6.], 3, 3));
        assert_eq!(first, last);
    }

    #[test]
    fn a_convolutions_matrix_has_a_column_for_each_pixel_of_each_channel() {
        let values: Vec<f32> = (0..12).map(|x| x as f32).collect();
        let plain = slices(&values, &[2, 3, 2], &layout("out in kernel"));
        assert_eq!(plain, (values, 12, 6));
    }

    #[test]
    fn norms_are_those_of_the_matrices() {
        // diag(3, 4): 4. Rows of an embedding, (3, 4) and (0, 0): √(25/2).
        let diagonal = spectral_size(&[3., 0., 0., 4.], &[2, 2], &layout("in out"));
        assert!((diagonal - 4.0).abs() < 0.01, "{diagonal}");
        let rows = spectral_size(&[3., 4., 0., 0.], &[2, 2], &layout("stack out"));
        assert!((rows - 12.5_f64.sqrt()).abs() < 1e-6, "{rows}");
        let vector = spectral_size(&[3., 4.], &[2], &layout("out"));
        assert!((vector - 5.0).abs() < 1e-6, "{vector}");
    }
}
