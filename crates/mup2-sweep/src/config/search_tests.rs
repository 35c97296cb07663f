//! What a search draws, that it can be extended, and what is said when it is wrong.

use super::{RunId, Search, SweepSpec, parse_sweep};
use crate::command::COMMAND;
use std::collections::HashSet;

const SEARCH: &str = r#"
name = "test"
[command]
argv = ["true", "{scheme}", "{width}", "{lr}", "{rho}", "{seed}"]
metric = "accuracy"
[grid]
scheme = ["mup-global", "mup2"]
width = [16, 64]
seed = [0, 1]
[search]
points = 32
lr = { log2_from = -6, log2_to = -2 }
rho = { log2_from = -6, log2_to = 1 }
"#;

/// The sweep with replacements, in turn.
fn parsed(replacements: &[(&str, &str)]) -> crate::error::Result<SweepSpec> {
    let mut text = SEARCH.to_owned();
    for (from, to) in replacements {
        assert!(text.contains(from));
        text = text.replace(from, to);
    }
    parse_sweep(&text, "s.toml", &[], &[COMMAND])
}

fn search(replacements: &[(&str, &str)]) -> Search {
    parsed(replacements).unwrap().search.unwrap()
}

fn error(from: &str, to: &str) -> String {
    parsed(&[(from, to)]).unwrap_err().to_string()
}

/// The points without their SGD twins.
fn points(search: &Search) -> Vec<(f64, f64)> {
    let mut pairs = search.pairs();
    pairs.retain(|(_, rho)| *rho > 0.0);
    pairs
}

const RANDOM: (&str, &str) = ("points", "method = \"random\"\npoints");

#[test]
fn the_first_sobol_points_are_those_of_an_independent_program() {
    // scripts/reference/sobol.py
    let seed_0 = [
        (0.03232, 0.2114),
        (0.2309, 0.146),
        (0.1037, 0.6819),
        (0.01664, 0.02552),
        (0.02859, 1.81),
        (0.08433, 0.02961),
        (0.05707, 0.07489),
        (0.1279, 0.5219),
    ];
    let seed_7 = [
        (0.1032, 0.277),
        (0.01693, 0.04017),
        (0.1496, 0.09182),
        (0.05939, 1.806),
        (0.02347, 0.4767),
        (0.07365, 0.0232),
        (0.03523, 0.1007),
        (0.199, 0.7901),
    ];
    assert_eq!(points(&search(&[]))[..8], seed_0);
    assert_eq!(
        points(&search(&[("points", "seed = 7\npoints")]))[..8],
        seed_7
    );
}

#[test]
fn random_points_keep_their_values_over_versions() {
    // From `random::stream`: a change of it would give every random search other runs.
    let first = [(0.0492, 0.6758), (0.09105, 0.04581), (0.02247, 0.4972)];
    assert_eq!(points(&search(&[RANDOM]))[..3], first);
}

#[test]
fn the_first_2_to_the_k_sobol_points_lie_one_in_each_dyadic_box_of_their_area() {
    // Before the values are rounded, which may move a point over the border of a small box.
    let square = search(&[("points = 32", "seed = 3\npoints = 1024")]).shares();
    for power in 0..=10 {
        for across in 0..=power {
            let boxes: HashSet<(i64, i64)> = square[..1 << power]
                .iter()
                .map(|(x, y)| {
                    let place = |share: f64, parts: i32| (share * 2_f64.powi(parts)) as i64;
                    (place(*x, across), place(*y, power - across))
                })
                .collect();
            assert_eq!(boxes.len(), 1 << power, "{power} {across}");
        }
    }
}

#[test]
fn more_points_keep_the_first_ones_and_the_ids_of_their_runs() {
    for method in [("name", "name"), RANDOM] {
        let few = parsed(&[method]).unwrap();
        let mut many = few.clone();
        many.search.as_mut().unwrap().points = 64;
        let (before, after) = (few.search.as_ref().unwrap(), many.search.as_ref().unwrap());
        assert_eq!((points(before).len(), points(after).len()), (32, 64));
        assert!(after.pairs().starts_with(&before.pairs()));
        let ids = |sweep: &SweepSpec| -> Vec<RunId> {
            sweep.plan().into_iter().map(|run| run.id).collect()
        };
        let all: HashSet<RunId> = ids(&many).into_iter().collect();
        assert!(ids(&few).iter().all(|id| all.contains(id)));
    }
}

#[test]
fn another_seed_or_method_draws_other_points() {
    let first = points(&search(&[]));
    for other in [
        search(&[RANDOM]),
        search(&[("points", "seed = 1\npoints")]),
        search(&[RANDOM, ("points =", "seed = 1\npoints =")]),
    ] {
        let other = points(&other);
        assert!(first.iter().all(|point| !other.contains(point)));
    }
}

#[test]
fn every_scheme_and_width_gets_the_same_points() {
    let sweep = parsed(&[]).unwrap();
    let plan = sweep.plan();
    let pairs = sweep.search.as_ref().unwrap().pairs();
    assert_eq!(plan.len(), 2 * 2 * 2 * pairs.len());
    for scheme in ["mup-global", "mup2"] {
        for width in [16, 64] {
            let own: Vec<(f64, f64)> = plan
                .iter()
                .filter(|run| &*run.cell.scheme == scheme && run.cell.seed == 1)
                .filter(|run| run.cell.width == width)
                .map(|run| (run.cell.lr, run.cell.rho))
                .collect();
            assert_eq!(own, pairs);
        }
    }
}

#[test]
fn sgd_gets_every_learning_rate_of_the_search_unless_it_is_left_out() {
    let with = search(&[]).pairs();
    let sgd: Vec<f64> = with
        .iter()
        .filter_map(|(lr, rho)| (*rho == 0.0).then_some(*lr))
        .collect();
    let sam: Vec<f64> = points(&search(&[])).iter().map(|(lr, _)| *lr).collect();
    assert_eq!(sgd, sam);
    let without = search(&[("points", "include_sgd = false\npoints")]);
    assert_eq!(without.pairs(), points(&search(&[])));
}

#[test]
fn points_have_four_significant_digits_and_stay_within_their_ranges() {
    // 2^-9 = 0.001953125 has more than four digits: rounding may not lead below it.
    let search = search(&[
        RANDOM,
        ("points = 32", "points = 4000"),
        (
            "log2_from = -6, log2_to = -2",
            "log2_from = -9, log2_to = -8.999",
        ),
    ]);
    let low = 2_f64.powi(-9);
    for (lr, rho) in points(&search) {
        assert!((low..=2_f64.powf(-8.999)).contains(&lr), "{lr}");
        assert!((2_f64.powi(-6)..=2.0).contains(&rho), "{rho}");
        for value in [lr, rho] {
            let digits = format!("{value:e}").split('e').next().unwrap().len() - 1;
            assert!(digits <= 4 || value == low, "{value}");
        }
    }
}

#[test]
fn points_that_agree_in_all_their_digits_are_one_point() {
    let narrow = "{ log2_from = -6, log2_to = -5.998 }";
    let search = search(&[
        ("points = 32", "points = 1000"),
        ("{ log2_from = -6, log2_to = -2 }", narrow),
        ("{ log2_from = -6, log2_to = 1 }", narrow),
    ]);
    let pairs = search.pairs();
    let distinct: HashSet<(u64, u64)> = pairs
        .iter()
        .map(|(lr, rho)| (lr.to_bits(), rho.to_bits()))
        .collect();
    assert!(pairs.len() < 100);
    assert_eq!(distinct.len(), pairs.len());
}

#[test]
fn a_search_survives_being_written_and_read() {
    let spec = parsed(&[]).unwrap();
    let toml = toml::to_string(&spec).unwrap();
    assert_eq!(parse_sweep(&toml, "s.toml", &[], &[COMMAND]).unwrap(), spec);
}

#[test]
fn an_override_extends_a_search() {
    let spec = parse_sweep(
        SEARCH,
        "s.toml",
        &["search.points=64".to_owned()],
        &[COMMAND],
    )
    .unwrap();
    assert_eq!(spec.search.unwrap().points, 64);
}

#[test]
fn learning_rates_and_radii_come_from_one_place() {
    let seeds = "seed = [0, 1]";
    insta::assert_snapshot!(error(seeds, "seed = [0, 1]\nlr = [0.1]"), @"s.toml: grid.lr: stands beside a `[search]` table; allowed: `grid.lr` and `grid.rho`, or a `[search]` table in place of both");
    insta::assert_snapshot!(error(seeds, "seed = [0, 1]\nrho = [0.1]"), @"s.toml: grid.rho: stands beside a `[search]` table; allowed: `grid.lr` and `grid.rho`, or a `[search]` table in place of both");
}

#[test]
fn bad_searches_are_named() {
    insta::assert_snapshot!(error("points = 32", "points = 0"), @"s.toml: search.points: is 0; allowed: whole numbers from 1 to 65536");
    insta::assert_snapshot!(error("points = 32", "points = 65537"), @"s.toml: search.points: is 65537; allowed: whole numbers from 1 to 65536");
    insta::assert_snapshot!(error("points = 32", "points = -1"), @"s.toml: search.points: is -1; allowed: whole numbers of at least 0");
    insta::assert_snapshot!(error("points = 32", ""), @"s.toml: search: missing field `points`; allowed: see `mup2 spec`");
    insta::assert_snapshot!(error("points = 32", "points = 32\nmethod = 'halton'"), @"s.toml: search.method: unknown variant `halton`; allowed: one of `sobol`, `random`, `halving`");
    insta::assert_snapshot!(error("log2_to = -2", "log2_to = -6"), @"s.toml: search.lr: is from -6 to -6; allowed: finite `log2_from` < `log2_to` within ±1000");
    insta::assert_snapshot!(error("log2_to = 1 }", "log2_to = inf }"), @"s.toml: search.rho: is from -6 to inf; allowed: finite `log2_from` < `log2_to` within ±1000");
    insta::assert_snapshot!(error("log2_to = -2", "log2_to = -2, zero = true"), @"s.toml: search.lr.zero: unknown field `zero`; allowed: `log2_from` or `log2_to`");
    insta::assert_snapshot!(error("{ log2_from = -6, log2_to = -2 }", "[0.1, 0.2]"), @"s.toml: search.lr: is a list; allowed: a range such as { log2_from = -6, log2_to = 0 }");
}

#[test]
fn a_search_of_too_many_runs_is_refused_before_it_is_made() {
    let error = parsed(&[
        ("points = 32", "points = 65536"),
        ("[0, 1]", "[0, 1, 2, 3]"),
    ])
    .unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"s.toml: grid: has 2097152 runs; allowed: at most 1000000 runs in one sweep");
}
