//! What the reader sees: the JSON, the terminal's tables, the figures and the page.

use super::{ended, input, run, two_widths};
use crate::report::{Outcome, Report, ReportInput, TableOptions, build, terminal_table, write};

/// Two schemes, one of them with a diverged, a failed and a missing run.
pub(super) fn small() -> ReportInput {
    let mut runs = two_widths("mup2");
    runs.extend(two_widths("sp-naive"));
    let diverged = run("sp-naive", 64, -4, Some(1), 0, 0.0);
    runs.push(ended(diverged, Outcome::Diverged));
    let failed = run("sp-naive", 64, -4, Some(1), 1, 0.0);
    runs.push(ended(failed, Outcome::Failed("out of memory".to_owned())));
    let missing = run("sp-naive", 64, -3, Some(1), 0, 0.0);
    runs.push(ended(missing, Outcome::Missing));
    let mut input = input(runs);
    input.schemes = vec!["mup2".to_owned(), "sp-naive".to_owned()];
    input.warnings = vec!["a run was resumed".to_owned()];
    input
}

fn written(report: &Report) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(report, directory.path()).unwrap();
    directory
}

fn read(directory: &tempfile::TempDir, name: &str) -> String {
    std::fs::read_to_string(directory.path().join(name)).unwrap()
}

#[test]
fn the_json_is_as_recorded() {
    let report = build(&small());
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn the_terminal_table_is_as_recorded() {
    let report = build(&small());
    insta::assert_snapshot!(terminal_table(&report, &TableOptions::default()));
}

#[test]
fn the_terminal_table_keeps_to_its_columns() {
    let mut input = small();
    for observation in &mut input.observations {
        observation.scheme.push_str(" with a very long name indeed");
    }
    let report = build(&input);
    for columns in [60, 80, 100] {
        let options = TableOptions {
            columns,
            colour: false,
        };
        let text = terminal_table(&report, &options);
        let rows = text.lines().filter(|line| line.contains('…'));
        assert!(rows.clone().count() > 5);
        assert!(rows.clone().all(|line| line.chars().count() <= columns));
    }
}

#[test]
fn colour_is_used_only_when_asked_for() {
    let report = build(&small());
    let plain = terminal_table(&report, &TableOptions::default());
    assert!(!plain.contains('\u{1b}'));
    let options = TableOptions {
        columns: 100,
        colour: true,
    };
    assert!(terminal_table(&report, &options).contains("\u{1b}[31m"));
}

#[test]
fn every_figure_is_xml_and_every_file_is_in_its_place() {
    let directory = written(&build(&small()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory.path().join("figures")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = read(&directory, &format!("figures/{name}"));
        let document = roxmltree::Document::parse(&text).unwrap();
        assert_eq!(document.root_element().tag_name().name(), "svg");
        names.push(name);
    }
    names.sort();
    assert_eq!(
        names,
        [
            "heatmaps-mup2.svg",
            "heatmaps-sp-naive.svg",
            "heatmaps.svg",
            "slices-mup2.svg",
            "slices-sp-naive.svg",
            "slices.svg"
        ]
    );
    let report: Report = serde_json::from_str(&read(&directory, "report.json")).unwrap();
    assert_eq!(report.schemes, ["mup2", "sp-naive"]);
}

#[test]
fn each_heat_map_marks_its_optimum_and_each_cell_tells_its_numbers() {
    let directory = written(&build(&small()));
    let text = read(&directory, "figures/heatmaps.svg");
    let document = roxmltree::Document::parse(&text).unwrap();
    let titles: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("title"))
        .filter_map(|node| node.text())
        .collect();
    assert_eq!(titles.len(), 42);
    assert!(titles[3].contains("η = 2⁻⁴, ρ = 2⁻¹\nok: 76.00 ± 0.50 %, test 75.00 ± 0.50 %"));
    assert!(titles.iter().any(|title| title.contains("1 failed")));
}

#[test]
fn the_users_text_cannot_become_markup() {
    let hostile = "<script>alert('1')</script> & \"x\"";
    let mut input = small();
    for observation in &mut input.observations {
        if observation.scheme == "sp-naive" {
            observation.scheme = hostile.to_owned();
        }
        if let Outcome::Failed(reason) = &mut observation.outcome {
            *reason = hostile.to_owned();
        }
    }
    for field in [
        &mut input.title,
        &mut input.dataset,
        &mut input.selection,
        &mut input.command,
        &mut input.version,
    ] {
        *field = hostile.to_owned();
    }
    input.settings = vec![(hostile.to_owned(), hostile.to_owned())];
    input.warnings = vec![hostile.to_owned()];
    let directory = written(&build(&input));
    let page = read(&directory, "report.html");
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;"));
    assert!(!page.contains("&amp;lt;"));
    let figure = read(&directory, "figures/slices.svg");
    assert!(roxmltree::Document::parse(&figure).is_ok());
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = read(&written(&build(&small())), "report.html");
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http") && !outside.contains("src=") && !outside.contains("@import"));
    for part in [
        "How to read this",
        "How sure is this?",
        "out of memory",
        "a run was resumed",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn writing_again_replaces_the_files_and_leaves_nothing_aside() {
    let directory = written(&build(&small()));
    let mut second = build(&small());
    second.title = "second".to_owned();
    write(&second, directory.path()).unwrap();
    assert!(read(&directory, "report.html").contains("second"));
    let names: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 3);
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = write(&build(&small()), &file).unwrap_err();
    assert!(error.to_string().contains("figures"));
}

#[test]
fn a_report_of_nothing_is_still_a_report() {
    let mut input = input(Vec::new());
    input.schemes = vec!["mup2".to_owned()];
    let report = build(&input);
    assert_eq!(report.warnings, ["scheme mup2 has no observations"]);
    let directory = written(&report);
    assert!(read(&directory, "report.html").contains("nothing to transfer"));
    assert!(!terminal_table(&report, &TableOptions::default()).is_empty());
}
