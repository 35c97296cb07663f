//! Writes that are either whole or absent, whatever is killed when.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the names of unfinished writes begin with.
pub const ATTEMPT_PREFIX: &str = ".attempt-";

/// A path beside `path` that no other attempt, in this process or another, uses.
pub fn attempt_path(path: &Path) -> PathBuf {
    static ATTEMPTS: AtomicU64 = AtomicU64::new(0);
    let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(
        "{ATTEMPT_PREFIX}{name}-{}-{attempt}",
        std::process::id()
    ))
}

/// Writes `contents` to `path` by way of a temporary file in the same directory: readers see the
/// old contents or the new, never a part.
///
/// # Errors
/// When a write, a flush to disk or the rename fails; the temporary file is removed then.
pub fn write_atomically(path: &Path, contents: &[u8]) -> Result<()> {
    let attempt = attempt_path(path);
    let written = write_synced(&attempt, contents)
        .and_then(|()| fs::rename(&attempt, path).map_err(Error::io("write", path)));
    if written.is_err() {
        // The error that matters is the first one; the leftover is hidden and harmless.
        let _ = fs::remove_file(&attempt);
    }
    written
}

/// Writes a file and waits until it is on disk.
pub fn write_synced(path: &Path, contents: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(Error::io("write", path))?;
    file.write_all(contents)
        .and_then(|()| file.sync_all())
        .map_err(Error::io("write", path))
}
