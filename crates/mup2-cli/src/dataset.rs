//! Opens a dataset, showing images per second, and says what the user should know of it.

use crate::progress::bar;
use crate::terminal::{say, shows_bars};
use indicatif::ProgressBar;
use mup2_train::data::{DataSpec, Dataset, LoadProgress, LoadStage, load_with};
use std::time::{Duration, Instant};

/// Between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(15);

/// Reads the dataset of `spec`; progress and notes go to stderr.
pub fn open(spec: &DataSpec) -> anyhow::Result<Dataset> {
    let is_terminal = shows_bars();
    let mut shown: Option<Shown> = None;
    let mut failed = None;
    let data = load_with(spec, &mut |progress| {
        if shown
            .as_ref()
            .is_none_or(|shown| shown.stage != progress.stage)
        {
            match Shown::new(progress) {
                Ok(new) => shown = Some(new),
                Err(error) => failed = Some(error),
            }
        }
        if let Some(shown) = &mut shown {
            shown.update(progress, is_terminal);
        }
    });
    drop(shown);
    let data = data?;
    for note in &data.notes {
        say(note);
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(data),
    }
}

/// The bar of one stage, so that images per second are the stage's own.
struct Shown {
    stage: LoadStage,
    bar: ProgressBar,
    start: Instant,
    last_line: Instant,
}

impl Shown {
    fn new(progress: LoadProgress) -> anyhow::Result<Self> {
        let template = "{msg} {bar:30.cyan/dim} {pos}/{len} images · {per_sec} · ETA {eta}";
        let bar = bar(progress.total as u64, template)?;
        bar.set_message(name(progress.stage));
        Ok(Self {
            stage: progress.stage,
            bar,
            start: Instant::now(),
            last_line: Instant::now(),
        })
    }

    fn update(&mut self, progress: LoadProgress, is_terminal: bool) {
        self.bar.set_position(progress.done as u64);
        if !is_terminal && self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            say(format_args!(
                "{}: {} of {} images, {:.0} images/s",
                name(progress.stage),
                progress.done,
                progress.total,
                progress.done as f64 / self.start.elapsed().as_secs_f64()
            ));
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn name(stage: LoadStage) -> &'static str {
    match stage {
        LoadStage::Headers => "reading headers",
        LoadStage::Verification => "verifying",
        LoadStage::Decoding => "decoding",
    }
}
