//! The canonical form of a run's spec, which its id is a hash of.

use super::run::{RunSpec, SamSpec, ScalingSpec, Schedule};
use super::sharpness::SharpnessSpec;
use crate::data::{Corrupt, Storage};
use crate::scaling::{CustomExponents, Denominator, Perturbation};
use mup2_sweep::config::Canonical;
use serde_json::Value;

impl Canonical for RunSpec {
    const VERSION: &'static str = "mup2 run 1";

    /// The canonical form: only what differs from the defaults, keys sorted, so that a key added in a
    /// later version with its old meaning as the default leaves every id as it was.
    fn canonical(&self) -> Value {
        let mut spec = self.clone();
        // The same images, wherever they lie and whoever decodes them. Which images are there, and so
        // which corrupt ones are skipped, only the dataset's digest says.
        spec.data.path = None;
        spec.data.storage = Storage::default();
        spec.data.corrupt = Corrupt::default();
        spec.data.decode_threads = None;
        let scheme = spec.scheme();
        spec.scaling.denominator = Some(scheme.denominator());
        if !spec.sharpness.is_on() {
            // What would have shaped a measurement that is not made.
            spec.sharpness = SharpnessSpec::default();
        }
        if spec.sam.rho == 0.0 && spec.sharpness.sees_multipliers_at_zero() {
            // −0 would be written as another number.
            spec.sam.rho = 0.0;
        } else if spec.sam.rho == 0.0 {
            // No perturbation: whatever would have shaped it has no effect.
            // A literal 0, since −0 would be written as another number.
            spec.sam = SamSpec {
                rho: 0.0,
                ..SamSpec::default()
            };
            spec.scaling.perturbation = ScalingSpec::default().perturbation;
            spec.scaling.denominator = None;
            spec.scaling.exponents.d = None;
            spec.scaling.exponents.d_layer = None;
            spec.scaling.exponents.e = None;
        }
        let schedules = [spec.optimizer.schedule, spec.sam.schedule];
        let is_constant = schedules.iter().all(|one| *one == Schedule::Constant);
        if is_constant || spec.train.schedule_epochs == Some(spec.train.epochs) {
            spec.train.schedule_epochs = None;
        }
        if spec.train.micro_batches == 1 {
            // The one part is the whole batch.
            spec.sam.perturbation_batch = SamSpec::default().perturbation_batch;
        }
        if spec.model.width == spec.model.base_width {
            // Every multiplier is exactly 1: all schemes are one network.
            spec.scaling = ScalingSpec::default();
        }
        share_global_with_naive(&mut spec);
        let mut value = serde_json::to_value(&spec).unwrap_or(Value::Null);
        if let Ok(defaults) = serde_json::to_value(RunSpec::default()) {
            remove_defaults(&mut value, &defaults);
        }
        value
    }
}

/// Global scaling at ρ is plain SAM at ρ / √r: one run, where √r is a power of two, so that the
/// quotient, and with it every bit of the run, is exact.
fn share_global_with_naive(spec: &mut RunSpec) {
    let scaling = &mut spec.scaling;
    let is_global = scaling.perturbation == Perturbation::Global
        && scaling.denominator == Some(Denominator::Coupled)
        && scaling.exponents == CustomExponents::default()
        && !scaling.weight_multipliers;
    // A spec out of a damaged file may hold a base width of 0: it has an id all the same.
    let ratio = spec.model.width.checked_div(spec.model.base_width);
    let ratio = ratio.unwrap_or_default();
    // The training would be the same, but not the radii or coordinates of its sharpness.
    let is_measured = spec.sharpness.is_on();
    let is_power_of_four = ratio.is_power_of_two() && ratio.trailing_zeros().is_multiple_of(2);
    if is_global
        && !is_measured
        && is_power_of_four
        && spec.model.width == ratio * spec.model.base_width
    {
        scaling.perturbation = Perturbation::Naive;
        spec.sam.rho /= (ratio as f64).sqrt();
    }
}

fn remove_defaults(value: &mut Value, defaults: &Value) {
    if let (Value::Object(value), Value::Object(defaults)) = (value, defaults) {
        value.retain(|key, entry| match defaults.get(key) {
            None => true,
            Some(default) => {
                remove_defaults(entry, default);
                let emptied = entry.as_object().is_some_and(serde_json::Map::is_empty);
                *entry != *default && !emptied
            }
        });
    }
}
