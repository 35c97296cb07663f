//! What the `[sharpness]` table may say, and what it does to a run's id.

use super::*;
use crate::scaling::Perturbation;
use mup2_sweep::config::RunId;

fn changed(change: impl Fn(&mut RunSpec)) -> RunSpec {
    let mut spec = RunSpec::default();
    (spec.model.base_width, spec.model.width) = (16, 256);
    change(&mut spec);
    spec
}

fn id(change: impl Fn(&mut RunSpec)) -> RunId {
    RunId::of(&changed(change))
}

#[test]
fn a_table_that_measures_nothing_leaves_every_id_as_it_was() {
    let off = |spec: &mut RunSpec| {
        spec.sharpness.samples = 7;
        spec.sharpness.radius = Some(2.0);
        spec.sharpness.per_layer = true;
    };
    assert_eq!(id(off), id(|_| {}));
    assert_ne!(id(|spec| spec.sharpness.every_epochs = 1), id(|_| {}));
    let more = |spec: &mut RunSpec| {
        spec.sharpness.every_epochs = 1;
        spec.sharpness.samples = 7;
    };
    assert_ne!(id(more), id(|spec| spec.sharpness.every_epochs = 1));
}

#[test]
fn runs_without_perturbation_are_shared_unless_their_multipliers_are_looked_at() {
    let unperturbed = |perturbation, change: &dyn Fn(&mut SharpnessSpec)| {
        id(|spec| {
            spec.sam.rho = 0.0;
            spec.scaling.perturbation = perturbation;
            spec.sharpness.every_epochs = 1;
            change(&mut spec.sharpness);
        })
    };
    let shared = |change: &dyn Fn(&mut SharpnessSpec)| {
        unperturbed(Perturbation::Mup2, change) == unperturbed(Perturbation::Naive, change)
    };
    assert!(shared(&|_| {}));
    assert!(!shared(&|spec| spec.radius = Some(0.1)));
    assert!(!shared(
        &|spec| spec.hessian_geometry = SharpnessGeometry::Multipliers
    ));
    assert!(shared(&|spec| {
        spec.radius = Some(0.1);
        spec.ball_geometry = SharpnessGeometry::Euclidean;
    }));
    let signed = |rho| {
        id(|spec| {
            spec.sam.rho = rho;
            spec.sharpness.every_epochs = 1;
            spec.sharpness.radius = Some(0.1);
        })
    };
    assert_eq!(signed(0.0), signed(-0.0));
}

#[test]
fn global_scaling_is_measured_as_what_it_is_though_it_trains_as_the_naive_one() {
    let run = |perturbation, rho, every_epochs| {
        id(|spec| {
            spec.scaling.perturbation = perturbation;
            spec.sam.rho = rho;
            spec.sharpness.every_epochs = every_epochs;
        })
    };
    let (global, naive) = (Perturbation::Global, Perturbation::Naive);
    assert_eq!(run(global, 0.5, 0), run(naive, 0.125, 0));
    assert_ne!(run(global, 0.5, 1), run(naive, 0.125, 1));
}

#[test]
fn it_is_measured_every_k_th_epoch_and_after_the_last() {
    let spec = SharpnessSpec {
        every_epochs: 4,
        ..SharpnessSpec::default()
    };
    let due: Vec<usize> = (1..=10).filter(|&epoch| spec.is_due(epoch, 10)).collect();
    assert_eq!(due, [4, 8, 10]);
    assert!(!SharpnessSpec::default().is_due(10, 10));
}

#[test]
fn the_radius_is_the_runs_own_unless_it_is_given() {
    let mut spec = SharpnessSpec::default();
    assert_eq!(
        (spec.radius_at(0.5), spec.radius_at(0.0)),
        (Some(0.5), None)
    );
    spec.radius = Some(2.0);
    assert_eq!(
        (spec.radius_at(0.5), spec.radius_at(0.0)),
        (Some(2.0), Some(2.0))
    );
}

#[test]
fn values_out_of_range_are_named_with_the_range() {
    let error = |text: &str| {
        let text = format!("[sharpness]\n{text}");
        parse_run(&text, "r.toml", &[]).unwrap_err().to_string()
    };
    insta::assert_snapshot!(error("samples = 0"), @"r.toml: sharpness.samples: is 0; allowed: whole numbers from 1 to 1073741824");
    insta::assert_snapshot!(error("power_iterations = 100001"), @"r.toml: sharpness.power_iterations: is 100001; allowed: whole numbers from 0 to 100000");
    insta::assert_snapshot!(error("radius = 0.0"), @"r.toml: sharpness.radius: is 0; allowed: finite numbers above 0");
    insta::assert_snapshot!(error("every_epochs = 3\n[train]\nevaluate_every = 2"), @"r.toml: sharpness.every_epochs: is 3; allowed: 0 or a multiple of `train.evaluate_every`, which is 2");
    insta::assert_snapshot!(error("ball_geometry = 'round'"), @"r.toml: sharpness.ball_geometry: unknown variant `round`; allowed: `euclidean` or `multipliers`");
    insta::assert_snapshot!(error("rho = 0.1"), @"r.toml: sharpness.rho: unknown field `rho`; allowed: one of `every_epochs`, `samples`, `power_iterations`, `trace_vectors`, `radius`, `per_layer`, `hessian_geometry`, `ball_geometry`");
}
