//! The colours of accuracies, one scale for all panels of a figure, and the legend that shows it.

use super::cells::{Cell, Status};
use super::{Metric, MetricKind, Report};
use crate::figure::colour::{DIVERGED, UNSTABLE, viridis};
use crate::figure::svg::{Anchor, Canvas, LABEL, fit, text_width, ticks};
use mup2_scaling::number::{plain, trimmed};

/// The range of the stable cells' metric; that of a share is rounded outwards to whole per cents.
#[derive(Debug, Clone)]
pub(super) struct ColourScale {
    metric: Metric,
    /// The end with the darkest colour.
    worst: f64,
    best: f64,
}

impl ColourScale {
    pub fn of(report: &Report) -> Self {
        let stable = || {
            report
                .cells
                .iter()
                .filter(|cell| cell.status == Status::Ok)
                .filter_map(|cell| cell.accuracy)
        };
        let metric = report.axes.metric.clone();
        let (worst, best) = if metric.kind == MetricKind::Number {
            let (best, worst) = metric.shown_range(stable()).unwrap_or((1.0, 0.0));
            let width = f64::EPSILON.max(best.abs() * 1e-6);
            let is_one = (best - worst).abs() < width;
            (
                if is_one {
                    worst - metric.goodness(width)
                } else {
                    worst
                },
                best,
            )
        } else {
            Self::share_range(stable)
        };
        Self {
            metric,
            worst,
            best,
        }
    }

    fn share_range<I: Iterator<Item = f64>>(stable: impl Fn() -> I) -> (f64, f64) {
        match (
            stable().min_by(f64::total_cmp),
            stable().max_by(f64::total_cmp),
        ) {
            (Some(low), Some(high)) => {
                let low = (low * 100.0).floor() / 100.0;
                let high = ((high * 100.0).ceil() / 100.0).max(low + 0.01);
                (low, high)
            }
            _ => (0.0, 1.0),
        }
    }

    /// The place of an accuracy on the colour scale, 0 to 1. The square gives more colours to the
    /// top, where the cells that matter differ by a few points.
    fn share(&self, accuracy: f64) -> f64 {
        let linear = (accuracy - self.worst) / (self.best - self.worst);
        linear.clamp(0.0, 1.0).powi(2)
    }

    /// The fill of a cell, whatever became of it.
    pub fn fill(&self, cell: &Cell) -> String {
        match (cell.status, cell.accuracy) {
            (Status::Ok, Some(accuracy)) => viridis(self.share(accuracy)),
            (Status::Ok | Status::Unstable, _) => UNSTABLE.to_owned(),
            (Status::Diverged, _) => DIVERGED.to_owned(),
            (Status::Failed | Status::Missing, _) => NO_RESULT.to_owned(),
        }
    }

    /// Draws the bar of colours and then the items (symbols of 14 × 12 with their labels) between
    /// `left` and `right` from `top` on; returns the figure's height.
    pub fn legend(
        &self,
        canvas: &mut Canvas,
        (left, right): (f64, f64),
        top: f64,
        items: Vec<(String, String)>,
    ) -> f64 {
        let label = fit(&self.metric.label(), 11.0, 260.0);
        canvas.text(left, top + 10.0, Anchor::Start, LABEL, &label);
        let bar = left + text_width(&label, 11.0).clamp(72.8, 260.0) + 5.2;
        self.bar(canvas, bar, top);
        let (mut x, mut y) = (bar + BAR + 36.0, top);
        for (symbol, label) in items {
            let width = 20.0 + text_width(&label, 11.0) + 10.0;
            if x + width > right {
                x = bar + BAR + 36.0;
                y += 20.0;
                if x + width > right {
                    x = left;
                    y = y.max(top + 40.0);
                }
            }
            canvas.push(&format!(
                r#"<g transform="translate({x:.1} {y:.1})">{symbol}</g>"#
            ));
            canvas.text(x + 20.0, y + 10.0, Anchor::Start, LABEL, &label);
            x += width;
        }
        (y + 30.0).max(top + 40.0)
    }

    fn bar(&self, canvas: &mut Canvas, left: f64, top: f64) {
        for step in 0..BAR as usize / 2 {
            let share = (step as f64 + 0.5) / (BAR / 2.0);
            canvas.push(&format!(
                r#"<rect x="{:.1}" y="{top:.1}" width="2.4" height="12" fill="{}"/>"#,
                left + step as f64 * 2.0,
                viridis(share)
            ));
        }
        let mut free_from = left;
        let unit = self.metric.shown(1.0);
        let (low, high) = (self.worst.min(self.best), self.worst.max(self.best));
        let mut ticks = ticks(low * unit, high * unit, 7);
        if self.metric.minimize {
            ticks.reverse();
        }
        for tick in ticks {
            let x = left + self.share(tick / unit) * BAR;
            // The scale crowds the low values; labels that would touch are left out.
            if x < free_from {
                continue;
            }
            free_from = x + 22.0;
            canvas.axis_line((x, top + 12.0), (x, top + 15.0));
            let label = match self.metric.kind {
                MetricKind::Share => trimmed(tick),
                MetricKind::Number => plain(tick),
            };
            canvas.text(x, top + 26.0, Anchor::Middle, TICK, &label);
        }
    }
}

/// Length of the bar of colours.
const BAR: f64 = 220.0;

pub(super) const TICK: &str = r#"font-size="10""#;

/// The pattern of cells without a result; a figure that uses it holds [`DEFINITIONS`].
pub(super) const NO_RESULT: &str = "url(#no-result)";

/// What the pattern of cells without a result looks like.
pub(super) const DEFINITIONS: &str = r##"<defs><pattern id="no-result" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#ffffff"/><rect width="1.6" height="6" fill="#9aa2aa"/></pattern></defs>"##;
