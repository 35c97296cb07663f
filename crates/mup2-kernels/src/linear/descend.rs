//! Gradient descent by `xᵀ dy`, which is nowhere written as a whole: that would be as large as the weights, and be written
//! and read again.

use super::weight_gradient::{Bands, WeightGradient};
use crate::vector::vectorized;

/// What is done with a gradient g: `g ← g + decay w`, with momentum `v ← g + momentum v`, and `w ← w + rate d`, where d is
/// g, v, or in Nesterov's form `g + momentum v`.
#[derive(Debug, Clone, Copy)]
pub struct Descent {
    /// Of the direction, negative.
    pub rate: f32,
    /// Of the weights that are added to the gradient.
    pub decay: f32,
    /// Of the velocity before.
    pub momentum: f32,
    /// Whether the direction is Nesterov's.
    pub nesterov: bool,
}

/// Moves `w` `[inputs, outputs]`, without momentum.
pub fn descend(
    x: &[f32],
    dy: &[f32],
    [inputs, outputs]: [usize; 2],
    descent: Descent,
    w: &mut [f32],
) {
    vectorized(WeightGradient {
        x,
        dy,
        inputs,
        outputs,
        bands: Plain { descent, w },
    });
}

/// Moves `w` and `v`, both `[inputs, outputs]`.
pub fn descend_with_velocity(
    x: &[f32],
    dy: &[f32],
    [inputs, outputs]: [usize; 2],
    descent: Descent,
    [w, v]: [&mut [f32]; 2],
) {
    vectorized(WeightGradient {
        x,
        dy,
        inputs,
        outputs,
        bands: WithVelocity { descent, w, v },
    });
}

/// The rows that are still to be moved.
struct Plain<'a> {
    descent: Descent,
    w: &'a mut [f32],
}

impl Bands for Plain<'_> {
    #[inline(always)]
    fn take(&mut self, band: &[f32]) {
        let Descent { rate, decay, .. } = self.descent;
        let w = advance(&mut self.w, band.len());
        if decay == 0.0 {
            for (w, g) in w.iter_mut().zip(band) {
                *w = g.mul_add(rate, *w);
            }
        } else {
            for (w, g) in w.iter_mut().zip(band) {
                let g = w.mul_add(decay, *g);
                *w = g.mul_add(rate, *w);
            }
        }
    }
}

/// As [`Plain`], with the velocity.
struct WithVelocity<'a> {
    descent: Descent,
    w: &'a mut [f32],
    v: &'a mut [f32],
}

impl Bands for WithVelocity<'_> {
    #[inline(always)]
    fn take(&mut self, band: &[f32]) {
        let Descent {
            rate,
            decay,
            momentum,
            nesterov,
        } = self.descent;
        let w = advance(&mut self.w, band.len());
        let v = advance(&mut self.v, band.len());
        for ((w, v), g) in w.iter_mut().zip(v).zip(band) {
            let g = if decay == 0.0 {
                *g
            } else {
                w.mul_add(decay, *g)
            };
            *v = v.mul_add(momentum, g);
            let direction = if nesterov { v.mul_add(momentum, g) } else { *v };
            *w = direction.mul_add(rate, *w);
        }
    }
}

/// The first `count` values, which are taken off.
#[inline(always)]
fn advance<'a>(rest: &mut &'a mut [f32], count: usize) -> &'a mut [f32] {
    rest.split_off_mut(..count).unwrap_or_default()
}
