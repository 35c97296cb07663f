//! Learning rate and radius over time, as factors of their peak.

use std::f64::consts::PI;

/// How a value falls over training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// Not at all.
    Constant,
    /// As half a cosine, to 0.
    Cosine,
    /// As a line, to 0.
    Linear,
}

/// Linear warm-up, then a decay, over a fixed number of steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeFactor {
    /// Shape after the warm-up.
    pub decay: Decay,
    /// Steps of linear warm-up; 0 for none.
    pub warmup_steps: usize,
    /// Steps of the whole training, the warm-up included.
    pub total_steps: usize,
}

impl TimeFactor {
    /// The factor, from 0 to 1, of step 0, 1, …, `total_steps` − 1.
    ///
    /// The first warm-up step has the factor 1 / `warmup_steps`, not 0, so that no step is lost.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warmup_steps {
            return (step + 1) as f64 / self.warmup_steps as f64;
        }
        let length = self.total_steps.saturating_sub(self.warmup_steps).max(1);
        let progress = ((step - self.warmup_steps) as f64 / length as f64).min(1.0);
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Cosine => 0.5 * (1.0 + (PI * progress).cos()),
            Decay::Linear => 1.0 - progress,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_climbs_to_the_peak_and_the_decay_falls_to_zero() {
        let factor = |decay| TimeFactor {
            decay,
            warmup_steps: 4,
            total_steps: 12,
        };
        let cosine = factor(Decay::Cosine);
        assert_eq!([cosine.at(0), cosine.at(3), cosine.at(4)], [0.25, 1.0, 1.0]);
        assert!((cosine.at(8) - 0.5).abs() < 1e-15);
        assert!(cosine.at(12).abs() < 1e-15);
        assert_eq!(factor(Decay::Linear).at(8), 0.5);
        assert_eq!(factor(Decay::Constant).at(11), 1.0);
    }

    #[test]
    fn without_warm_up_the_first_step_has_the_full_rate() {
        let factor = TimeFactor {
            decay: Decay::Cosine,
            warmup_steps: 0,
            total_steps: 10,
        };
        assert_eq!(factor.at(0), 1.0);
    }
}
