//! The report's files: each is written beside its place and renamed into it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Report;
use super::curves::curves;
use super::heatmap::heatmaps;
use super::html::page;
use super::scatter::scatter;
use super::sharpness_panels::sharpness;
use super::slices::slices;
use mup2_scaling::error::{Error, Result};
use mup2_scaling::publish::write_atomically;

/// A figure of some schemes, as SVG.
type Drawing = fn(&Report, &[String]) -> String;

/// The figures of a report by the beginning of their files' names, in the page's order. Scattered
/// points have neither the rows and columns of a heat map nor slices.
fn drawings(report: &Report) -> Vec<(&'static str, Drawing)> {
    let mut drawings: Vec<(&'static str, Drawing)> = if report.axes.y.is_none() {
        vec![("curves", curves)]
    } else if report.sampling.is_grid() {
        vec![("heatmaps", heatmaps), ("slices", slices)]
    } else {
        vec![("scatter", scatter)]
    };
    if !report.sharpness.is_empty() {
        drawings.push(("sharpness", sharpness));
    }
    drawings
}

/// Writes `report.html`, `report.json` and `figures/*.svg` into a directory, which is made if it
/// does not exist. A reader never sees half a file; other files there are left alone.
///
/// # Errors
///
/// [`Error::Io`] where a directory cannot be made or a file cannot be written.
pub fn write(report: &Report, directory: &Path) -> Result<()> {
    let figures = directory.join("figures");
    fs::create_dir_all(&figures).map_err(Error::io("create the directory", &figures))?;
    let drawings = drawings(report);
    let mut names = BTreeSet::new();
    for scheme in &report.schemes {
        let name = file_name(scheme, &mut names);
        let own = std::slice::from_ref(scheme);
        for (kind, draw) in &drawings {
            write_atomically(
                &figures.join(format!("{kind}-{name}.svg")),
                draw(report, own).as_bytes(),
            )?;
        }
    }
    let mut of_all = Vec::new();
    for (kind, draw) in &drawings {
        let figure = draw(report, &report.schemes);
        write_atomically(&figures.join(format!("{kind}.svg")), figure.as_bytes())?;
        of_all.push(figure);
    }
    let json_path = directory.join("report.json");
    let json = serde_json::to_string_pretty(report).map_err(|error| {
        Error::corrupt(
            &json_path,
            format!("the report cannot be written as JSON: {error}"),
            "please report this as a bug",
        )
    })?;
    write_atomically(&json_path, (json + "\n").as_bytes())?;
    // The page comes last: who sees it sees the rest.
    write_atomically(
        &directory.join("report.html"),
        page(report, &of_all).as_bytes(),
    )
}

/// A scheme's name as part of a file name, different for every scheme.
fn file_name(scheme: &str, taken: &mut BTreeSet<String>) -> String {
    let plain: String = scheme
        .chars()
        .take(60)
        .map(|one| {
            if one.is_ascii_alphanumeric() {
                one
            } else {
                '-'
            }
        })
        .collect();
    // Case-insensitive file systems would merge names that differ in case alone.
    let plain = plain.to_ascii_lowercase();
    let mut name = plain.clone();
    let mut suffix = 2;
    while !taken.insert(name.clone()) {
        name = format!("{plain}-{suffix}");
        suffix += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_get_file_names_that_are_safe_and_distinct() {
        let mut taken = BTreeSet::new();
        assert_eq!(file_name("../µP²/x", &mut taken), "----p--x");
        assert_eq!(file_name("mup2", &mut taken), "mup2");
        assert_eq!(file_name("MUP2", &mut taken), "mup2-2");
    }
}
