//! What the reader of a check sees: the terminal's table, the panels and the page.

use roxmltree::Document;

use super::page::html;
use super::table::terminal_table;
use mup2_scaling::check::{CheckReport, Divergence, Point, Slope, SlopeVerdict, TensorFinding};

#[path = "rendering_panel_tests.rs"]
mod panels;

const WIDTHS: [usize; 3] = [64, 256, 1024];
const SEEDS: [u64; 2] = [0, 1];
const STEPS: usize = 3;

/// A tensor whose effect has exactly the slope that was predicted.
fn finding(name: &str, role: &str, slope: f64, verdict: SlopeVerdict) -> TensorFinding {
    let is_perturbed = verdict != SlopeVerdict::Unperturbed;
    TensorFinding {
        name: name.to_owned(),
        role: role.to_owned(),
        effect_slope: is_perturbed.then_some(slope),
        effect_stderr: is_perturbed.then_some(0.021),
        effect_predicted: is_perturbed.then_some(slope),
        effect_as_predicted: is_perturbed.then_some(true),
        propagated: None,
        spectral_slope: is_perturbed.then_some(slope),
        spectral_stderr: is_perturbed.then_some(0.01),
        update_slope: Some(0.012),
        update_stderr: Some(0.034),
        update_predicted: 0.0,
        update_verdict: SlopeVerdict::Effective,
        update_propagated: None,
        activation: Some(Slope {
            slope: -0.004,
            stderr: 0.01,
        }),
        norm_share: Some(0.25),
        verdict,
    }
}

fn point(tensor: &str, width: usize, seed: u64, step: usize, effect: f64) -> Point {
    Point {
        tensor: tensor.to_owned(),
        width,
        seed,
        step,
        effect,
        propagated: 0.0,
        cross: 0.0,
        total: effect,
        spectral: effect,
        frobenius: effect,
        update_effect: 0.1,
        update_propagated: 0.05,
        update_spectral: 0.1,
        update_frobenius: 0.1,
        norm_share: 0.25,
        gradient_norm: 1.0,
        activation: 1.0,
    }
}

/// A report whose points lie exactly on the slopes of its tensors.
fn report(tensors: Vec<TensorFinding>) -> CheckReport {
    let mut points = Vec::new();
    for tensor in &tensors {
        for width in WIDTHS {
            for seed in SEEDS {
                for step in 1..=STEPS {
                    let slope = tensor.effect_slope.unwrap_or_default();
                    let effect = 0.01 * step as f64 * (width as f64).powf(slope);
                    points.push(point(&tensor.name, width, seed, step, effect));
                }
            }
        }
    }
    CheckReport {
        pass: true,
        stable: true,
        scheme: "mup2".to_owned(),
        findings: Vec::new(),
        tensors,
        widths: WIDTHS.to_vec(),
        seeds: SEEDS.to_vec(),
        steps: STEPS,
        tolerance: 0.1,
        divergences: Vec::new(),
        points,
        settings: vec![("Rule".to_owned(), "sam".to_owned())],
        version: "1.2.3".to_owned(),
    }
}

fn passing() -> CheckReport {
    let mut report = report(vec![
        finding("input.weight", "input", 0.0, SlopeVerdict::Effective),
        finding("readout.bias", "fixed", 0.0, SlopeVerdict::Unperturbed),
    ]);
    report.findings = vec!["Every perturbed tensor keeps its effect.".to_owned()];
    report
}

fn failing() -> CheckReport {
    let mut tensors = vec![
        finding("input.weight", "input", -1.5, SlopeVerdict::Vanishing),
        finding("hidden.0.weight", "hidden", -0.5, SlopeVerdict::Vanishing),
        finding("readout.weight", "output", 0.5, SlopeVerdict::Exploding),
        finding("readout.bias", "fixed", 0.0, SlopeVerdict::Inconclusive),
    ];
    tensors[1].propagated = Some(Slope {
        slope: -1.47,
        stderr: 0.03,
    });
    tensors[2].effect_slope = Some(0.31);
    tensors[2].effect_as_predicted = Some(false);
    tensors[3].effect_slope = None;
    tensors[3].effect_as_predicted = None;
    tensors[3].norm_share = Some(1e-7);
    let mut report = report(tensors);
    report.scheme = "mup-naive".to_owned();
    (report.pass, report.stable) = (false, false);
    report.findings = vec![
        "The perturbation of `readout.weight` is unstable.".to_owned(),
        "`input.weight` is not effectively perturbed.".to_owned(),
    ];
    report
}

/// The figures of a page: perturbations, then updates.
fn figures(page: &str) -> Vec<&str> {
    let figures = page.split("<svg").skip(1);
    let whole = figures.map(|rest| {
        let start = rest.as_ptr() as usize - page.as_ptr() as usize - "<svg".len();
        let length = rest.find("</svg>").unwrap() + "<svg</svg>".len();
        &page[start..start + length]
    });
    whole.collect()
}

#[test]
fn the_table_of_a_check_that_passes_is_as_recorded() {
    insta::assert_snapshot!(terminal_table(&passing(), false), @r"
    Coordinate check of mup2: rule sam; widths 64, 256, 1024; seeds 0, 1; 3 steps
    tensor        role        effect  theory  verdict      agrees  spectral  propagated        update  theory  norm, %
    input.weight  input  0.00 ± 0.02    0.00  effective    yes         0.00           –  +0.01 ± 0.03    0.00     25.0
    readout.bias  fixed            –       –  unperturbed  –              –           –  +0.01 ± 0.03    0.00     25.0
    Slopes of log RMS over log width at step 3 ± one standard error; theory: the slope predicted; –: no number;
    agrees: they differ by no more than 0.1 plus two standard errors; norm: share of the squared norm at the widest width.

    - Every perturbed tensor keeps its effect.

    PASS: nothing grows with the width, and the perturbation is effective in every tensor that the rule perturbs.
    ");
}

#[test]
fn the_table_of_a_check_that_fails_is_as_recorded() {
    insta::assert_snapshot!(terminal_table(&failing(), false), @r"
    Coordinate check of mup-naive: rule sam; widths 64, 256, 1024; seeds 0, 1; 3 steps
    tensor           role          effect  theory  verdict       agrees  spectral  propagated        update  theory  norm, %
    input.weight     input   −1.50 ± 0.02   −1.50  vanishing     yes        −1.50           –  +0.01 ± 0.03    0.00     25.0
    hidden.0.weight  hidden  −0.50 ± 0.02   −0.50  vanishing     yes        −0.50       −1.47  +0.01 ± 0.03    0.00     25.0
    readout.weight   output  +0.31 ± 0.02   +0.50  exploding     no         +0.50           –  +0.01 ± 0.03    0.00     25.0
    readout.bias     fixed              –    0.00  inconclusive  –           0.00           –  +0.01 ± 0.03    0.00    < 0.1
    Slopes of log RMS over log width at step 3 ± one standard error; theory: the slope predicted; –: no number;
    agrees: they differ by no more than 0.1 plus two standard errors; norm: share of the squared norm at the widest width.

    - The perturbation of `readout.weight` is unstable.
    - `input.weight` is not effectively perturbed.

    FAIL: something that was measured grows with the width, so the scheme is not stable.
    ");
}

#[test]
fn the_last_line_tells_growth_from_divergence_and_from_a_perturbation_without_effect() {
    let last_line = |report: &CheckReport| {
        let table = terminal_table(report, false);
        table.lines().last().unwrap_or_default().to_owned()
    };
    let mut report = failing();
    assert!(last_line(&report).starts_with("FAIL: something that was measured grows"));
    report.divergences = vec![Divergence {
        width: 1024,
        seed: 1,
        step: 2,
    }];
    assert!(last_line(&report).starts_with("FAIL: trainings stopped being finite"));
    report.stable = true;
    assert!(last_line(&report).starts_with("FAIL: nothing grows"));
    report.pass = true;
    assert!(last_line(&report).starts_with("PASS: nothing grows"));
}

#[test]
fn colours_say_what_the_words_say_and_move_nothing() {
    let mut report = failing();
    report.tensors[3].verdict = SlopeVerdict::Effective;
    let coloured = terminal_table(&report, true);
    for part in [
        "\u{1b}[33mvanishing\u{1b}[0m",
        "\u{1b}[31mexploding\u{1b}[0m",
        "\u{1b}[32meffective\u{1b}[0m",
        "\u{1b}[2m–\u{1b}[0m",
        "\u{1b}[33mno\u{1b}[0m",
        "\u{1b}[31mFAIL\u{1b}[0m",
    ] {
        assert!(coloured.contains(part), "{part:?} is not in {coloured:?}");
    }
    let mut plain = coloured;
    for code in ["0", "1", "2", "31", "32", "33"] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(plain, terminal_table(&report, false));
}

#[test]
fn a_long_name_is_cut_in_the_middle_and_moves_no_column() {
    let mut report = failing();
    report.tensors[0].name = format!("blocks.11.{}.weight", "é".repeat(200));
    let table = terminal_table(&report, false);
    let row = table.lines().nth(2).unwrap();
    assert!(
        row.starts_with("blocks.11.é") && row.contains("…é"),
        "{row}"
    );
    assert!(row.contains("é.weight  input"), "{row}");
    let columns: Vec<usize> = ["vanishing", "vanishing", "exploding", "inconclusive"]
        .iter()
        .zip(table.lines().skip(2))
        .map(|(word, row)| row[..row.find(word).unwrap()].chars().count())
        .collect();
    assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
}

#[test]
fn the_terminal_is_not_steered_by_a_name() {
    let mut report = failing();
    report.scheme = "\u{1b}[2J\r".to_owned();
    report.tensors[0].name = "\u{1b}]0;title\u{7}\n".to_owned();
    report.findings = vec!["a\u{1b}[2Jb\nFAIL".to_owned()];
    let table = terminal_table(&report, false);
    assert!(table.chars().all(|one| one == '\n' || !one.is_control()));
    assert_eq!(
        table.lines().count(),
        terminal_table(&failing(), false).lines().count() - 1
    );
}

#[test]
fn the_users_text_cannot_become_markup() {
    let hostile = "<script>alert('1')</script> & \"x\"";
    let mut report = failing();
    for tensor in &mut report.tensors {
        tensor.name = hostile.to_owned();
        tensor.role = hostile.to_owned();
    }
    for point in &mut report.points {
        point.tensor = hostile.to_owned();
    }
    report.scheme = hostile.to_owned();
    report.version = hostile.to_owned();
    report.findings = vec![hostile.to_owned()];
    report.settings = vec![("rule".to_owned(), hostile.to_owned()); 2];
    report
        .settings
        .push((hostile.to_owned(), hostile.to_owned()));
    let page = html(&report);
    assert!(!page.contains("<script") && !page.contains("</script"));
    assert!(page.contains("&lt;script&gt;"));
    assert!(!page.contains("&amp;lt;"));
    for figure in figures(&page) {
        assert!(Document::parse(figure).is_ok());
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_says_what_was_found() {
    let mut report = failing();
    report.divergences = vec![Divergence {
        width: 1024,
        seed: 1,
        step: 2,
    }];
    let page = html(&report);
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http") && !outside.contains("src=") && !outside.contains("@import"));
    for part in [
        "<h1>Coordinate check: mup-naive</h1>",
        "<strong class=\"bad\">FAIL</strong>",
        "<li>The perturbation of <code>readout.weight</code> is unstable.</li>",
        "rule sam · widths 64, 256, 1024 · seeds 0, 1 · 3 steps",
        "How to read this",
        "<span class=\"flag\">vanishing</span>",
        "−1.50 ± 0.02",
        "Shares of the norm",
        "Trainings that stopped being finite",
        "<td class=\"text\">Rule</td><td class=\"wrap\">sam</td>",
        "Made by mup2 1.2.3.",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_check_of_nothing_can_still_be_shown() {
    let empty = CheckReport {
        widths: Vec::new(),
        seeds: Vec::new(),
        steps: 0,
        settings: Vec::new(),
        ..report(Vec::new())
    };
    assert!(html(&empty).contains("No tensor was measured."));
    assert!(terminal_table(&empty, true).contains("no width; no seed; 0 steps"));
    let unmeasured = CheckReport {
        points: Vec::new(),
        ..failing()
    };
    let page = html(&unmeasured);
    assert_eq!(page.matches("no measurement above zero").count(), 8);
}
