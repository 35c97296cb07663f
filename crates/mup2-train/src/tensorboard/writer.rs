//! One process's event file of a run: created anew, appended to, never read.

use super::event::{self, Content, Event, Hyperparameter};
use super::record::frame;
use crate::error::{Error, Result};
use prost::Message;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What TensorBoard knows event files by; the seconds since 1970 follow, in ten digits.
const PREFIX: &str = "events.out.tfevents.";
const SECONDS_DIGITS: usize = 10;

/// Appends events of one run to a file of its own.
///
/// A run that goes on, from a checkpoint or anew, gets another file beside the earlier ones.
/// TensorBoard reads them in the order of their names as one stream, so the new name is later than
/// all there, whatever the clock says.
///
/// Events are kept in memory until [`flush`](Self::flush); dropping the writer flushes too, but
/// cannot tell of an error.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventWriter {
    /// Creates `events.out.tfevents.SECONDS.HOST.PID.mup2` in `directory`, which is made if it does
    /// not exist.
    ///
    /// `first_step` is the smallest step that will be written. What earlier files of the directory
    /// hold at that step or later is not shown any more: those are the steps that a killed process
    /// had done after its last checkpoint. A run that begins has 0, and so replaces what was there.
    /// TensorBoard's fast loader goes by the points alone: it forgets a curve from the step on at
    /// which it goes on, and keeps a curve that does not.
    ///
    /// # Errors
    /// When the directory or the file cannot be made, or `first_step` is beyond 2^63 − 1.
    pub fn create(directory: &Path, first_step: usize) -> Result<Self> {
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        let (path, file) = new_file(directory)?;
        let file = BufWriter::new(file);
        let mut writer = Self { path, file };
        writer.append(0, now(), event::file_version())?;
        // Also in the first file: TensorBoard takes the first start for the beginning, and only
        // the following ones for restarts.
        writer.append(first_step, now(), event::session_start())?;
        writer.flush()?;
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a point to the curve `tag`; TensorBoard groups curves by what stands before the first
    /// slash of their tags.
    ///
    /// The file keeps 32 bits: `value` is rounded to the nearest `f32`, beyond its range to an
    /// infinity. Values that are not finite are shown as such.
    ///
    /// # Errors
    /// When the file cannot be written, or `step` is beyond 2^63 − 1.
    pub fn scalar(&mut self, tag: &str, step: usize, value: f64) -> Result<()> {
        self.append(step, now(), event::scalar(tag, value as f32))
    }

    /// Adds a text in Markdown.
    ///
    /// # Errors
    /// As [`scalar`](Self::scalar)'s.
    pub fn text(&mut self, tag: &str, step: usize, text: &str) -> Result<()> {
        self.append(step, now(), event::text(tag, text))
    }

    /// Says what the run's settings are: its row in TensorBoard's table of hyperparameters, in which
    /// the last points of its curves are the metrics. To be called once a file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn hyperparameters(&mut self, values: &BTreeMap<String, Hyperparameter>) -> Result<()> {
        let time = now();
        self.append(0, time, event::hyperparameters(values, time))
    }

    /// Gives all events so far to the operating system, so that TensorBoard sees them and the end of
    /// this process does not lose them. Once an epoch is often enough.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::io("write", &self.path))
    }

    fn append(&mut self, step: usize, wall_time: f64, content: Content) -> Result<()> {
        let step = i64::try_from(step).map_err(|_| {
            let allowed = format!("whole numbers up to {}", i64::MAX);
            Error::invalid("step of an event", format!("is {step}"), allowed)
        })?;
        let content = Some(content);
        let event = Event {
            wall_time,
            step,
            content,
        };
        // One write a record: the buffer passes records on whole.
        self.file
            .write_all(&frame(&event.encode_to_vec()))
            .map_err(Error::io("write", &self.path))
    }
}

/// Creates a file whose name comes after those of all event files in the directory.
fn new_file(directory: &Path) -> Result<(PathBuf, File)> {
    let host = host();
    let process = std::process::id();
    let next = latest(directory)?.map_or(0, |seconds| seconds + 1);
    let mut seconds = next.max(now() as u64);
    loop {
        let name = format!("{PREFIX}{seconds:0SECONDS_DIGITS$}.{host}.{process}.mup2");
        let path = directory.join(name);
        match File::options().append(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            // Another thread was as quick.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => seconds += 1,
            Err(error) => return Err(Error::io("create", &path)(error)),
        }
    }
}

/// The largest number of seconds in the name of an event file of the directory.
fn latest(directory: &Path) -> Result<Option<u64>> {
    let mut latest = None;
    for entry in fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let entry = entry.map_err(Error::io("list", directory))?;
        latest = latest.max(seconds_in(&entry.file_name().to_string_lossy()));
    }
    Ok(latest)
}

/// Names with another number of digits do not sort by time, here or in TensorBoard.
fn seconds_in(name: &str) -> Option<u64> {
    let (seconds, _) = name.strip_prefix(PREFIX)?.split_once('.')?;
    let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
    (digits && seconds.len() == SECONDS_DIGITS).then(|| seconds.parse().ok())?
}

/// This machine's name, which only keeps the files of several machines apart.
fn host() -> String {
    let name = hostname::get().unwrap_or_default();
    match name.to_string_lossy().trim() {
        "" => "unknown".to_owned(),
        name => name.replace('/', "-"),
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}
