//! The Python file for PyTorch: the groups of a checkpoint, with an optimizer that uses them.

use super::groups::{ModelScaling, ParameterScaling};
use crate::error::{Error, Result};
use crate::{AsamBias, Rule, TensorKind};
use std::fmt::Write;

/// The file but for its numbers; it is Python itself, with empty groups.
const TEMPLATE: &str = include_str!("mup2_torch.py");

/// The lines of the template that the numbers take the place of.
const ORIGIN: &str = "ORIGIN = \"\"\n";
const GROUPS: &str = "GROUPS: tuple[Group, ...] = ()\n";

/// A Python file with `scaling`'s parameter groups, their initialization and a SAM optimizer; it needs
/// PyTorch alone.
///
/// # Errors
/// For random directions, which Python could not draw from our streams.
pub fn python_file(scaling: &ModelScaling) -> Result<String> {
    if scaling.rule == Rule::Random {
        return Err(Error::invalid(
            "rule `random`",
            "draws directions from mup2's own random streams, which a Python file does not have",
            "`sam`, `asam`, `asam-layer` or `sam-on` for the Python file",
        ));
    }
    Ok(TEMPLATE
        .replace(ORIGIN, &format!("ORIGIN = {}\n", string(&origin(scaling))))
        .replace(GROUPS, &groups(scaling)))
}

fn origin(scaling: &ModelScaling) -> String {
    format!(
        "mup2 {}: {}-{}, rule {}, {} denominator, optimizer {}; base {}, target {}, width ratio {}",
        env!("CARGO_PKG_VERSION"),
        scaling.parameterization,
        scaling.perturbation,
        scaling.rule,
        scaling.denominator,
        scaling.optimizer,
        scaling.base,
        scaling.target,
        scaling.width_ratio,
    )
}

/// T of the rule for one tensor, as `step::Sam` has it, and the multiplier of its small constant.
fn preconditioner(scaling: &ModelScaling, row: &ParameterScaling) -> (&'static str, f64) {
    match (scaling.rule, row.kind, scaling.asam_bias) {
        (Rule::Sam | Rule::SamOn | Rule::Random, _, _) => ("one", 0.0),
        (Rule::Asam, Some(TensorKind::Bias), AsamBias::One) => ("one", 0.0),
        (Rule::Asam, Some(TensorKind::Bias), AsamBias::Absolute) => ("absolute", 0.0),
        (Rule::Asam, _, _) => ("absolute", row.asam_eta_mult),
        (Rule::AsamLayer, _, _) => ("norm", 0.0),
    }
}

/// Everything that tensors of one group have in common, as Python writes it.
fn common(scaling: &ModelScaling, row: &ParameterScaling) -> String {
    let (preconditioner, eta) = preconditioner(scaling, row);
    let kind = match row.kind {
        Some(TensorKind::Weight) => "weight",
        Some(TensorKind::Bias) => "bias",
        Some(TensorKind::Norm) => "norm",
        None => "vector",
    };
    let mut text = format!(
        "        role=\"{}\",\n        preconditioner=\"{preconditioner}\",\n        kind=\"{kind}\",\n",
        row.role
    );
    for (name, value) in [
        ("init_mult", row.init_mult),
        ("lr_mult", row.lr_mult),
        ("rho_mult", row.rho_mult),
        ("norm_mult", row.norm_mult),
        ("wd_mult", row.wd_mult),
        ("asam_eta_mult", eta),
    ] {
        // Writing to a String cannot fail. `{:?}` is the shortest text that is the same number.
        let _ = writeln!(text, "        {name}={value:?},");
    }
    text
}

fn groups(scaling: &ModelScaling) -> String {
    let mut groups: Vec<(String, Vec<&ParameterScaling>)> = Vec::new();
    for row in &scaling.tensors {
        let common = common(scaling, row);
        match groups.iter_mut().find(|(other, _)| *other == common) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((common, vec![row])),
        }
    }
    let mut text = String::from("GROUPS: tuple[Group, ...] = (\n");
    for (common, rows) in groups {
        let _ = write!(text, "    Group(\n{common}        tensors={{\n");
        for row in rows {
            let _ = writeln!(
                text,
                "            {}: Entry({}, {:?}),",
                string(&row.name),
                tuple(&row.shape),
                row.init_std
            );
        }
        text.push_str("        },\n    ),\n");
    }
    text.push_str(")\n");
    text
}

fn tuple(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    match &sides[..] {
        [one] => format!("({one},)"),
        _ => format!("({})", sides.join(", ")),
    }
}

/// A Python string literal of `text`, whatever it holds.
fn string(text: &str) -> String {
    let mut literal = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            ' '..='~' => literal.push(character),
            _ => {
                let _ = write!(literal, "\\U{:08x}", u32::from(character));
            }
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_a_place_for_the_numbers() {
        for marker in [ORIGIN, GROUPS] {
            assert_eq!(TEMPLATE.matches(marker).count(), 1, "{marker}");
        }
    }

    #[test]
    fn no_name_can_leave_its_string() {
        assert_eq!(string("a.weight"), "\"a.weight\"");
        assert_eq!(string("\"]; import os #\\"), "\"\\\"]; import os #\\\\\"");
        assert_eq!(string("é\n😀"), "\"\\U000000e9\\U0000000a\\U0001f600\"");
    }

    #[test]
    fn shapes_are_tuples_also_with_one_side_or_none() {
        assert_eq!(tuple(&[]), "()");
        assert_eq!(tuple(&[3]), "(3,)");
        assert_eq!(tuple(&[3, 4]), "(3, 4)");
    }
}
