//! What `mup2 scale` prints for a model and for files alike: aligned rows, numbers, the verdict.

use crate::terminal::print;
use mup2_scaling::publish::write_atomically;
use mup2_scaling::{Denominator, Verdict};
use std::fmt::Write;
use std::path::Path;

/// Prints `text`, or writes it to a file and prints the file's name.
pub fn emit(out: Option<&Path>, text: &str) -> anyhow::Result<()> {
    match out {
        None => print(text)?,
        Some(path) => {
            write_atomically(path, text.as_bytes())?;
            print(&format!("{}\n", path.display()))?;
        }
    }
    Ok(())
}

/// Rows of equal length as lines; the first `words` columns to the left, numbers to the right.
pub fn aligned<const N: usize>(rows: &[[String; N]], words: usize) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| {
            if column < words {
                format!("{cell:width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub fn number(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e6).contains(&value.abs()) {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub fn shape(sides: &[usize]) -> String {
    let sides: Vec<String> = sides.iter().map(ToString::to_string).collect();
    sides.join("x")
}

/// Exponents (c∇, d) and the theory's verdict, with the names of at most `most` tensors a line.
pub fn verdict(
    (c_nabla, d): (f64, f64),
    denominator: Denominator,
    verdict: &Verdict,
    most: usize,
) -> String {
    let mut text = format!(
        "c∇ = {c_nabla}, d = {d}, {denominator} denominator\n{}\n",
        if verdict.stable {
            "stable"
        } else {
            "UNSTABLE: something grows with the width"
        }
    );
    for (title, names) in [
        ("effectively perturbed", &verdict.effective),
        ("perturbation vanishes", &verdict.vanishing),
        ("perturbation blows up", &verdict.unstable),
        ("not perturbed", &verdict.unperturbed),
        ("update blows up", &verdict.unstable_updates),
    ] {
        if !names.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{title}: {}", named(names, most));
        }
    }
    text
}

/// The names, or how many there are.
pub fn named(names: &[String], most: usize) -> String {
    if names.len() <= most {
        names.join(", ")
    } else {
        format!("{} tensors", names.len())
    }
}
