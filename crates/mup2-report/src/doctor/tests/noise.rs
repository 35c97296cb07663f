//! Noise alone is no finding, and a finding is not lost in the noise that it exceeds.

use super::*;
use mup2_scaling::random::stream;
use rand::Rng;

/// Standard deviation of one run's accuracy.
const DEVIATION: f64 = 0.007;
const SWEEPS: u64 = 100;

/// A sweep whose runs have independent noise on both accuracies.
fn noisy(seed: u64, accuracy: Landscape) -> SchemeDiagnosis {
    let mut generator = stream(seed, "doctor/noise");
    // The sum of twelve uniform numbers has variance 1.
    let mut normal = || {
        let uniform = (0..12).map(|_| generator.next_u32() as f64 / u32::MAX as f64);
        uniform.sum::<f64>() - 6.0
    };
    let mut runs = grid("mup2", &[16, 256], accuracy);
    for run in &mut runs {
        let lr = run.lr.log2().round() as i32;
        let rho = (run.rho > 0.0).then(|| run.rho.log2().round() as i32);
        let mean = accuracy(run.width, lr, rho);
        run.outcome = Outcome::Completed {
            selection_accuracy: mean + DEVIATION * normal(),
            test_accuracy: mean + DEVIATION * normal(),
        };
    }
    diagnosis(&report(runs)).schemes.remove(0)
}

fn noisy_sweeps(accuracy: Landscape) -> Vec<SchemeDiagnosis> {
    (0..SWEEPS).map(|seed| noisy(seed, accuracy)).collect()
}

/// In how many sweeps a signature is seen.
fn seen(sweeps: &[SchemeDiagnosis], signature: Signature) -> usize {
    let found = sweeps
        .iter()
        .filter(|scheme| kinds(&scheme.findings).contains(&(signature, Standing::Seen)));
    found.count()
}

#[test]
fn of_a_hundred_healthy_sweeps_at_most_three_show_a_signature_by_chance() {
    let sweeps = noisy_sweeps(healthy);
    for signature in [
        Signature::ShiftingOptimum,
        Signature::Instability,
        Signature::NoGainOverSgd,
    ] {
        let count = seen(&sweeps, signature);
        assert!(count <= 3, "{signature:?} in {count} sweeps");
    }
    // What is not claimed must not be most of the answer either.
    let healthy = sweeps.iter().filter(|scheme| scheme.healthy).count();
    assert!(healthy >= 50, "{healthy} sweeps are called healthy");
}

#[test]
fn a_shift_that_costs_two_points_is_seen_in_most_sweeps() {
    let sweeps = noisy_sweeps(|width, lr, rho| {
        landscape(width, lr, rho, if width == 256 { -1 } else { -3 }, 1)
    });
    let count = seen(&sweeps, Signature::ShiftingOptimum);
    assert!(count >= 75, "in {count} sweeps");
}

#[test]
fn an_edge_that_moves_by_two_octaves_is_seen_in_nearly_all_sweeps() {
    let sweeps = noisy_sweeps(|width, lr, rho| {
        landscape(width, lr, rho, -3, if width == 256 { -1 } else { 1 })
    });
    let count = seen(&sweeps, Signature::Instability);
    assert!(count >= 95, "in {count} sweeps");
}
