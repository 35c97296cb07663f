//! What a report is about: a size, one or two hyperparameters, and the metric that judges them.

use serde::{Deserialize, Serialize};

use super::edges::RIGHT_EDGE_LOSS;
use super::optima::NEAR_OPTIMUM;
use crate::figure::svg::{ticks, whole_ticks};
use mup2_scaling::number::{ABSENT, plain, power, signed, trimmed, two_decimals};

/// The names and scales of a report's quantities. The default is that of our own sweeps: accuracy
/// over learning rate η and perturbation radius ρ at several widths.
///
/// In [`Cell`](super::Cell) and everywhere in `report.json`, `width` is the size, `lr` the first
/// hyperparameter, `rho` the second, and `accuracy` the metric, whatever their names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axes {
    /// Name of the size: `width`, `depth`, `parameters`.
    pub size: String,
    /// The first hyperparameter.
    pub x: Axis,
    /// The second hyperparameter; absent if there is one only, and `rho` is 1 in all cells then.
    pub y: Option<Axis>,
    /// What the best is chosen by.
    pub metric: Metric,
}

/// One hyperparameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Name in words.
    pub name: String,
    /// What stands for it in formulas and tables; the name where it has no symbol.
    pub symbol: String,
    /// How its values are placed.
    pub scale: Scale,
}

/// How the values of a hyperparameter are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// By log₂; a second hyperparameter of 0 is a baseline of its own.
    Log2,
    /// By the value.
    Linear,
}

/// What runs are judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Name.
    pub name: String,
    /// Its range and unit.
    pub kind: MetricKind,
    /// Whether less is better.
    pub minimize: bool,
}

/// Range and unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricKind {
    /// Between 0 and 1, more is better; shown in per cent. A diverged run counts as 0.
    Share,
    /// Any number in a unit of its own. A diverged run has none: where a seed diverged, the mean is
    /// over the others, and the cell cannot be the optimum.
    Number,
}

impl Default for Axes {
    fn default() -> Self {
        Self {
            size: "width".to_owned(),
            x: Axis::new("learning rate", "η", Scale::Log2),
            y: Some(Axis::new("perturbation radius", "ρ", Scale::Log2)),
            metric: Metric {
                name: "accuracy".to_owned(),
                kind: MetricKind::Share,
                minimize: false,
            },
        }
    }
}

impl Axes {
    /// Whether these are the axes of our own sweeps.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a second hyperparameter stands for the base optimizer alone: 0 on a logarithmic axis.
    pub fn is_baseline(&self, y: f64) -> bool {
        y == 0.0
            && self
                .y
                .as_ref()
                .is_some_and(|axis| axis.scale == Scale::Log2)
    }

    /// The place of a second hyperparameter on its axis; 0 where there is none.
    pub fn y_place(&self, y: f64) -> f64 {
        self.y.as_ref().map_or(0.0, |axis| axis.place(y))
    }

    /// Whether the second hyperparameter is SAM's radius, and 0 the base optimizer alone.
    pub fn has_sgd(&self) -> bool {
        self.y
            .as_ref()
            .is_some_and(|axis| axis.symbol == "ρ" && axis.scale == Scale::Log2)
    }

    /// The label of the strip of cells with 0, which has room for a symbol but not for a name.
    pub(super) fn zero_label(&self) -> String {
        let symbol = self.y.as_ref().map_or("", |axis| &axis.symbol);
        if symbol.chars().count() == 1 {
            format!("{symbol}=0")
        } else {
            "0".to_owned()
        }
    }

    /// What a second hyperparameter of 0 is called: `SGD`, or `weight_decay = 0`.
    pub fn baseline_name(&self) -> String {
        match &self.y {
            Some(axis) if !self.has_sgd() => format!("{} = 0", axis.symbol),
            _ => "SGD".to_owned(),
        }
    }

    /// What the others are called: `SAM`, or `weight_decay > 0`.
    pub fn tuned_name(&self) -> String {
        match &self.y {
            Some(axis) if !self.has_sgd() => format!("{} > 0", axis.symbol),
            _ => "SAM".to_owned(),
        }
    }

    /// The unit of drifts: `in octaves`, if both axes are logarithmic.
    pub(super) fn drift_unit(&self) -> String {
        let is_linear = |axis: &&Axis| axis.scale == Scale::Linear;
        let linear: Vec<&str> = [Some(&self.x), self.y.as_ref()]
            .into_iter()
            .flatten()
            .filter(is_linear)
            .map(|axis| axis.symbol.as_str())
            .collect();
        if linear.is_empty() {
            "in octaves".to_owned()
        } else {
            format!("in octaves, of {} in its own unit", linear.join(" and "))
        }
    }

    /// A point in words: `η = 2⁻⁴, ρ = 2⁻³`.
    pub fn point(&self, x: f64, y: f64) -> String {
        let first = format!("{} = {}", self.x.symbol, self.x.value(x));
        match &self.y {
            Some(axis) => format!("{first}, {} = {}", axis.symbol, axis.value(y)),
            None => first,
        }
    }
}

impl Axis {
    /// An axis.
    pub fn new(name: &str, symbol: &str, scale: Scale) -> Self {
        Self {
            name: name.to_owned(),
            symbol: symbol.to_owned(),
            scale,
        }
    }

    /// The axis of a table's column: names of the learning rate and the radius get their symbols.
    pub fn of_column(name: &str, scale: Scale) -> Self {
        match name {
            "lr" | "learning_rate" | "eta" => Self::new("learning rate", "η", scale),
            "rho" => Self::new("perturbation radius", "ρ", scale),
            _ => Self::new(name, name, scale),
        }
    }

    /// The place of a value on the axis.
    pub fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Log2 => value.log2(),
            Scale::Linear => value,
        }
    }

    /// The value at a place, the inverse of [`place`](Self::place).
    pub fn at(&self, place: f64) -> f64 {
        match self.scale {
            Scale::Log2 => place.exp2(),
            Scale::Linear => place,
        }
    }

    /// Whether a value has a place, or is a baseline where `zero` is allowed.
    pub(super) fn holds(&self, value: f64, zero: bool) -> bool {
        let on_axis = self.scale == Scale::Linear || value > 0.0 || (zero && value == 0.0);
        value.is_finite() && on_axis
    }

    /// The name with its symbol: `learning rate η`.
    pub fn words(&self) -> String {
        if self.name == self.symbol {
            self.name.clone()
        } else {
            format!("{} {}", self.name, self.symbol)
        }
    }

    /// The label of the axis: `log₂ η`.
    pub fn label(&self) -> String {
        match self.scale {
            Scale::Log2 => format!("log₂ {}", self.symbol),
            Scale::Linear => self.symbol.clone(),
        }
    }

    /// Round places between two ends of the axis, at most about `most`, with their labels.
    pub(super) fn ticks(&self, (low, high): (f64, f64), most: usize) -> Vec<(f64, String)> {
        let places = match self.scale {
            Scale::Log2 => whole_ticks(low, high, most),
            Scale::Linear => ticks(low, high, most),
        };
        let label = |place: f64| match self.scale {
            Scale::Log2 => trimmed(place),
            Scale::Linear => plain(place),
        };
        places
            .into_iter()
            .map(|place| (place, label(place)))
            .collect()
    }

    /// A value as text: powers of two as such where there is a symbol, else plain numbers.
    pub fn value(&self, value: f64) -> String {
        if self.name == self.symbol || self.scale == Scale::Linear {
            plain(value)
        } else {
            power(value)
        }
    }
}

impl Metric {
    /// The value with the better one larger.
    pub fn goodness(&self, value: f64) -> f64 {
        if self.minimize { -value } else { value }
    }

    /// Whether a value is worse than the threshold of stability.
    pub(super) fn is_unstable(&self, value: f64, threshold: f64) -> bool {
        self.goodness(value) < self.goodness(threshold)
    }

    /// How far from the best a cell still counts as near it.
    pub(super) fn near(&self, best: f64) -> f64 {
        match self.kind {
            MetricKind::Share => NEAR_OPTIMUM,
            MetricKind::Number => NEAR_OPTIMUM * best.abs(),
        }
    }

    /// How much is lost at the right edge.
    pub(super) fn edge_loss(&self, best: f64) -> f64 {
        match self.kind {
            MetricKind::Share => RIGHT_EDGE_LOSS,
            MetricKind::Number => RIGHT_EDGE_LOSS * best.abs(),
        }
    }

    /// Name and unit: `accuracy, %`.
    pub fn label(&self) -> String {
        match self.kind {
            MetricKind::Share => format!("{}, %", self.name),
            MetricKind::Number => self.name.clone(),
        }
    }

    /// The values from the best to the worst that are worth showing, for a number: a run that went
    /// astray must not flatten all others. Nothing for no values.
    pub(super) fn shown_range(&self, values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
        /// The worst shown is so many times as far from the best as the median.
        const REACH: f64 = 4.0;
        let mut values: Vec<f64> = values.map(|value| self.goodness(value)).collect();
        values.sort_by(f64::total_cmp);
        let (worst, best) = (*values.first()?, *values.last()?);
        let median = values[values.len() / 2];
        let worst = worst.max(best - REACH * (best - median));
        Some((self.goodness(best), self.goodness(worst)))
    }

    /// The name in its unit, for a heading: `accuracy in %`.
    pub(super) fn in_unit(&self) -> String {
        match self.kind {
            MetricKind::Share => format!("{} in %", self.name),
            MetricKind::Number => self.name.clone(),
        }
    }

    /// The unit of a value as the end of a sentence: ` %`.
    pub(super) fn unit(&self) -> &'static str {
        match self.kind {
            MetricKind::Share => " %",
            MetricKind::Number => "",
        }
    }

    /// The unit of a difference: ` points`.
    pub(super) fn difference_unit(&self) -> &'static str {
        match self.kind {
            MetricKind::Share => " points",
            MetricKind::Number => "",
        }
    }

    /// A value as a number in the unit of display: per cent for a share.
    pub(super) fn shown(&self, value: f64) -> f64 {
        match self.kind {
            MetricKind::Share => value * 100.0,
            MetricKind::Number => value,
        }
    }

    /// A label of the metric's axis, of a value in the unit of display.
    pub(super) fn tick(&self, value: f64) -> String {
        match self.kind {
            MetricKind::Share => trimmed(value),
            MetricKind::Number => plain(value),
        }
    }

    /// A value as text: `83.12`.
    pub fn text(&self, value: Option<f64>) -> String {
        let number = |value: f64| match self.kind {
            MetricKind::Share => two_decimals(value * 100.0),
            MetricKind::Number => plain(value),
        };
        value.map_or(ABSENT.to_owned(), number)
    }

    /// A value with its standard error: `83.12 ± 0.15`.
    pub fn with_error(&self, value: Option<f64>, stderr: Option<f64>) -> String {
        match (value, stderr, self.kind) {
            (Some(_), Some(stderr), MetricKind::Share) => {
                format!("{} ± {:.2}", self.text(value), stderr * 100.0)
            }
            (Some(value), Some(stderr), MetricKind::Number) => {
                // As many decimals as the error has with two digits.
                let decimals = if stderr > 0.0 {
                    (1.0 - stderr.log10().floor()).clamp(0.0, 6.0) as usize
                } else {
                    4
                };
                format!("{value:.decimals$} ± {stderr:.decimals$}").replace('-', "−")
            }
            _ => self.text(value),
        }
    }

    /// A difference with its standard error, always signed: `+0.50 ± 0.20`.
    pub(super) fn difference(&self, value: Option<f64>, stderr: Option<f64>) -> String {
        match (value, self.kind) {
            (Some(value), MetricKind::Number) => {
                signed(value, &self.with_error(Some(value), stderr))
            }
            _ => super::display::points_with_error(value, stderr),
        }
    }

    /// An amount of the metric in words: `1 point`, `1 % of it`.
    pub(super) fn loss_in_words(&self, share: f64) -> String {
        let number = trimmed(share * 100.0);
        match self.kind {
            MetricKind::Share if number == "1" => "1 point".to_owned(),
            MetricKind::Share => format!("{number} points"),
            MetricKind::Number => format!("{number} %"),
        }
    }
}
