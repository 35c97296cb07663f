//! The tables of a report for a paper or a note: Markdown and LaTeX.

use super::Report;
use super::table::tables;

/// How tables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// GitHub's tables.
    Markdown,
    /// `tabular` with the rules of the package `booktabs`.
    Latex,
}

/// The transfer, the comparison with the baseline, and the fitted exponents.
pub fn markup_tables(report: &Report, markup: Markup) -> String {
    let tables = tables(report).into_iter();
    let text = tables.map(|(heading, columns, rows)| match markup {
        Markup::Markdown => markdown(&heading, &columns, &rows),
        Markup::Latex => latex(&heading, &columns, &rows),
    });
    text.collect::<Vec<_>>().join("\n")
}

fn markdown(heading: &str, columns: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape_markdown(cell)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = format!("**{}**\n\n", escape_markdown(heading));
    text.push_str(&line(columns));
    text.push_str(&format!("|{}\n", " --- |".repeat(columns.len())));
    for row in rows {
        text.push_str(&line(row));
    }
    text
}

/// A text that no Markdown reader takes for more than a text.
fn escape_markdown(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' | '!' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other if other.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

fn latex(heading: &str, columns: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape_latex(cell)).collect();
        format!("    {} \\\\\n", cells.join(" & "))
    };
    let mut text = format!(
        "\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n",
        escape_latex(heading)
    );
    let alignment = format!("l{}", "r".repeat(columns.len().saturating_sub(1)));
    text.push_str(&format!(
        "  \\begin{{tabular}}{{{alignment}}}\n    \\toprule\n"
    ));
    text.push_str(&line(columns));
    text.push_str("    \\midrule\n");
    for row in rows {
        text.push_str(&line(row));
    }
    text.push_str("    \\bottomrule\n  \\end{tabular}\n\\end{table}\n");
    text
}

/// A text that TeX sets as it is; our symbols become its own.
fn escape_latex(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\textbackslash{}"),
            '{' | '}' | '#' | '$' | '%' | '&' | '_' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            'η' => escaped.push_str("$\\eta$"),
            'ρ' => escaped.push_str("$\\rho$"),
            'µ' | 'μ' => escaped.push_str("$\\mu$"),
            '±' => escaped.push_str("$\\pm$"),
            '−' => escaped.push_str("$-$"),
            '–' => escaped.push_str("--"),
            '→' => escaped.push_str("$\\to$"),
            '≥' => escaped.push_str("$\\geq$"),
            '≤' => escaped.push_str("$\\leq$"),
            '⁻' => escaped.push_str("$^{-}$"),
            '₂' => escaped.push_str("$_2$"),
            other if other.is_control() => escaped.push(' '),
            other => match "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|digit| digit == other) {
                Some(digit) => escaped.push_str(&format!("$^{digit}$")),
                None => escaped.push(other),
            },
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_name_is_text_in_markdown_and_latex() {
        let hostile = "a|b\n<script> $x$ \\input{x} 100% _y_ =1+1";
        assert_eq!(
            escape_markdown(hostile),
            "a\\|b &lt;script&gt; \\$x\\$ \\\\input{x} 100% \\_y\\_ =1+1"
        );
        assert_eq!(
            escape_latex(hostile),
            "a|b \\textless{}script\\textgreater{} \\$x\\$ \\textbackslash{}input\\{x\\} 100\\% \\_y\\_ =1+1"
        );
        assert_eq!(escape_latex("η = 2⁻⁴"), "$\\eta$ = 2$^{-}$$^4$");
    }

    #[test]
    fn both_markups_hold_every_row() {
        let report = super::super::build(&crate::report::tests::two_widths_of("mup2"));
        let text = markup_tables(&report, Markup::Markdown);
        assert!(text.contains("| mup2 | 16 → 64\\* |"));
        let text = markup_tables(&report, Markup::Latex);
        assert!(text.contains("    mup2 & 16 $\\to$ 64* & "));
        assert_eq!(text.matches("\\begin{tabular}").count(), 2);
    }
}
