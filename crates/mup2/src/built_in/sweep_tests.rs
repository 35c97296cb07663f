//! What a user may write, and what is said when it is wrong.

use super::KINDS;
use crate::config::{RunId, RunSpec, SchemeName, SweepSpec, parse_run, parse_sweep};
use crate::data::{Corrupt, Storage};
use crate::scaling::{Parameterization, Perturbation, Rule};
use std::collections::HashSet;

const SWEEP: &str = r#"
name = "test"
[run.model]
base_width = 16
[grid]
scheme = ["sp-naive", "mup-naive", "mup-global", "mup2"]
width = [16, 64]
lr = { log2_from = -4, log2_to = -3 }
rho = { log2_from = -2, log2_to = 0, zero = true }
seed = [0, 1]
"#;

fn sweep() -> SweepSpec {
    parse_sweep(SWEEP, "s.toml", &[], KINDS).unwrap()
}

fn run_error(text: &str) -> String {
    parse_run(text, "r.toml", &[]).unwrap_err().to_string()
}

fn sweep_error(from: &str, to: &str) -> String {
    assert!(SWEEP.contains(from));
    parse_sweep(&SWEEP.replace(from, to), "s.toml", &[], KINDS)
        .unwrap_err()
        .to_string()
}

#[test]
fn an_empty_run_file_is_the_default_run() {
    assert_eq!(parse_run("", "r.toml", &[]).unwrap(), RunSpec::default());
}

#[test]
fn a_spec_survives_being_written_and_read() {
    let spec = sweep();
    let text = toml::to_string(&spec).unwrap();
    assert_eq!(parse_sweep(&text, "s.toml", &[], KINDS).unwrap(), spec);
}

#[test]
fn an_override_replaces_one_value() {
    let overrides = ["optimizer.lr=0.5".to_owned(), "sam.rule=asam".to_owned()];
    let spec = parse_run(
        "[optimizer]\nlr = 0.1\nmomentum = 0.9",
        "r.toml",
        &overrides,
    )
    .unwrap();
    assert_eq!(spec.optimizer.lr, 0.5);
    assert_eq!(spec.optimizer.momentum, 0.9);
    assert_eq!(spec.sam.rule, Rule::Asam);
}

#[test]
fn an_unknown_key_is_named_with_the_file_and_what_is_allowed() {
    insta::assert_snapshot!(run_error("[optimizer]\nlearning_rate = 0.1"), @"r.toml: optimizer.learning_rate: unknown field `learning_rate`; allowed: one of `name`, `lr`, `momentum`, `nesterov`, `weight_decay`, `beta1`, `beta2`, `epsilon`, `schedule`, `warmup_epochs`, `clip_norm`");
}

#[test]
fn a_repeated_key_is_named_with_its_line() {
    insta::assert_snapshot!(run_error("seed = 1\nseed = 2"), @"r.toml: line 2: duplicate key; allowed: valid TOML, each key once");
}

#[test]
fn values_out_of_range_are_named_with_the_range() {
    insta::assert_snapshot!(run_error("[model]\nwidth = 0"), @"r.toml: model.width: is 0; allowed: whole numbers from 1 to 1048576");
    insta::assert_snapshot!(run_error("[optimizer]\nlr = nan"), @"r.toml: optimizer.lr: is NaN; allowed: finite numbers above 0");
    insta::assert_snapshot!(run_error("[sam]\nrho = -1"), @"r.toml: sam.rho: is -1; allowed: finite numbers of at least 0");
    insta::assert_snapshot!(run_error("[model]\nactivation = 'swish'"), @"r.toml: model.activation: unknown variant `swish`; allowed: one of `relu`, `gelu`, `tanh`");
    insta::assert_snapshot!(run_error("[model]\nwidth = -4"), @"r.toml: model.width: invalid value: integer `-4`; allowed: usize");
    insta::assert_snapshot!(run_error("[sam]\nrule = 'sam-on'"), @"r.toml: sam.rule: is `sam-on`, but model `mlp` has no normalization layers; allowed: `sam`, `asam`, `asam-layer` or `random` for this model");
}

#[test]
fn a_grid_of_a_billion_runs_is_refused_before_it_is_made() {
    insta::assert_snapshot!(sweep_error("log2_from = -4", "log2_step = 0.000001, log2_from = -4"), @"s.toml: grid: has 64000064 runs; allowed: at most 1000000 runs in one sweep");
}

#[test]
fn bad_grids_are_named() {
    insta::assert_snapshot!(sweep_error("[16, 64]", "[0, 64]"), @"s.toml: grid.width: holds 0; allowed: whole numbers from 1 to 1048576");
    insta::assert_snapshot!(sweep_error("[16, 64]", "[8, 64]"), @"s.toml: grid.width: holds 8, narrower than `run.model.base_width` = 16; allowed: widths of at least the base width, on which hyperparameters are tuned");
    insta::assert_snapshot!(sweep_error("[0, 1]", "[1, 1]"), @"s.toml: grid.seed: holds 1 twice; allowed: each value once");
    insta::assert_snapshot!(sweep_error("sp-naive", "sp-mup3"), @"s.toml: grid.scheme[0]: unknown scheme `sp-mup3`; allowed: `mup2` or PARAMETERIZATION-PERTURBATION with sp|sp-stable|ntp|mup and naive|global|balanced|first-layer|mup2, and then +RULE with sam|asam|asam-layer|sam-on|random if not `run.sam.rule`");
    insta::assert_snapshot!(sweep_error("sp-naive", "sp-naive+sam-on"), @"s.toml: grid.scheme: is `sp-naive+sam-on`, but model `mlp` has no normalization layers; allowed: `sam`, `asam`, `asam-layer` or `random` for this model");
    insta::assert_snapshot!(sweep_error("{ log2_from = -4, log2_to = -3 }", "[0.1, 0]"), @"s.toml: grid.lr: holds 0; allowed: finite numbers above 0");
    insta::assert_snapshot!(sweep_error("{ log2_from = -4, log2_to = -3 }", "0.1"), @"s.toml: grid.lr: invalid type: floating point `0.1`; allowed: a list such as [0.1, 0.2] or { log2_from = -6, log2_to = 0, log2_step = 1 }");
    insta::assert_snapshot!(sweep_error("log2_from = -4", "log2_from = 4"), @"s.toml: grid.lr: its bounds do not ascend in finite steps; allowed: finite `log2_from` ≤ `log2_to` within ±1000, and `log2_step` above 0");
}

#[test]
fn scheme_names_are_parsed_by_their_two_halves() {
    for (text, parameterization, perturbation) in [
        ("mup2", Parameterization::Mup, Perturbation::Mup2),
        ("sp-naive", Parameterization::Sp, Perturbation::Naive),
        (
            "sp-stable-first-layer",
            Parameterization::SpStable,
            Perturbation::FirstLayer,
        ),
    ] {
        let name: SchemeName = text.parse().unwrap();
        assert_eq!(
            (name.parameterization, name.perturbation),
            (parameterization, perturbation)
        );
        assert_eq!(name.to_string(), text);
    }
}

#[test]
fn a_scheme_may_name_its_rule_and_says_what_it_expects_when_it_does_not_know_it() {
    let name: SchemeName = "sp-naive+asam-layer".parse().unwrap();
    assert_eq!(name.to_string(), "sp-naive+asam-layer");
    let mut spec = RunSpec::default();
    name.apply(&mut spec);
    assert_eq!(spec.sam.rule, Rule::AsamLayer);
    assert_eq!(spec.scaling.parameterization, Parameterization::Sp);
    let plain: SchemeName = "sp-naive".parse().unwrap();
    plain.apply(&mut spec);
    assert_eq!(spec.sam.rule, Rule::AsamLayer);
    for wrong in ["mup2+", "mup2+adam", "+asam", "mup2+asam+sam"] {
        let message = wrong.parse::<SchemeName>().unwrap_err();
        assert!(
            message.contains(wrong) && message.contains("sam-on"),
            "{message}"
        );
    }
}

#[test]
fn schemes_with_different_rules_are_different_runs_that_share_those_without_perturbation() {
    let mut sweep = sweep();
    let names = ["mup2", "mup2+asam", "mup2+asam-layer"];
    sweep.grid.scheme = names.map(str::to_owned).into();
    let cells = sweep.plan();
    let distinct = |rho_is_zero: bool| {
        let of = cells
            .iter()
            .filter(|cell| (cell.cell.rho == 0.0) == rho_is_zero);
        let ids: HashSet<_> = of.clone().map(|cell| cell.id.clone()).collect();
        (of.count(), ids.len())
    };
    let (perturbed, perturbed_ids) = distinct(false);
    assert_eq!(perturbed, perturbed_ids);
    let (plain, plain_ids) = distinct(true);
    assert_eq!(plain, 3 * plain_ids);
}

#[test]
fn at_the_base_width_all_schemes_are_one_run() {
    let plan = sweep().plan();
    assert_eq!(plan.len(), 4 * 2 * 2 * 4 * 2);
    let base: Vec<_> = plan.iter().filter(|run| run.cell.width == 16).collect();
    let mut ids: Vec<_> = base.iter().map(|run| run.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), base.len() / 4);
}

#[test]
fn without_perturbation_all_perturbation_scalings_are_one_run() {
    let wide_and_unperturbed = |scheme: &str| {
        let plan = sweep().plan();
        let found = plan
            .into_iter()
            .find(|run| &*run.cell.scheme == scheme && run.cell.width == 64 && run.cell.rho == 0.0);
        found.unwrap().id
    };
    assert_eq!(
        wide_and_unperturbed("mup2"),
        wide_and_unperturbed("mup-naive")
    );
    assert_ne!(
        wide_and_unperturbed("mup2"),
        wide_and_unperturbed("sp-naive")
    );
}

#[test]
fn global_scaling_is_plain_sam_with_a_radius_divided_by_the_root_of_the_width_ratio() {
    let id = |scheme: &str, width: usize, rho: f64| {
        let name: SchemeName = scheme.parse().unwrap();
        let mut spec = RunSpec::default();
        spec.scaling.parameterization = name.parameterization;
        spec.scaling.perturbation = name.perturbation;
        (spec.model.base_width, spec.model.width) = (16, width);
        spec.sam.rho = rho;
        RunId::of(&spec)
    };
    assert_eq!(id("mup-global", 256, 0.5), id("mup-naive", 256, 0.125));
    assert_eq!(id("sp-global", 64, 0.3), id("sp-naive", 64, 0.15));
    assert_ne!(id("mup-global", 256, 0.5), id("mup-naive", 256, 0.5));
    // √2 is not exact in binary: such runs could differ in the last bit.
    assert_ne!(
        id("mup-global", 32, 0.5),
        id("mup-naive", 32, 0.5 / 2f64.sqrt())
    );
}

#[test]
fn the_id_ignores_paths_and_sees_everything_else() {
    let base = RunSpec::default();
    let id = RunId::of(&base);
    let changed = |change: &dyn Fn(&mut RunSpec)| {
        let mut spec = base.clone();
        change(&mut spec);
        RunId::of(&spec)
    };
    assert_eq!(
        changed(&|spec| spec.data.path = Some("/elsewhere".into())),
        id
    );
    let decoding = changed(&|spec| {
        spec.data.storage = Storage::Disk;
        spec.data.corrupt = Corrupt::Skip;
        spec.data.decode_threads = Some(3);
    });
    assert_eq!(decoding, id);
    assert_ne!(changed(&|spec| spec.data.resize = Some(256)), id);
    assert_ne!(changed(&|spec| spec.data.crop = Some(224)), id);
    assert_ne!(changed(&|spec| spec.seed = 1), id);
    assert_ne!(changed(&|spec| spec.model.width = 256), id);
    assert_ne!(changed(&|spec| spec.sam.rho = 0.0), id);
    assert_ne!(changed(&|spec| spec.train.epochs = 11), id);
    assert_ne!(changed(&|spec| spec.optimizer.clip_norm = Some(1.0)), id);
    // An id in a results directory must keep its meaning over versions.
    insta::assert_snapshot!(id.to_string(), @"4c58ca8a4b30a409");
}

#[test]
fn extending_a_grid_keeps_the_ids_of_its_runs() {
    let before: Vec<_> = sweep().plan().into_iter().map(|run| run.id).collect();
    let mut wider = sweep();
    wider.grid.width.push(256);
    wider.grid.seed.push(2);
    let after: Vec<_> = wider.plan().into_iter().map(|run| run.id).collect();
    assert!(before.iter().all(|id| after.contains(id)));
}

#[test]
fn the_widest_runs_come_first() {
    let runs = sweep().distinct_runs();
    assert!(runs.is_sorted_by_key(|run| std::cmp::Reverse(run.cell.width)));
}

#[test]
fn the_largest_grid_is_checked_in_seconds() {
    let million = "lr = { log2_from = -1000, log2_to = 999.998, log2_step = 0.002 }";
    let text =
        format!("name = 'x'\n[grid]\nscheme = ['mup2']\nwidth = [128]\nrho = [0]\n{million}");
    let start = std::time::Instant::now();
    let sweep = parse_sweep(&text, "s.toml", &[], KINDS).unwrap();
    assert_eq!(sweep.grid.lr.unwrap().len(), 1e6);
    // Comparing each value with each other would take many minutes.
    assert!(start.elapsed().as_secs() < 20);
}

#[test]
fn a_grid_may_not_hold_a_zero_of_either_sign_twice() {
    let rho = "{ log2_from = -2, log2_to = 0, zero = true }";
    insta::assert_snapshot!(sweep_error(rho, "[0.0, 0.5, -0.0]"), @"s.toml: grid.rho: holds -0.0 twice; allowed: each value once");
}

#[test]
fn a_spec_that_nobody_has_checked_has_an_id_too() {
    let mut spec = RunSpec::default();
    spec.model.base_width = 0;
    assert_ne!(RunId::of(&spec), RunId::of(&RunSpec::default()));
}

#[test]
fn an_override_is_one_value_below_one_short_key() {
    let error = |assignment: String| {
        let error = parse_run("", "r.toml", &[assignment]).unwrap_err();
        error.to_string()
    };
    insta::assert_snapshot!(error(format!("a{}=1", ".a".repeat(60_000))), @"--set: has a key of 60001 parts; allowed: KEY=VALUE with a dotted key, such as optimizer.lr=0.1");
    insta::assert_snapshot!(error("seed=1\nmodel.width=2".into()), @r#"r.toml: seed: invalid type: string "1\nmodel.width=2"; allowed: u64"#);
}
