//! The terminal's view of a check: one row a tensor, the findings, and whether it passed.

use super::display::{outcome, percent, slope, slope_with_error, what_was_checked, yes_or_no};
use mup2_scaling::check::{CheckReport, SlopeVerdict, TensorFinding};
use mup2_scaling::number::{ABSENT, plain};

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

const SEPARATOR: &str = "  ";
/// Longer names are cut, so that one of them does not move all columns off the screen.
const WIDEST_NAME: usize = 40;

/// Returns the result of a check as plain UTF-8 text, with ANSI colours if `colour`.
pub fn terminal_table(report: &CheckReport, colour: bool) -> String {
    let paint = Paint(colour);
    let mut text = paint.in_colour(BOLD, &first_line(report)) + "\n";
    if !report.tensors.is_empty() {
        text.push_str(&rows(report, &paint));
        text.push_str(&paint.in_colour(DIM, &note(report)));
        text.push('\n');
    }
    if !report.findings.is_empty() {
        text.push('\n');
    }
    for finding in &report.findings {
        text.push_str(&format!("- {}\n", one_line(finding)));
    }
    let (word, sentence) = outcome(report);
    let word = paint.in_colour(if report.pass { GREEN } else { RED }, word);
    text.push_str(&format!("\n{word}: {sentence}\n"));
    text
}

/// `Coordinate check of mup2: rule sam; widths 64, 128; seeds 0, 1; 4 steps`
fn first_line(report: &CheckReport) -> String {
    let parts = what_was_checked(report).join("; ");
    one_line(&format!("Coordinate check of {}: {parts}", report.scheme))
}

fn note(report: &CheckReport) -> String {
    format!(
        "Slopes of log RMS over log width at step {} ± one standard error; theory: the slope \
         predicted; {ABSENT}: no number;\nagrees: they differ by no more than {} plus two standard \
         errors; norm: share of the squared norm at the widest width.",
        report.steps,
        plain(report.tolerance)
    )
}

/// A heading and whether its column is aligned to the left.
const HEADINGS: [(&str, bool); 11] = [
    ("tensor", true),
    ("role", true),
    ("effect", false),
    ("theory", false),
    ("verdict", true),
    ("agrees", true),
    ("spectral", false),
    ("propagated", false),
    ("update", false),
    ("theory", false),
    ("norm, %", false),
];
const VERDICT: usize = 4;
const AGREES: usize = 5;

fn cells(tensor: &TensorFinding) -> [String; HEADINGS.len()] {
    [
        shortened(&one_line(&tensor.name)),
        shortened(&one_line(&tensor.role)),
        slope_with_error(tensor.effect_slope, tensor.effect_stderr),
        slope(tensor.effect_predicted),
        tensor.verdict.to_string(),
        yes_or_no(tensor.effect_as_predicted).to_owned(),
        slope(tensor.spectral_slope),
        slope(tensor.propagated.map(|propagated| propagated.slope)),
        slope_with_error(tensor.update_slope, tensor.update_stderr),
        slope(Some(tensor.update_predicted)),
        percent(tensor.norm_share),
    ]
}

fn rows(report: &CheckReport, paint: &Paint) -> String {
    let rows: Vec<_> = report.tensors.iter().map(cells).collect();
    let widths: [usize; HEADINGS.len()] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([HEADINGS[column].0.chars().count()])
            .max()
            .unwrap_or_default()
    });
    let headings = HEADINGS.map(|(heading, _)| heading.to_owned());
    let mut text = line(&headings, &widths, |_, padded| paint.in_colour(DIM, padded));
    for (row, tensor) in rows.iter().zip(&report.tensors) {
        text.push_str(&line(row, &widths, |column, padded| {
            match colour_of(column, &row[column], tensor.verdict) {
                Some(code) => paint.in_colour(code, padded),
                None => padded.to_owned(),
            }
        }));
    }
    text
}

/// One line of the table; `finish` colours a cell that has been filled up to its column's width.
fn line(
    cells: &[String; HEADINGS.len()],
    widths: &[usize; HEADINGS.len()],
    finish: impl Fn(usize, &str) -> String,
) -> String {
    let mut line = String::new();
    for (column, cell) in cells.iter().enumerate() {
        let (is_left, room) = (HEADINGS[column].1, widths[column]);
        // Outside the colour codes, so that nothing but the cell's own text is coloured.
        let gap = " ".repeat(room.saturating_sub(cell.chars().count()));
        let painted = finish(column, cell);
        if column > 0 {
            line.push_str(SEPARATOR);
        }
        line.push_str(&if is_left {
            painted + &gap
        } else {
            gap + &painted
        });
    }
    line.trim_end().to_owned() + "\n"
}

fn colour_of(column: usize, cell: &str, verdict: SlopeVerdict) -> Option<&'static str> {
    match column {
        VERDICT => Some(match verdict {
            SlopeVerdict::Effective => GREEN,
            SlopeVerdict::Exploding => RED,
            SlopeVerdict::Vanishing | SlopeVerdict::Inconclusive => YELLOW,
            SlopeVerdict::Unperturbed | SlopeVerdict::Flat => DIM,
        }),
        AGREES if cell == "no" => Some(YELLOW),
        _ if cell == ABSENT => Some(DIM),
        _ => None,
    }
}

/// Text without control characters, which would break the layout or steer the terminal.
fn one_line(text: &str) -> String {
    let plain = |one: char| if one.is_control() { ' ' } else { one };
    text.chars().map(plain).collect()
}

/// Cuts the middle out: a block's number stands in front, the parameter's own name at the end.
fn shortened(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= WIDEST_NAME {
        return name.to_owned();
    }
    let (front, back) = (WIDEST_NAME / 2, WIDEST_NAME - WIDEST_NAME / 2 - 1);
    let (front, back) = (&letters[..front], &letters[letters.len() - back..]);
    front.iter().chain(&['…']).chain(back).collect()
}

/// Whether ANSI colours may be used.
struct Paint(bool);

impl Paint {
    fn in_colour(&self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
