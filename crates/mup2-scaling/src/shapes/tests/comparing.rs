//! Roles from shapes, declarations for what shapes leave open, and files that are not one model.

use super::{compared, mlp, shapes};
use crate::shapes::{
    Comparison, Declarations, Evidence, ModelShapes, Parameter, Reason, StoredTensor, Widths,
    compare,
};
use crate::{Role, TensorKind};
use safetensors::Dtype;

fn find<'a>(comparison: &'a Comparison, name: &str) -> &'a Parameter {
    let mut parameters = comparison.parameters.iter();
    parameters.find(|parameter| parameter.name == name).unwrap()
}

fn roles(comparison: &Comparison) -> Vec<(&str, Role)> {
    let parameters = comparison.parameters.iter();
    parameters
        .map(|one| (one.name.as_str(), one.role))
        .collect()
}

fn refusal(base: &ModelShapes, target: &ModelShapes, roles: &str) -> String {
    compared(base, target, roles).unwrap_err().to_string()
}

/// Embeddings, attention in Hugging Face's layout, norms and a readout, as in GPT-2.
fn transformer(place: &str, width: usize) -> ModelShapes {
    shapes(
        place,
        &[
            ("wte.weight", &[50, width]),
            ("wpe.weight", &[16, width]),
            ("h.0.ln.weight", &[width]),
            ("h.0.ln.bias", &[width]),
            ("h.0.attn.weight", &[width, 3 * width]),
            ("h.0.attn.bias", &[3 * width]),
            ("head.weight", &[50, width]),
            ("head.bias", &[50]),
        ],
    )
}

const TRANSFORMER_ROLES: &str = r#"
    embedding = ["wte.weight", "wpe.weight"]
    transposed = ["h.*.attn.weight"]
    norm = ["*.ln.*"]
    bias = ["h.*.attn.bias", "head.bias"]
"#;

#[test]
fn roles_follow_from_what_grows() {
    let comparison = compared(&mlp("base", 64), &mlp("target", 256), "").unwrap();
    assert_eq!(comparison.width_ratio, 4.0);
    assert_eq!(
        roles(&comparison),
        [
            ("readout.weight", Role::Output),
            ("hidden.weight", Role::Hidden),
            ("input.weight", Role::Input),
        ]
    );
    let readout = find(&comparison, "readout.weight");
    assert_eq!(readout.evidence, Evidence::OnlyCandidate);
    assert_eq!((readout.fan, readout.base_fan), ((256, 10), (64, 10)));
    assert_eq!(readout.base_init_std, 0.125);
    assert_eq!(find(&comparison, "input.weight").evidence, Evidence::Shapes);
}

#[test]
fn a_kernel_counts_in_the_fan_in_and_a_depthwise_one_is_input_like() {
    let convolutions = |place, width: usize| {
        shapes(
            place,
            &[
                ("stem", &[width, 3, 7, 7]),
                ("conv", &[2 * width, width, 3, 3]),
                ("depthwise", &[width, 1, 3, 3]),
                ("gain", &[width]),
                ("scale", &[]),
            ],
        )
    };
    let comparison = compared(&convolutions("base", 8), &convolutions("target", 12), "").unwrap();
    let found = |name| {
        let parameter = find(&comparison, name);
        (parameter.role, parameter.fan, parameter.base_fan)
    };
    assert_eq!(found("stem"), (Role::Input, (147, 12), (147, 8)));
    assert_eq!(found("conv"), (Role::Hidden, (108, 24), (72, 16)));
    assert_eq!(found("depthwise"), (Role::Input, (9, 12), (9, 8)));
    assert_eq!(found("gain"), (Role::Input, (1, 12), (1, 8)));
    assert_eq!(found("scale"), (Role::Fixed, (1, 1), (1, 1)));
    assert_eq!(comparison.width_ratio, 1.5);
    assert_eq!(find(&comparison, "gain").base_init_std, 0.0);
}

#[test]
fn tables_and_transposed_matrices_are_what_they_are_declared() {
    let (base, target) = (transformer("base", 8), transformer("target", 32));
    let comparison = compared(&base, &target, TRANSFORMER_ROLES).unwrap();
    assert_eq!(
        roles(&comparison)[..3],
        [
            ("head.weight", Role::Output),
            ("wpe.weight", Role::Input),
            ("wte.weight", Role::Input),
        ]
    );
    let table = find(&comparison, "wte.weight");
    assert_eq!((table.fan, table.base_fan), ((1, 32), (1, 8)));
    assert_eq!(
        (table.base_init_std, table.kind),
        (0.02, Some(TensorKind::Weight))
    );
    assert_eq!(table.evidence, Evidence::Declared);
    let fused = find(&comparison, "h.0.attn.weight");
    assert_eq!((fused.role, fused.fan), (Role::Hidden, (32, 96)));
    assert_eq!(
        find(&comparison, "h.0.ln.bias").kind,
        Some(TensorKind::Norm)
    );
    assert_eq!(find(&comparison, "head.bias").kind, Some(TensorKind::Bias));
    assert_eq!(find(&comparison, "head.bias").role, Role::Fixed);
}

#[test]
fn several_candidates_are_an_error_that_says_what_to_write() {
    let (base, target) = (transformer("base", 8), transformer("target", 32));
    let error = refusal(&base, &target, "");
    assert_eq!(
        error,
        "base and target: of `head.weight`, `wpe.weight`, `wte.weight` only the second side grows: each is a readout \
         or an embedding table; allowed: a roles.toml with `readout = [\"head.weight\", \"wpe.weight\", \"wte.weight\"]` \
         or `embedding = [\"head.weight\", \"wpe.weight\", \"wte.weight\"]`, each name in one of the lists"
    );
    // With a declared readout the other is no longer the only candidate.
    let error = refusal(
        &base,
        &target,
        "embedding = ['wte.*']\nreadout = ['head.weight']",
    );
    assert!(error.contains("of `wpe.weight` only"), "{error}");
}

#[test]
fn a_tensor_whose_last_side_grows_has_to_be_declared() {
    let positions = |place, width| shapes(place, &[("positions", &[1, 5, width])]);
    let (base, target) = (positions("base", 8), positions("target", 16));
    let error = refusal(&base, &target, "");
    assert!(error.contains("its side 2, a `kernel` side"), "{error}");
    let comparison = compared(&base, &target, "embedding = ['positions']").unwrap();
    assert_eq!(comparison.parameters[0].role, Role::Input);
    assert_eq!(comparison.parameters[0].fan, (1, 16));
}

#[test]
fn a_layout_can_be_spelled_out() {
    let experts = |place, width: usize| shapes(place, &[("experts", &[8, 2 * width, width])]);
    let (base, target) = (experts("base", 8), experts("target", 16));
    assert!(compared(&base, &target, "").is_err());
    let comparison = compared(&base, &target, "[layout]\n'exp*' = 'stack out in'").unwrap();
    assert_eq!(comparison.parameters[0].role, Role::Hidden);
    assert_eq!(comparison.parameters[0].fan, (16, 32));
    let error = refusal(&base, &target, "[layout]\n'exp*' = 'out in'");
    assert!(error.contains("one word for each side"), "{error}");
    let error = refusal(&base, &target, "[layout]\n'exp*' = 'stack out inn'");
    assert!(
        error.contains("the word `inn`; allowed: one of out, in, kernel, stack"),
        "{error}"
    );
}

#[test]
fn growth_by_two_ratios_names_both_tensors() {
    let base = shapes("base", &[("a", &[8, 3]), ("b", &[8, 8])]);
    let target = shapes("target", &[("a", &[16, 3]), ("b", &[17, 16])]);
    assert_eq!(
        refusal(&base, &target, ""),
        "tensors `a` and `b`: side 0 of `a` grows from 8 to 16, and side 0 of `b` grows from 8 to 17; allowed: \
         growth by one ratio: a model whose hidden sides are all multiplied by the same number"
    );
}

#[test]
fn files_that_are_not_one_model_are_refused() {
    let base = shapes("base", &[("a", &[8, 3]), ("b", &[8])]);
    for (target, expected) in [
        (
            shapes("t", &[("a", &[16, 3])]),
            "`b`: is a parameter in base and not in t",
        ),
        (
            shapes("t", &[("a", &[16, 3]), ("b", &[16]), ("c", &[1])]),
            "`c`: is a parameter in t and not in base",
        ),
        (
            shapes("t", &[("a", &[16, 3]), ("b", &[16, 1])]),
            "`b`: has shape [8] in base and [16, 1] in t",
        ),
        (
            shapes("t", &[("a", &[16, 3]), ("b", &[0])]),
            "t: tensor `b`: has shape [0]",
        ),
        (base.clone(), "have the same shapes"),
        (shapes("t", &[]), "t: holds no parameter"),
    ] {
        let error = refusal(&base, &target, "");
        assert!(error.contains(expected), "{expected:?} not in: {error}");
    }
}

#[test]
fn a_third_width_shows_what_grows_where_base_and_target_are_one() {
    let (base, wide) = (mlp("base", 64), mlp("wide", 96));
    let none = Declarations::default();
    let against = |target: &ModelShapes| {
        let widths = Widths {
            base: &base,
            target,
            other: Some(&wide),
        };
        compare(&widths, &none).map_err(|error| error.to_string())
    };
    let comparison = against(&base).unwrap();
    assert_eq!(comparison.width_ratio, 1.0);
    assert_eq!(find(&comparison, "hidden.weight").role, Role::Hidden);
    let comparison = against(&mlp("target", 128)).unwrap();
    assert_eq!(comparison.width_ratio, 2.0);
    // What grows has to grow to the target too, and nothing else.
    let with_input = |shape: [usize; 2]| {
        let mut target = mlp("target", 128);
        target.tensors[1].shape = shape.to_vec();
        against(&target).unwrap_err()
    };
    let error = with_input([128, 785]);
    assert!(error.contains("grows from 784 to 785"), "{error}");
    let error = with_input([128, 1568]);
    assert!(
        error.contains("`input.weight`: side 1 is the same"),
        "{error}"
    );
    let error = with_input([64, 784]);
    assert!(
        error.contains("`input.weight`: side 0 grows with the width"),
        "{error}"
    );
}

#[test]
fn statistics_and_integers_are_no_parameters_and_show_which_vectors_are_norms() {
    let model = |place, width: usize| {
        let mut model = shapes(
            place,
            &[
                ("conv.weight", &[width, 3, 3, 3]),
                ("bn.weight", &[width]),
                ("bn.bias", &[width]),
                ("bn.running_mean", &[width]),
                ("bn.running_var", &[width]),
                ("fc.weight", &[10, width]),
                ("fc.bias", &[10]),
                ("mask", &[width, width]),
            ],
        );
        model.tensors.push(StoredTensor {
            name: "bn.num_batches_tracked".to_owned(),
            dtype: Dtype::I64,
            shape: vec![],
        });
        model
    };
    let comparison = compared(&model("base", 4), &model("target", 8), "buffer = ['mask']").unwrap();
    let left: Vec<_> = comparison
        .left_out
        .iter()
        .map(|one| (one.name.as_str(), one.reason))
        .collect();
    assert_eq!(
        left,
        [
            ("bn.running_mean", Reason::RunningStatistics),
            ("bn.running_var", Reason::RunningStatistics),
            ("mask", Reason::Declared),
            ("bn.num_batches_tracked", Reason::Integers),
        ]
    );
    assert_eq!(find(&comparison, "bn.weight").kind, Some(TensorKind::Norm));
    assert_eq!(find(&comparison, "bn.bias").kind, Some(TensorKind::Norm));
    assert_eq!(find(&comparison, "fc.bias").kind, None);
    // Running statistics are evidence; a pattern for other biases does not overrule them.
    let roles = "buffer = ['mask']\nbias = ['*.bias']";
    let comparison = compared(&model("base", 4), &model("target", 8), roles).unwrap();
    assert_eq!(find(&comparison, "bn.bias").kind, Some(TensorKind::Norm));
    assert_eq!(find(&comparison, "fc.bias").kind, Some(TensorKind::Bias));
}

#[test]
fn declarations_that_do_not_fit_are_refused() {
    let (base, target) = (mlp("base", 8), mlp("target", 16));
    for (roles, expected) in [
        ("embeding = ['a']", "unknown field `embeding`"),
        ("readout = 'a'", "roles.toml: line 1: invalid type"),
        (
            "readout = ['reedout.*']",
            "readout: `reedout.*` matches no tensor",
        ),
        (
            "readout = ['hidden.weight']",
            "is declared a readout, and by its shapes is `hidden`",
        ),
        (
            "embedding = ['hidden.weight']",
            "its side 0, a `stack` side",
        ),
        (
            "bias = ['*']\nnorm = ['i*']",
            "declared both by `*` in bias and by `i*` in norm",
        ),
        (
            "readout = ['readout.*']\nembedding = ['r*']",
            "declared both by",
        ),
        ("[gain]\n'*' = -1.0", "gain of `*`: is -1"),
        ("[gain]\n'*' = nan", "gain of `*`: is NaN"),
        (
            "[layout]\n'*' = 'out in'\n'input.weight' = 'out in in'",
            "one word for each side",
        ),
    ] {
        let error = refusal(&base, &target, roles);
        assert!(error.contains(expected), "{expected:?} not in: {error}");
    }
}

#[test]
fn an_exact_name_overrules_patterns() {
    let roles = "[gain]\n'*' = 2.0\n'hidden.weight' = 3.0";
    let comparison = compared(&mlp("base", 4), &mlp("target", 8), roles).unwrap();
    assert_eq!(find(&comparison, "hidden.weight").base_init_std, 1.5);
    assert_eq!(find(&comparison, "readout.weight").base_init_std, 1.0);
    assert_eq!(find(&comparison, "input.weight").base_init_std, 2.0 / 28.0);
}
