//! What a command writes: into the run's log, bounded, with its last line and its end kept.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So much of a log is its beginning.
const HEAD: u64 = 4 << 20;
/// So much of a log is its end, and so much of the end is kept in memory.
const TAIL: usize = 64 << 10;
/// A longer last line is no result.
const LONGEST_LINE: usize = 1 << 20;
/// Lines of the log that a failure quotes, and characters of them.
const QUOTED_LINES: usize = 3;
const QUOTED_CHARACTERS: usize = 300;

/// The log and the threads that fill it.
#[derive(Debug)]
pub(super) struct Output {
    shared: Arc<Mutex<Shared>>,
    done: Receiver<()>,
    left: usize,
}

#[derive(Debug)]
struct Shared {
    log: Option<File>,
    written: u64,
    left_out: u64,
    tail: VecDeque<u8>,
    /// The last line of the standard output with text, and the one that is not ended yet.
    last: Line,
    open: Line,
}

/// A line, or the beginning of one that is too long.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Line {
    fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }
}

impl Output {
    /// Starts to read both streams; a log that cannot be written is done without.
    pub fn follow(
        log: &Path,
        stdout: impl Read + Send + 'static,
        stderr: impl Read + Send + 'static,
    ) -> Self {
        let file = File::create(log).map_err(|error| {
            tracing::warn!(path = %log.display(), %error, "cannot write a log");
        });
        let shared = Arc::new(Mutex::new(Shared {
            log: file.ok(),
            written: 0,
            left_out: 0,
            tail: VecDeque::new(),
            last: Line::default(),
            open: Line::default(),
        }));
        let (sender, done) = channel();
        let streams: [(Box<dyn Read + Send>, bool); 2] =
            [(Box::new(stdout), true), (Box::new(stderr), false)];
        for (stream, is_stdout) in streams {
            let (shared, sender) = (Arc::clone(&shared), sender.clone());
            // Not joined: a process that has left its group may hold the stream open for ever.
            std::thread::spawn(move || copy(stream, is_stdout, &shared, &sender));
        }
        Self {
            shared,
            done,
            left: 2,
        }
    }

    /// Waits until both streams have ended, at most so long, and ends the log.
    pub fn finish(&mut self, most: Duration) {
        let deadline = Instant::now() + most;
        while self.left > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.done.recv_timeout(left).is_err() {
                break;
            }
            self.left -= 1;
        }
        let mut shared = lock(&self.shared);
        let Shared {
            log,
            left_out,
            tail,
            ..
        } = &mut *shared;
        let shown = tail
            .len()
            .min(usize::try_from(*left_out).unwrap_or(usize::MAX));
        let end: Vec<u8> = tail.range(tail.len() - shown..).copied().collect();
        let missing = *left_out - shown as u64;
        if let Some(log) = log {
            if missing > 0 {
                // What cannot be written is missing in a log that is for people.
                let _ = write!(log, "\n[… {missing} bytes left out …]\n");
            }
            let _ = log.write_all(&end);
        }
        shared.log = None;
    }

    /// The last line of the standard output that is not blank.
    pub fn last_line(&self) -> Option<String> {
        let shared = lock(&self.shared);
        let line = match shared.open.is_blank() {
            true => &shared.last,
            false => &shared.open,
        };
        let text = String::from_utf8_lossy(&line.bytes).trim().to_owned();
        (!line.is_cut && !text.is_empty()).then_some(text)
    }

    /// The end of the log in one line.
    pub fn quoted(&self) -> String {
        let shared = lock(&self.shared);
        let bytes: Vec<u8> = shared.tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<&str> = lines.collect();
        let text = lines[lines.len().saturating_sub(QUOTED_LINES)..].join(" | ");
        let length = text.chars().count();
        match length > QUOTED_CHARACTERS {
            true => format!(
                "…{}",
                text.chars()
                    .skip(length - QUOTED_CHARACTERS)
                    .collect::<String>()
            ),
            false => text,
        }
    }
}

fn copy(mut stream: Box<dyn Read>, is_stdout: bool, shared: &Mutex<Shared>, done: &Sender<()>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => lock(shared).take(&buffer[..count], is_stdout),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    // Nobody may wait any more.
    let _ = done.send(());
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn take(&mut self, bytes: &[u8], is_stdout: bool) {
        if let Some(log) = &mut self.log {
            let left = usize::try_from(HEAD - self.written).unwrap_or(usize::MAX);
            let head = &bytes[..bytes.len().min(left)];
            if log.write_all(head).is_err() {
                self.log = None;
            }
            self.written += head.len() as u64;
            self.left_out += (bytes.len() - head.len()) as u64;
        }
        let kept = &bytes[bytes.len().saturating_sub(TAIL)..];
        self.tail.extend(kept);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        if is_stdout {
            self.take_lines(bytes);
        }
    }

    fn take_lines(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.open.bytes.len() + piece.len() > LONGEST_LINE {
                self.open.is_cut = true;
                // Enough to be no blank line.
                self.open.bytes.push(b'x');
                self.open.bytes.truncate(LONGEST_LINE);
            } else {
                self.open.bytes.extend_from_slice(piece);
            }
            if piece.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.open);
                if !line.is_blank() {
                    self.last = line;
                }
            }
        }
    }
}
