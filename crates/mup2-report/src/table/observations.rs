//! From the cells of a table to the input of a report: which rows can be used, what the axes are.

use super::TableQuery;
use super::columns::{Columns, Found, Value};
use super::names::{METRIC, SEED, SERIES, SIZE, STATUS, TEST, X, Y};
use crate::report::{
    Axes, Axis, Metric, MetricKind, Observation, Outcome, ReportInput, Sampling, Scale,
};
use mup2_scaling::error::{Error, Result};
use mup2_scaling::number::{count, plain};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

/// The name of the series where the table has none.
const ONE_SERIES: &str = "all runs";

/// One usable row.
struct Row {
    series: u32,
    size: usize,
    x: f64,
    y: f64,
    seed: u64,
    end: End,
}

/// How a row's run ended.
enum End {
    Completed { value: f64, test: f64 },
    Diverged,
    Failed(Value),
    Missing,
}

pub(super) fn input(
    files: &[PathBuf],
    query: &TableQuery,
    columns: &Columns,
    found: &Found,
) -> Result<ReportInput> {
    let mut notes = Notes::default();
    let mut reader = Reader {
        query,
        columns,
        found,
        series: Vec::new(),
        places: HashMap::new(),
        seen: HashMap::new(),
    };
    let mut rows = rows(&mut reader, &mut notes);
    let x_scale = scale(rows.iter().map(|row| row.x));
    let y_scale = scale(rows.iter().map(|row| row.y));
    let series = reader.series;
    let before = rows.len();
    if x_scale == Scale::Log2 {
        rows.retain(|row| row.x > 0.0);
    }
    if rows.len() < before {
        notes.add(
            format!(
                "left out, {} = 0 has no place on a logarithmic axis; as --y it is a baseline",
                query.x
            ),
            before - rows.len(),
        );
    }
    let values = || {
        rows.iter().filter_map(|row| match row.end {
            End::Completed { value, .. } => Some(value),
            _ => None,
        })
    };
    if rows.is_empty() {
        let all = count(columns.rows(), "row");
        let why = notes.sentences().join("; ");
        let why = if why.is_empty() {
            "it is empty".to_owned()
        } else {
            why
        };
        return Err(Error::invalid(
            place(files),
            format!("none of its {all} can be used: {why}"),
            format!("rows with {}, {} and {}", query.size, query.x, query.metric),
        ));
    }
    let (metric, unit) = metric(query, values);
    let mut warnings = notes.sentences();
    if found.ragged > 0 {
        let rows = count(found.ragged, "row");
        warnings.push(format!(
            "{rows}: more cells than the header, the last left out"
        ));
    }
    if unit != 1.0 {
        warnings.push(format!(
            "{} is given in per cent and was divided by 100",
            query.metric
        ));
    }
    if query.seed.is_none() && !found.has[SEED] {
        warnings.push(
            "there is no column `seed`: rows of one point were taken for its seeds".to_owned(),
        );
    }
    if query.y.is_none() && query.x != "rho" && found.columns.contains("rho") {
        warnings.push("the column `rho` is not used; --y rho makes it the second axis".to_owned());
    }
    let unstable_below = threshold(query, &metric, unit, values);
    if let Some(text) = threshold_in_words(query, &metric, unstable_below) {
        warnings.push(text);
    }
    let axes = Axes {
        size: query.size.clone(),
        x: Axis::of_column(&query.x, x_scale),
        y: query.y.as_ref().map(|name| Axis::of_column(name, y_scale)),
        metric,
    };
    let base_width = base(query, &rows)?;
    let observations: Vec<Observation> = rows
        .iter()
        .map(|row| Observation {
            scheme: series[row.series as usize].clone(),
            width: row.size,
            lr: row.x,
            rho: row.y,
            seed: row.seed,
            outcome: match row.end {
                End::Completed { value, test } => Outcome::Completed {
                    selection_accuracy: value / unit,
                    test_accuracy: test / unit,
                },
                End::Diverged => Outcome::Diverged,
                End::Failed(reason) => Outcome::Failed(reason_text(columns, reason)),
                End::Missing => Outcome::Missing,
            },
        })
        .collect();
    Ok(ReportInput {
        title: if query.title.is_empty() {
            "Results".to_owned()
        } else {
            query.title.clone()
        },
        dataset: place(files),
        selection: query.metric.clone(),
        base_width,
        sampling: sampling(&axes, &rows),
        axes,
        fits: true,
        halving: None,
        settings: settings(files, query, columns),
        schemes: Vec::new(),
        unstable_below,
        observations,
        sharpness: Vec::new(),
        command: query.command.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        warnings,
    })
}

/// A cell that says why a run failed.
fn reason_text(columns: &Columns, cell: Value) -> String {
    const LONGEST: usize = 200;
    match cell {
        Value::Text(text) => columns.texts[text as usize].chars().take(LONGEST).collect(),
        _ => "failed".to_owned(),
    }
}

fn place(files: &[PathBuf]) -> String {
    match files {
        [only] => only.display().to_string(),
        _ => format!("{} files", files.len()),
    }
}

fn settings(files: &[PathBuf], query: &TableQuery, columns: &Columns) -> Vec<(String, String)> {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let mut rows = vec![
        ("Files".to_owned(), names.join(", ")),
        ("Rows".to_owned(), columns.rows().to_string()),
    ];
    for (name, column) in &query.columns {
        rows.push((name.clone(), format!("column {column}")));
    }
    rows
}

/// Why rows were left out or how they were taken, and how many.
#[derive(Default)]
struct Notes(BTreeMap<String, usize>);

impl Notes {
    fn add(&mut self, what: String, rows: usize) {
        *self.0.entry(what).or_insert(0) += rows;
    }

    fn sentences(&self) -> Vec<String> {
        let sentence = |(what, rows): (&String, &usize)| format!("{}: {what}", count(*rows, "row"));
        self.0.iter().map(sentence).collect()
    }
}

/// What is wrong with a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Fault {
    Missing,
    NotFinite,
    Text,
    NoSize,
}

impl Fault {
    fn words(self) -> &'static str {
        match self {
            Self::Missing => "is missing",
            Self::NotFinite => "is not finite",
            Self::Text => "is no number",
            Self::NoSize => "is no whole number above 0",
        }
    }
}

fn number(value: Value) -> std::result::Result<f64, Fault> {
    match value {
        Value::Number(number) if number.is_finite() => Ok(number),
        Value::Number(_) => Err(Fault::NotFinite),
        Value::Text(_) => Err(Fault::Text),
        Value::Missing => Err(Fault::Missing),
    }
}

/// A table being turned into rows.
struct Reader<'a> {
    query: &'a TableQuery,
    columns: &'a Columns,
    found: &'a Found,
    /// Names of the series, and which cell is which.
    series: Vec<String>,
    places: HashMap<(bool, u64), u32>,
    /// Rows so far of each point, where there are no seeds.
    seen: HashMap<(u32, usize, u64, u64), u64>,
}

impl Reader<'_> {
    fn cell(&self, column: usize, row: usize) -> Value {
        self.columns.columns[column][row]
    }

    /// One row, or the column and fault for which it is left out.
    fn row(&mut self, row: usize, notes: &mut Notes) -> std::result::Result<Row, (usize, Fault)> {
        let of = |column: usize| {
            number(self.columns.columns[column][row]).map_err(|fault| (column, fault))
        };
        let size = of(SIZE)?;
        if !(size >= 1.0 && size.fract() == 0.0 && size < 9e15) {
            return Err((SIZE, Fault::NoSize));
        }
        let size = size as usize;
        let x = of(X)?;
        let y = if self.query.y.is_some() { of(Y)? } else { 1.0 };
        let series = self.series(row)?;
        let seed = match self.cell(SEED, row) {
            Value::Number(seed) if seed >= 0.0 && seed.fract() == 0.0 && seed < 9e15 => seed as u64,
            // Any other seeds need only differ.
            Value::Number(seed) => (1 << 63) | (seed.to_bits() >> 1),
            Value::Text(text) => (1 << 62) | u64::from(text),
            Value::Missing if self.found.has[SEED] => return Err((SEED, Fault::Missing)),
            Value::Missing => {
                let key = (series, size, x.to_bits(), y.to_bits());
                let next = self.seen.entry(key).or_insert(0);
                *next += 1;
                *next - 1
            }
        };
        Ok(Row {
            series,
            size,
            x,
            y,
            seed,
            end: self.end(row, notes),
        })
    }

    fn series(&mut self, row: usize) -> std::result::Result<u32, (usize, Fault)> {
        let (key, name) = match self.cell(SERIES, row) {
            Value::Text(text) => ((true, u64::from(text)), &self.columns.texts[text as usize]),
            Value::Number(number) => ((false, number.to_bits()), &plain(number)),
            Value::Missing if self.found.has[SERIES] => return Err((SERIES, Fault::Missing)),
            Value::Missing => ((true, u64::MAX), &ONE_SERIES.to_owned()),
        };
        if let Some(place) = self.places.get(&key) {
            return Ok(*place);
        }
        let place = self.series.len() as u32;
        self.series.push(name.clone());
        self.places.insert(key, place);
        Ok(place)
    }

    /// How the run of a row ended, by its status and metric.
    fn end(&self, row: usize, notes: &mut Notes) -> End {
        let status = match self.cell(STATUS, row) {
            Value::Text(text) => status(&self.columns.texts[text as usize]),
            Value::Number(_) => None,
            Value::Missing if self.query.status.is_some() => {
                notes.add("without a status, judged by the metric".to_owned(), 1);
                Some(Ending::Completed)
            }
            Value::Missing => Some(Ending::Completed),
        };
        if status.is_none() {
            notes.add("with an unknown status, judged by the metric".to_owned(), 1);
        }
        match status.unwrap_or(Ending::Completed) {
            Ending::Diverged => return End::Diverged,
            Ending::Failed => return End::Failed(self.cell(STATUS, row)),
            Ending::Missing => return End::Missing,
            Ending::Completed => {}
        }
        let metric = &self.query.metric;
        match number(self.cell(METRIC, row)) {
            Ok(value) => {
                let test = self
                    .query
                    .test
                    .as_ref()
                    .map(|_| number(self.cell(TEST, row)));
                if let Some(Err(_)) = test {
                    notes.add("without a test value".to_owned(), 1);
                }
                let test = test.and_then(std::result::Result::ok).unwrap_or(f64::NAN);
                End::Completed { value, test }
            }
            Err(Fault::NotFinite) => {
                notes.add(format!("{metric} is not finite, taken as diverged"), 1);
                End::Diverged
            }
            Err(Fault::Text) => {
                notes.add(format!("{metric} is no number, taken as failed"), 1);
                End::Failed(self.cell(METRIC, row))
            }
            Err(_) => {
                notes.add(format!("{metric} is missing, taken as not finished"), 1);
                End::Missing
            }
        }
    }
}

/// What a status means.
enum Ending {
    Completed,
    Diverged,
    Failed,
    Missing,
}

/// The words of W&B, MLflow, Optuna, Slurm and our own tables.
fn status(word: &str) -> Option<Ending> {
    Some(match word.to_ascii_lowercase().as_str() {
        "completed" | "complete" | "finished" | "success" | "succeeded" | "ok" | "done"
        | "true" => Ending::Completed,
        "diverged" | "nan" => Ending::Diverged,
        "failed" | "fail" | "crashed" | "error" | "false" | "out_of_memory" => Ending::Failed,
        "missing" | "running" | "pending" | "queued" | "scheduled" | "waiting" | "killed"
        | "pruned" | "preempted" | "cancelled" | "timeout" => Ending::Missing,
        _ => return None,
    })
}

fn rows(reader: &mut Reader, notes: &mut Notes) -> Vec<Row> {
    let mut rows = Vec::with_capacity(reader.columns.rows());
    let mut left_out: BTreeMap<(usize, Fault), usize> = BTreeMap::new();
    for place in 0..reader.columns.rows() {
        match reader.row(place, notes) {
            Ok(row) => rows.push(row),
            Err(fault) => *left_out.entry(fault).or_insert(0) += 1,
        }
    }
    let query = reader.query;
    for ((column, fault), number) in left_out {
        let name = match column {
            SIZE => &query.size,
            X => &query.x,
            Y => query.y.as_ref().unwrap_or(&query.x),
            SERIES => query.series.as_deref().unwrap_or("scheme"),
            _ => query.seed.as_deref().unwrap_or("seed"),
        };
        notes.add(format!("left out, {name} {}", fault.words()), number);
    }
    rows
}

/// The base size.
///
/// # Errors
/// A size that no row has.
fn base(query: &TableQuery, rows: &[Row]) -> Result<usize> {
    let smallest = rows.iter().map(|row| row.size).min().unwrap_or_default();
    match query.base {
        None => Ok(smallest),
        Some(base) if rows.iter().any(|row| row.size == base) => Ok(base),
        Some(base) => {
            let mut sizes: Vec<usize> = rows.iter().map(|row| row.size).collect();
            sizes.sort_unstable();
            sizes.dedup();
            sizes.truncate(20);
            let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
            Err(Error::invalid(
                "--base",
                format!("no row has {} {base}", query.size),
                sizes.join(", "),
            ))
        }
    }
}

/// The scale of an axis: linear for values below 0, for three or more that are evenly spaced, and for
/// others that lie within a factor of 4; else logarithmic.
fn scale(values: impl Iterator<Item = f64>) -> Scale {
    let distinct: HashSet<u64> = values.map(|value| (value + 0.0).to_bits()).collect();
    let mut values: Vec<f64> = distinct.into_iter().map(f64::from_bits).collect();
    values.sort_by(f64::total_cmp);
    if values.first().is_some_and(|first| *first < 0.0) {
        return Scale::Linear;
    }
    let positive: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| *value > 0.0)
        .collect();
    let (Some(low), Some(high)) = (positive.first(), positive.last()) else {
        return Scale::Linear;
    };
    let is_even = |values: &[f64]| {
        let steps = || values.windows(2).map(|pair| pair[1] - pair[0]);
        let (least, most) = (
            steps().fold(f64::MAX, f64::min),
            steps().fold(0.0, f64::max),
        );
        most - least <= 1e-6 * most
    };
    let logarithms: Vec<f64> = positive.iter().map(|value| value.log2()).collect();
    if positive.len() < 3 || is_even(&logarithms) {
        Scale::Log2
    } else if is_even(&positive) || high / low < 4.0 {
        Scale::Linear
    } else {
        Scale::Log2
    }
}

/// The metric, and what its values are divided by: 100 for an accuracy in per cent.
fn metric<I: Iterator<Item = f64>>(query: &TableQuery, values: impl Fn() -> I) -> (Metric, f64) {
    let (low, high) = values().fold((f64::MAX, f64::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let name = query.metric.to_ascii_lowercase();
    let is_share = !query.minimize && low >= 0.0;
    let parts = ["acc", "%", "percent", "pct", "top1", "top-1", "top_1"];
    let says_percent = parts.iter().any(|part| name.contains(part));
    let (kind, unit) = if is_share && high <= 1.0 {
        (MetricKind::Share, 1.0)
    } else if is_share && high <= 100.0 && says_percent {
        (MetricKind::Share, 100.0)
    } else {
        (MetricKind::Number, 1.0)
    };
    let metric = Metric {
        name: query.metric.clone(),
        kind,
        minimize: query.minimize,
    };
    (metric, unit)
}

/// The threshold of stability: what the query says, in the metric's unit, else half of the best
/// share, else the worst number, which nothing is worse than.
fn threshold<I: Iterator<Item = f64>>(
    query: &TableQuery,
    metric: &Metric,
    unit: f64,
    values: impl Fn() -> I,
) -> f64 {
    let good = || values().map(|value| metric.goodness(value / unit));
    match (query.unstable, metric.kind) {
        (Some(given), _) => given / unit,
        (None, MetricKind::Share) => good().fold(0.0, f64::max) / 2.0,
        (None, MetricKind::Number) => {
            let worst = good().reduce(f64::min).unwrap_or_default();
            // A mean is rounded; the worst cell must not fall below itself.
            metric.goodness(worst - worst.abs() * 1e-9)
        }
    }
}

/// What was assumed of the threshold.
fn threshold_in_words(query: &TableQuery, metric: &Metric, threshold: f64) -> Option<String> {
    let is_assumed = query.unstable.is_none() && metric.kind == MetricKind::Share;
    is_assumed.then(|| {
        format!(
            "a point counts as unstable below half of the best {}, {} %; --unstable sets another \
             threshold",
            metric.name,
            plain(threshold * 100.0)
        )
    })
}

/// A grid, if at least half of the combinations of each series' and size's values are there.
fn sampling(axes: &Axes, rows: &[Row]) -> Sampling {
    let Some(y_axis) = &axes.y else {
        return Sampling::Grid;
    };
    type Seen = (HashSet<u64>, HashSet<u64>, HashSet<(u64, u64)>);
    let mut of: HashMap<(u32, usize), Seen> = HashMap::new();
    let tuned = || rows.iter().filter(|row| !axes.is_baseline(row.y));
    for row in tuned() {
        let (x, y) = (row.x.to_bits(), row.y.to_bits());
        let seen = of.entry((row.series, row.size)).or_default();
        seen.0.insert(x);
        seen.1.insert(y);
        seen.2.insert((x, y));
    }
    let points: usize = of.values().map(|seen| seen.2.len()).sum();
    let combinations: usize = of.values().map(|seen| seen.0.len() * seen.1.len()).sum();
    if 2 * points >= combinations {
        return Sampling::Grid;
    }
    let range = |place: &dyn Fn(&Row) -> f64| {
        tuned()
            .map(place)
            .fold((f64::MAX, f64::MIN), |(low, high), place| {
                (low.min(place), high.max(place))
            })
    };
    Sampling::Scattered {
        method: "the table's points".to_owned(),
        log2_lr: range(&|row| axes.x.place(row.x)),
        log2_rho: range(&|row| y_axis.place(row.y)),
    }
}
