//! What a user may write, and what is said when it is wrong.

use super::KINDS;
use crate::config::{Architecture, GruConfig, ModelSpec, Pooling, RunSpec, parse_run};
use crate::data::{Corrupt, Storage};
use crate::scaling::{Parameterization, Perturbation, Rule, SchemeName};
use mup2_sweep::config::{RunId, SweepSpec, parse_sweep};
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
    insta::assert_snapshot!(run_error("[model]\nwidth = -4"), @"r.toml: model.width: is -4; allowed: whole numbers of at least 0");
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
    insta::assert_snapshot!(sweep_error("{ log2_from = -4, log2_to = -3 }", "0.1"), @"s.toml: grid.lr: is 0.1; allowed: a list such as [0.1, 0.2] or { log2_from = -6, log2_to = 0, log2_step = 1 }");
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
    spec.set_scheme(name);
    assert_eq!(spec.sam.rule, Rule::AsamLayer);
    assert_eq!(spec.scaling.parameterization, Parameterization::Sp);
    let plain: SchemeName = "sp-naive".parse().unwrap();
    spec.set_scheme(plain);
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

/// A run of a model, by overrides of a run at twice its base width.
fn model_run(overrides: &[&str]) -> RunSpec {
    let text = "[model]\nbase_width = 64\nwidth = 128\n\
                [optimizer]\nlr = 0.125\n[sam]\nrho = 0.25\n";
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    parse_run(text, "r.toml", &overrides).unwrap()
}

/// The ids are those that `mup2 sweep plan` of commit 4789161 gave, before architectures had
/// structs of their own: results that are there must be found again.
const IDS_OF_MODELS: &[(&str, &[&str])] = &[
    ("3e37d87731176a1a", &[]),
    (
        "c1e86a178932d1b1",
        &[
            "model.depth=5",
            "model.bias=true",
            "model.activation=gelu",
            "model.residual=true",
        ],
    ),
    (
        "78ea96d65c1b4069",
        &[
            "model.activation=tanh",
            "model.readout_zero_init=true",
            "model.output_multiplier=2.5",
        ],
    ),
    ("1fdb8cf2fcbe0ac8", &["model.kind=resnet"]),
    (
        "d08cff2894e1741f",
        &[
            "model.kind=resnet",
            "model.resnet.layers=34",
            "model.resnet.stem=imagenet",
            "model.resnet.norm_zero_init=true",
        ],
    ),
    (
        "a0d7dfd6bde5f6a6",
        &[
            "model.kind=resnet",
            "model.resnet.layers=50",
            "model.resnet.norm=group",
            "model.resnet.groups=16",
        ],
    ),
    (
        "b612fa21c8f785ae",
        &[
            "model.kind=resnet",
            "sam.rule=sam-on",
            "model.readout_zero_init=true",
        ],
    ),
    ("6ce310c3295cc6f6", &["model.kind=vit"]),
    (
        "a5ad723ef2245e24",
        &[
            "model.kind=vit",
            "model.vit.patch=7",
            "model.vit.depth=2",
            "model.vit.heads=2",
            "model.vit.mlp_ratio=2",
        ],
    ),
    (
        "0fd9d5739231936b",
        &[
            "model.kind=vit",
            "model.vit.head_dim=16",
            "model.vit.pool=mean",
            "model.vit.qk_norm=true",
        ],
    ),
    (
        "3d66349773bf0775",
        &[
            "model.kind=vit",
            "model.vit.attention_scale=inverse-root",
            "model.vit.dropout=0.1",
            "model.vit.stochastic_depth=0.2",
            "scaling.weight_multipliers=true",
        ],
    ),
    ("bbf52389b487660a", &["model.kind=gru"]),
    (
        "2bb7660901855944",
        &[
            "model.kind=gru",
            "model.gru.layers=3",
            "model.output_multiplier=0.5",
        ],
    ),
];

#[test]
fn the_ids_of_all_models_are_what_they_were() {
    for (id, overrides) in IDS_OF_MODELS {
        let found = RunId::of(&model_run(overrides)).to_string();
        assert_eq!(&found, id, "{overrides:?}");
    }
}

#[test]
fn every_model_survives_being_written_and_read() {
    for (_, overrides) in IDS_OF_MODELS {
        let spec = model_run(overrides);
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<RunSpec>(&json).unwrap(), spec);
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(parse_run(&text, "r.toml", &[]).unwrap(), spec);
    }
}

#[test]
fn a_model_is_written_with_the_keys_of_all_architectures_as_result_files_have_them() {
    // The spec of a result of commit 4789161.
    let written = r#"{"kind":"vit","width":8,"base_width":4,"depth":3,"bias":false,"activation":"relu","residual":false,"readout_zero_init":false,"output_multiplier":1.0,"resnet":{"layers":18,"stem":"cifar","norm":"batch","groups":8,"norm_zero_init":false},"vit":{"patch":2,"depth":2,"heads":4,"head_dim":2,"mlp_ratio":4,"pool":"mean","qk_norm":true,"dropout":0.0,"stochastic_depth":0.0},"gru":{"layers":1}}"#;
    let model: ModelSpec = serde_json::from_str(written).unwrap();
    assert_eq!(serde_json::to_string(&model).unwrap(), written);
    let Architecture::Vit(vit) = &model.architecture else {
        panic!("{model:?}");
    };
    assert_eq!((vit.head_dim, vit.pool), (Some(2), Pooling::Mean));
}

#[test]
fn a_key_of_another_architecture_is_named_with_both() {
    insta::assert_snapshot!(run_error("[model]\nkind = 'resnet'\ndepth = 4"), @"r.toml: model: `depth` is set, but belongs to `mlp` and not to `resnet`; allowed: its default here, or `kind = \"mlp\"`");
    insta::assert_snapshot!(run_error("[model.vit]\ndropout = 0.1"), @"r.toml: model: `vit.dropout` is set, but belongs to `vit` and not to `mlp`; allowed: its default here, or `kind = \"vit\"`");
    insta::assert_snapshot!(run_error("[model]\nkind = 'gru'\n[model.vit]\nhead_dim = 8"), @"r.toml: model: `vit.head_dim` is set, but belongs to `vit` and not to `gru`; allowed: its default here, or `kind = \"vit\"`");
    insta::assert_snapshot!(run_error("[model]\nkind = 'resnet'\n[model.resnet]\nlayers = 20"), @"r.toml: model.resnet.layers: is 20; allowed: 18, 34 or 50");
    insta::assert_snapshot!(run_error("[model]\nkind = 'resnet'\n[model.resnet]\nnorm = 'group'\ngroups = 3"), @"r.toml: model.resnet.groups: is 3; allowed: divisors of the width 128 and of the base width 128");
    insta::assert_snapshot!(run_error("[model.resnet]\ndepth = 20"), @"r.toml: model.resnet.depth: unknown field `depth`; allowed: one of `layers`, `stem`, `norm`, `groups`, `norm_zero_init`");
    insta::assert_snapshot!(run_error("[model]\ngru = 3"), @"r.toml: model.gru: is 3; allowed: the keys of `[model.gru]`");
    insta::assert_snapshot!(run_error("[model]\nkind = 'gru'\n[sam]\nrule = 'sam-on'"), @"r.toml: sam.rule: is `sam-on`, but model `gru` has no normalization layers; allowed: `sam`, `asam`, `asam-layer` or `random` for this model");
}

#[test]
fn keys_of_other_architectures_may_stand_at_their_defaults() {
    let all = "[model]\nkind = 'gru'\ndepth = 3\nbias = false\n[model.resnet]\nlayers = 18\n\
               [model.vit]\npatch = 4\n";
    let spec = parse_run(all, "r.toml", &[]).unwrap();
    assert_eq!(
        spec.model.architecture,
        Architecture::Gru(GruConfig::default())
    );
}

#[test]
fn every_model_describes_itself_in_its_own_words() {
    let described = |index: usize| model_run(IDS_OF_MODELS[index].1).model.describe();
    insta::assert_snapshot!(described(0), @"mlp with 3 weight layers, relu, without biases");
    insta::assert_snapshot!(described(1), @"mlp with 5 weight layers, gelu, with biases, residual");
    insta::assert_snapshot!(described(2), @"mlp with 3 weight layers, tanh, without biases, readout starting at 0, logits times 2.5");
    insta::assert_snapshot!(described(3), @"resnet-18 with a 3×3 stem, batch normalization");
    insta::assert_snapshot!(described(4), @"resnet-34 with a 7×7 stem, batch normalization, last gain of each block starting at 0");
    insta::assert_snapshot!(described(5), @"resnet-50 with a 3×3 stem, group normalization (16 groups)");
    insta::assert_snapshot!(described(7), @"vit with 6 blocks, 4 heads, 4×4 patches, class token");
    insta::assert_snapshot!(described(9), @"vit with 6 blocks, heads of 16 entries, 4×4 patches, mean of the tokens, queries and keys normalized");
    insta::assert_snapshot!(described(10), @"vit with 6 blocks, 4 heads, 4×4 patches, class token, dropout 0.1, stochastic depth 0.2");
    insta::assert_snapshot!(described(12), @"gru with 3 recurrent layers, logits times 0.5");
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
    insta::assert_snapshot!(error("seed=1\nmodel.width=2".into()), @r#"--set seed=1\nmodel.width=2: is the text "1\nmodel.width=2"; allowed: whole numbers of at least 0"#);
}

#[test]
fn a_flag_is_blamed_for_what_it_sets_and_no_message_names_a_type_of_rust() {
    let error = |text: &str, overrides: &[&str]| {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        parse_run(text, "r.toml", &overrides)
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(error("", &["optimizer.lr=.1"]), @r#"--set optimizer.lr=.1: is the text ".1"; allowed: numbers as TOML writes them, such as 0.1"#);
    insta::assert_snapshot!(error("", &["optimizer.lr=-1"]), @"--set optimizer.lr=-1: is -1; allowed: finite numbers above 0");
    insta::assert_snapshot!(error("", &["optimizer.lrr=1", "seed=1"]).split("; allowed").next().unwrap(), @"--set optimizer.lrr=1: unknown field `lrr`");
    insta::assert_snapshot!(error("[optimizer]\nlr = -1", &["seed=1"]), @"r.toml: optimizer.lr: is -1; allowed: finite numbers above 0");
    insta::assert_snapshot!(error("optimizer = 5", &[]), @"r.toml: optimizer: is 5; allowed: a table");
    insta::assert_snapshot!(error("[train]\nepochs = 2.5", &[]), @"r.toml: train.epochs: is 2.5; allowed: whole numbers of at least 0");
    insta::assert_snapshot!(error("[model]\nbias = 1", &[]), @"r.toml: model.bias: is 1; allowed: true or false");
}
