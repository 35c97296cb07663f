//! The terminal's view of a report: the transfer table and SGD against SAM, in plain text.

use super::display::{fine_octaves, octaves, plural};
use super::edges::Bound;
use super::slices::smallest;
use super::{Halving, Report, Status, Transfer};
use mup2_scaling::number::ABSENT;
use std::collections::HashSet;

/// How a table is to be laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableOptions {
    /// Columns of the terminal; less important columns are left out where they do not fit.
    pub columns: usize,
    /// Whether ANSI colours may be used.
    pub colour: bool,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            columns: 100,
            colour: false,
        }
    }
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";

/// Returns the transfer table and the SGD-against-SAM table as plain UTF-8 text.
pub fn terminal_table(report: &Report, options: &TableOptions) -> String {
    let axes = &report.axes;
    let mut text = String::new();
    if !report.transfer.is_empty() {
        text.push_str(&paint(options, BOLD, &transfer_heading(report)));
        text.push('\n');
        text.push_str(&transfer_table(report).render(options));
        text.push('\n');
    }
    if report.has_baselines() {
        let heading = format!(
            "{} against {} at their own optima, test {}",
            axes.baseline_name(),
            axes.tuned_name(),
            axes.metric.in_unit()
        );
        text.push_str(&paint(options, BOLD, &heading));
        text.push('\n');
        text.push_str(&baseline_table(report).render(options));
    }
    if !report.fits.is_empty() {
        if report.has_baselines() {
            text.push('\n');
        }
        text.push_str(&paint(options, BOLD, &fits_heading(report)));
        text.push('\n');
        text.push_str(&fits_table(report).render(options));
    }
    if let Some(halving) = &report.halving {
        let heading = "\nPruned by successive halving (epochs: points in → going on)";
        text.push_str(&paint(options, BOLD, heading));
        text.push('\n');
        text.push_str(&halving_table(halving).render(options));
        text.push_str(&paint(options, DIM, &format!("{}.", halving.sentence())));
        text.push('\n');
    }
    for note in notes(report) {
        text.push_str(&paint(options, DIM, &note));
        text.push('\n');
    }
    text
}

fn transfer_table(report: &Report) -> Table {
    let is_grid = report.sampling.is_grid();
    let axes = &report.axes;
    let sizes = plural(&axes.size);
    let x_drift = format!("{} drift", axes.x.symbol);
    let y = axes.y.as_ref().map(|axis| &axis.symbol);
    let y_drift = y.map(|symbol| format!("{symbol} drift"));
    let y_edge = y
        .filter(|_| is_grid)
        .map(|symbol| format!("edge of {symbol}"));
    let mut headings = vec![
        ("scheme", Align::Left, 0),
        (&sizes, Align::Left, 0),
        (&x_drift, Align::Right, 2),
    ];
    headings.extend(y_drift.iter().map(|name| (name.as_str(), Align::Right, 2)));
    headings.extend(y_edge.iter().map(|name| (name.as_str(), Align::Right, 1)));
    headings.extend([
        ("carried over", Align::Right, 1),
        ("own optimum", Align::Right, 3),
        ("regret", Align::Right, 0),
    ]);
    let mut table = Table::new(&headings);
    let metric = &axes.metric;
    let on_edge: HashSet<(&str, usize)> = {
        let rows = report.optima.iter().filter(|optimum| optimum.at_edge);
        rows.map(|optimum| (optimum.scheme.as_str(), optimum.width))
            .collect()
    };
    for row in &report.transfer {
        let at_edge = |width: usize| on_edge.contains(&(row.scheme.as_str(), width));
        let mark = if at_edge(row.from) || at_edge(row.to) {
            "*"
        } else {
            ""
        };
        let carried = match row.status_transferred {
            Some(Status::Diverged) => "diverged".to_owned(),
            _ => metric.with_error(row.accuracy_transferred, row.stderr_transferred),
        };
        let mut cells = vec![
            row.scheme.clone(),
            format!("{} → {}{mark}", row.from, row.to),
            octaves(row.log2_lr_drift),
        ];
        if y.is_some() {
            cells.push(octaves(row.log2_rho_drift));
        }
        if y_edge.is_some() {
            cells.push(fine_octaves(row.edge_rho_drift, row.edge_rho_drift_bound));
        }
        cells.extend([
            carried,
            metric.with_error(row.accuracy_best, row.stderr_best),
            metric.with_error(row.regret, row.regret_stderr),
        ]);
        table.row(cells);
        table.colour_last(regret_colour(report, row));
    }
    table
}

/// Red where the transferred point is not near the optimum, green where it is nearer than half.
fn regret_colour(report: &Report, row: &Transfer) -> Option<&'static str> {
    let near = report.axes.metric.near(row.accuracy_best?);
    match row.regret? {
        regret if regret > near => Some(RED),
        regret if regret < near / 2.0 => Some(GREEN),
        _ => None,
    }
}

fn baseline_table(report: &Report) -> Table {
    let metric = &report.axes.metric;
    let (base, tuned) = (report.axes.baseline_name(), report.axes.tuned_name());
    let gain = format!("{tuned} − {base}");
    let mut table = Table::new(&[
        ("scheme", Align::Left, 0),
        (&report.axes.size, Align::Right, 0),
        (&base, Align::Right, 1),
        (&tuned, Align::Right, 1),
        (&gain, Align::Right, 0),
        ("the same on selection", Align::Right, 2),
    ]);
    for row in &report.baselines {
        table.row(vec![
            row.scheme.clone(),
            row.width.to_string(),
            metric.with_error(row.sgd_test_accuracy, row.sgd_test_stderr),
            metric.with_error(row.sam_test_accuracy, row.sam_test_stderr),
            metric.difference(row.test_gain, row.test_gain_stderr),
            metric.difference(row.gain, row.gain_stderr),
        ]);
    }
    table
}

fn transfer_heading(report: &Report) -> String {
    let axes = &report.axes;
    let heading = format!(
        "Transfer of the {} {}'s optimum, {}",
        smallest(report),
        axes.size,
        axes.metric.in_unit()
    );
    // A table is selected by its metric, which is named already.
    if report.selection == axes.metric.name {
        heading
    } else {
        format!("{heading} ({})", report.selection)
    }
}

fn fits_heading(report: &Report) -> String {
    format!("Exponents of the optimum over {}", report.axes.size)
}

fn fits_table(report: &Report) -> Table {
    let sizes = plural(&report.axes.size);
    let mut table = Table::new(&[
        ("scheme", Align::Left, 0),
        ("of", Align::Left, 0),
        ("exponent", Align::Right, 0),
        (&sizes, Align::Left, 2),
        ("left out", Align::Left, 1),
    ]);
    let list = |sizes: &mut dyn Iterator<Item = usize>| {
        let sizes: Vec<String> = sizes.map(|size| size.to_string()).collect();
        sizes.join(", ")
    };
    for fit in &report.fits {
        table.row(vec![
            fit.scheme.clone(),
            fit.hyperparameter.clone(),
            fit.exponent_in_words(),
            list(&mut fit.optima.iter().map(|optimum| optimum.width)),
            list(&mut fit.left_out.iter().copied()),
        ]);
    }
    table
}

/// The tables of a report with their headings, for papers and notes.
pub(super) fn tables(report: &Report) -> Vec<(String, Vec<String>, Vec<Vec<String>>)> {
    let axes = &report.axes;
    let mut tables = Vec::new();
    let mut add = |heading: String, table: Table| {
        let headings = table.headings.into_iter().map(|one| one.0).collect();
        tables.push((heading, headings, table.rows));
    };
    if !report.transfer.is_empty() {
        add(transfer_heading(report), transfer_table(report));
    }
    if report.has_baselines() {
        let heading = format!(
            "{} against {} at their own optima, test {}",
            axes.baseline_name(),
            axes.tuned_name(),
            axes.metric.in_unit()
        );
        add(heading, baseline_table(report));
    }
    if !report.fits.is_empty() {
        add(fits_heading(report), fits_table(report));
    }
    tables
}

fn halving_table(halving: &Halving) -> Table {
    let mut table = Table::new(&[
        ("scheme", Align::Left, 0),
        ("width", Align::Right, 0),
        ("", Align::Left, 0),
        ("rungs", Align::Left, 3),
        ("pruned", Align::Right, 0),
        ("epochs", Align::Right, 1),
        ("of", Align::Right, 2),
        ("saved", Align::Right, 0),
    ]);
    for row in &halving.brackets {
        let saved = row.saved().map(|saved| format!("{:.0} %", saved * 100.0));
        table.row(vec![
            row.scheme.clone(),
            row.width.to_string(),
            row.optimizer().to_owned(),
            row.rungs_in_words(),
            format!("{} of {}", row.pruned, row.points),
            row.epochs_trained.to_string(),
            row.epochs_full.to_string(),
            saved.unwrap_or(ABSENT.to_owned()),
        ]);
    }
    table
}

fn notes(report: &Report) -> Vec<String> {
    let mut notes = vec![format!(
        "Drifts {}; ± is one standard error over {}; {ABSENT} is no number.",
        report.axes.drift_unit(),
        seeds(report)
    )];
    if !report.transfer.is_empty() && report.optima.iter().any(|optimum| optimum.at_edge) {
        let edge = if report.sampling.is_grid() {
            "on the edge of its grid"
        } else {
            "at the edge of its range"
        };
        notes.push(format!("* an optimum lies {edge}: not trustworthy."));
    }
    let is_bound = |row: &Transfer| {
        matches!(
            row.edge_rho_drift_bound,
            Some(Bound::AtLeast | Bound::AtMost)
        )
    };
    if report.transfer.iter().any(is_bound) {
        notes.push("≥, ≤ the right edge lies beyond the grid: a bound.".to_owned());
    }
    notes
}

/// The number of seeds in words: `3 seeds`, `2 to 3 seeds`.
pub(super) fn seeds(report: &Report) -> String {
    let confidence = &report.confidence;
    if confidence.seeds_min == confidence.seeds_max {
        mup2_scaling::number::count(confidence.seeds_max, "seed")
    } else {
        format!("{} to {} seeds", confidence.seeds_min, confidence.seeds_max)
    }
}

fn paint(options: &TableOptions, code: &str, text: &str) -> String {
    if options.colour {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Align {
    Left,
    Right,
}

/// Text columns, the first of which may be cut and some of which may be left out.
struct Table {
    /// Heading, alignment, and how early the column is left out (0: never).
    headings: Vec<(String, Align, u8)>,
    rows: Vec<Vec<String>>,
    colours: Vec<Option<&'static str>>,
}

const SEPARATOR: &str = "  ";
/// The first column is cut to no less than this; before that, other columns are left out.
const NARROWEST_FIRST: usize = 16;

impl Table {
    fn new(headings: &[(&str, Align, u8)]) -> Self {
        Self {
            headings: headings
                .iter()
                .map(|(heading, align, rank)| ((*heading).to_owned(), *align, *rank))
                .collect(),
            rows: Vec::new(),
            colours: Vec::new(),
        }
    }

    fn row(&mut self, cells: Vec<String>) {
        // A scheme's name may hold anything; control characters would break the layout.
        let clean = |cell: &String| cell.chars().filter(|one| !one.is_control()).collect();
        self.rows.push(cells.iter().map(clean).collect());
        self.colours.push(None);
    }

    fn colour_last(&mut self, colour: Option<&'static str>) {
        if let Some(last) = self.colours.last_mut() {
            *last = colour;
        }
    }

    fn width_of(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells
            .chain([&self.headings[column].0])
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    }

    fn render(&self, options: &TableOptions) -> String {
        let mut shown: Vec<usize> = (0..self.headings.len()).collect();
        let total = |shown: &[usize], first: usize| {
            let rest: usize = shown
                .iter()
                .skip(1)
                .map(|column| self.width_of(*column))
                .sum();
            first + rest + SEPARATOR.len() * shown.len().saturating_sub(1)
        };
        while total(&shown, self.width_of(0).min(NARROWEST_FIRST)) > options.columns {
            let droppable = shown.iter().filter(|column| self.headings[**column].2 > 0);
            let Some(&dropped) = droppable.max_by_key(|column| self.headings[**column].2) else {
                break;
            };
            shown.retain(|column| *column != dropped);
        }
        let excess = total(&shown, self.width_of(0)).saturating_sub(options.columns);
        let first = self.width_of(0).saturating_sub(excess);
        let first = first.max(self.width_of(0).min(NARROWEST_FIRST));
        let headings: Vec<String> = self.headings.iter().map(|one| one.0.clone()).collect();
        let mut text = self.line(&headings, &shown, first, options, Some(DIM));
        for (row, colour) in self.rows.iter().zip(&self.colours) {
            text.push_str(&self.line(row, &shown, first, options, *colour));
        }
        text
    }

    fn line(
        &self,
        cells: &[String],
        shown: &[usize],
        first: usize,
        options: &TableOptions,
        colour: Option<&'static str>,
    ) -> String {
        let mut line = String::new();
        for (place, column) in shown.iter().enumerate() {
            let width = if place == 0 {
                first
            } else {
                line.push_str(SEPARATOR);
                self.width_of(*column)
            };
            let cell = shortened(&cells[*column], width);
            match self.headings[*column].1 {
                Align::Left => line.push_str(&format!("{cell:<width$}")),
                Align::Right => line.push_str(&format!("{cell:>width$}")),
            }
        }
        let line = line.trim_end();
        match colour {
            Some(colour) => paint(options, colour, line) + "\n",
            None => format!("{line}\n"),
        }
    }
}

fn shortened(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    let kept = width.saturating_sub(1);
    cell.chars().take(kept).chain(['…']).collect()
}
