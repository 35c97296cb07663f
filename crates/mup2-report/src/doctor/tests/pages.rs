//! What a reader sees: the text and the JSON.

use super::*;
use crate::doctor::text;

/// Three schemes of which one is ill, one is at risk and one is healthy.
fn three_schemes() -> Diagnosis {
    let mut runs = grid("sp-naive", &WIDTHS, |width, lr, rho| {
        landscape(width, lr, rho, if width == 256 { -1 } else { -3 }, 1)
    });
    runs.extend(grid("mup-global", &WIDTHS, healthy));
    runs.extend(grid("mup2", &WIDTHS, healthy));
    diagnosis(&report(runs))
}

#[test]
fn the_text_is_as_recorded() {
    insta::assert_snapshot!(text(&three_schemes(), false));
}

#[test]
fn the_json_names_signatures_and_standings_in_kebab_case() {
    let json = serde_json::to_value(three_schemes()).unwrap();
    let finding = &json["schemes"][1]["findings"][0];
    assert_eq!(finding["signature"], "vanishing-perturbation");
    assert_eq!(finding["standing"], "predicted");
    assert_eq!(finding["evidence"][0]["value"], 1.0 / 256.0);
    assert_eq!(json["schemes"][2]["healthy"], true);
}

#[test]
fn no_line_is_longer_than_the_page_and_no_command_is_broken() {
    let text = text(&three_schemes(), false);
    for line in text.lines() {
        assert!(line.chars().count() <= 96, "{line}");
        assert_eq!(line.matches('`').count() % 2, 0, "{line}");
        assert_eq!(line.trim_end(), line);
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let diagnosis = three_schemes();
    let mut coloured = text(&diagnosis, true);
    assert!(coloured.contains("\u{1b}[32mhealthy\u{1b}[0m"));
    for code in ["0", "1", "2", "31", "32", "33"] {
        coloured = coloured.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(coloured, text(&diagnosis, false));
}

#[test]
fn a_scheme_name_cannot_break_the_layout() {
    let report = report(grid("a\u{1b}[31m\nb", &WIDTHS, healthy));
    let text = text(
        &diagnose(&Case {
            report: &report,
            theory: Vec::new(),
        }),
        false,
    );
    assert!(!text.contains('\u{1b}'));
    assert!(text.contains("\na[31mb: "));
}
