//! Progress on stderr: a live bar on a terminal, a line now and then elsewhere.

use crate::terminal::{say, shows_bars};
use indicatif::{ProgressBar, ProgressStyle};
use mup2_scaling::error::one_line;
use mup2_sweep::Event;
use mup2_sweep::config::{PlannedRun, SweepSpec};
use mup2_sweep::results::{RunResult, RunStatus};
use std::time::{Duration, Instant};

/// Between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(15);

/// A bar of `length` with the template, hidden where there is no terminal.
pub fn bar(length: u64, template: &str) -> anyhow::Result<ProgressBar> {
    if !shows_bars() {
        return Ok(ProgressBar::hidden());
    }
    let bar = ProgressBar::new(length);
    bar.set_style(ProgressStyle::with_template(template)?.progress_chars("━╸─"));
    Ok(bar)
}

/// Progress of a sweep: runs done, ETA, best so far.
pub struct SweepProgress<'a> {
    bar: ProgressBar,
    sweep: &'a SweepSpec,
    is_terminal: bool,
    start: Instant,
    last_line: Instant,
    total: usize,
    done: usize,
    diverged: usize,
    failed: usize,
    cost_total: f64,
    cost_done: f64,
    best: Option<(f64, String)>,
    /// How far the runs are that are trained at once.
    stack: Option<String>,
}

impl<'a> SweepProgress<'a> {
    /// A bar for a sweep.
    pub fn new(sweep: &'a SweepSpec) -> anyhow::Result<Self> {
        let bar = bar(0, "{bar:30.cyan/dim} {pos}/{len} runs {msg}")?;
        // The clock must go on while a long run gives no news.
        bar.enable_steady_tick(Duration::from_millis(500));
        Ok(Self {
            bar,
            sweep,
            is_terminal: shows_bars(),
            start: Instant::now(),
            last_line: Instant::now(),
            total: 0,
            done: 0,
            diverged: 0,
            failed: 0,
            cost_total: 0.0,
            cost_done: 0.0,
            best: None,
            stack: None,
        })
    }

    /// Takes one event of the pool.
    pub fn update(&mut self, event: &Event) {
        match event {
            Event::Planned { total, done, cost } => {
                let is_first = self.total == 0;
                // A halving plans anew after each rung: what is done stays done.
                (self.total, self.done) = (*total, *done);
                self.cost_total = self.cost_done + cost;
                self.bar.set_length(*total as u64);
                if *done > 0 && is_first {
                    self.line(&format!(
                        "{done} of {total} runs are done already; going on"
                    ));
                }
            }
            Event::Finished { run, result, cost }
            | Event::FinishedElsewhere { run, result, cost } => {
                self.done += 1;
                self.cost_done += cost;
                self.count(run, result);
                self.stack = None;
            }
            Event::Stacked { runs, step, total } => {
                self.stack = Some(format!("{runs} at once, step {step}/{total}"));
            }
            Event::Waiting { runs } => self.line(&format!(
                "waiting for {runs} runs that other processes are at"
            )),
        }
        self.bar.set_position(self.done as u64);
        self.bar.set_message(self.message());
        let finished = matches!(event, Event::Finished { .. } | Event::Stacked { .. });
        let due = self.last_line.elapsed() >= LINE_INTERVAL || self.done == self.total;
        if finished && !self.is_terminal && due {
            self.last_line = Instant::now();
            self.line(&format!(
                "{}/{} runs {}",
                self.done,
                self.total,
                self.message()
            ));
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| say(text));
    }

    fn count(&mut self, run: &PlannedRun, result: &RunResult) {
        match &result.status {
            RunStatus::Diverged => self.diverged += 1,
            RunStatus::Failed { reason } => {
                self.failed += 1;
                self.line(&format!("run {} failed: {}", result.id, one_line(reason)));
            }
            RunStatus::Completed => {
                let Ok(scores) = result.scores(self.sweep) else {
                    return;
                };
                let (score, minimize) = (scores.selection, self.minimizes());
                let is_better = |best: f64| match minimize {
                    true => score < best,
                    false => score > best,
                };
                if self.best.as_ref().is_none_or(|(best, _)| is_better(*best)) {
                    let cell = &run.cell;
                    let what = format!(
                        "width {}, log2 η {}, log2 ρ {}",
                        cell.width,
                        log2(cell.lr),
                        log2(cell.rho),
                    );
                    self.best = Some((score, what));
                }
            }
        }
    }

    fn minimizes(&self) -> bool {
        let metric = self.sweep.runs.metric();
        metric.is_some_and(|metric| metric.minimize)
    }

    fn message(&self) -> String {
        let mut parts = vec![format!("· {}", clock(self.start.elapsed()))];
        if self.cost_done > 0.0 && self.cost_done < self.cost_total {
            let seconds = self.start.elapsed().as_secs_f64() / self.cost_done
                * (self.cost_total - self.cost_done).max(0.0);
            parts.push(format!("ETA {}", clock(Duration::from_secs_f64(seconds))));
        }
        parts.extend(self.stack.clone());
        if let Some((accuracy, what)) = &self.best {
            parts.push(match self.sweep.runs.metric() {
                None => format!("best {:.1} % ({what})", accuracy * 100.0),
                Some(metric) => format!("best {} {accuracy} ({what})", metric.name),
            });
        }
        for (count, name) in [(self.diverged, "diverged"), (self.failed, "failed")] {
            if count > 0 {
                parts.push(format!("{count} {name}"));
            }
        }
        parts.join(" · ")
    }
}

/// Minutes and seconds, with hours or days where there are some.
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60 % 60, seconds / 3600 % 24, seconds / 86400);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{:02}", seconds % 60),
        (0, hours) => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
        (days, hours) => format!("{days} d {hours} h"),
    }
}

/// log2 of a grid value as people write it.
pub fn log2(value: f64) -> String {
    if value == 0.0 {
        return "−∞ (SGD)".to_owned();
    }
    let rounded = (value.log2() * 100.0).round() / 100.0;
    rounded.to_string().replace('-', "−")
}
