//! Files: writes that are whole or absent, whatever is killed when, and reads that end.

use crate::error::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the names of unfinished writes begin with.
pub const ATTEMPT_PREFIX: &str = ".attempt-";

/// How often a write is begun anew when another process removes its unfinished file.
const TRIES: usize = 5;

/// What remains of a long name in that of an attempt: file systems allow 255 bytes.
const LONGEST_NAME: usize = 200;

/// A path beside `path` that no other attempt uses, in this process or another, on this machine or
/// another. Process ids do not tell processes apart: every container has a process 1.
pub fn attempt_path(path: &Path) -> PathBuf {
    let prefix = attempt_prefix(path);
    path.with_file_name(format!("{prefix}{:016x}", unique_number()))
}

/// What the names of all attempts at `path` begin with.
fn attempt_prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut name = name.into_owned();
    name.truncate(name.floor_char_boundary(LONGEST_NAME));
    format!("{ATTEMPT_PREFIX}{name}-")
}

/// A number that no other process has: from the operating system's random keys.
pub fn unique_number() -> u64 {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(DRAWN.fetch_add(1, Ordering::Relaxed));
    hasher.finish()
}

/// Writes `contents` to `path` by way of a temporary file in the same directory: readers see the
/// old contents or the new, never a part.
///
/// # Errors
/// When a write, a flush to disk or the rename fails; the temporary file is removed then.
pub fn write_atomically(path: &Path, contents: &[u8]) -> Result<()> {
    write_atomically_with(path, &mut |file| file.write_all(contents), &mut || Ok(()))
}

/// As [`write_atomically`], with contents that `write` writes and need not be held in memory at
/// once. `make_way` is called when they are on disk and before they take their place; its error
/// leaves the old contents.
///
/// # Errors
/// As [`write_atomically`]'s, and those of `make_way`.
pub fn write_atomically_with(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    make_way: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    for tried in 1.. {
        let (attempt, file) = create_attempt(path)?;
        let written = fill(&file, write)
            .map_err(Error::io("write", path))
            .and_then(|()| make_way());
        let renamed = match written {
            Ok(()) => fs::rename(&attempt, path),
            Err(error) => {
                // The error that matters is the first one; the leftover is hidden and harmless.
                let _ = fs::remove_file(&attempt);
                return Err(error);
            }
        };
        let Err(error) = renamed else {
            return Ok(());
        };
        if error.kind() != ErrorKind::NotFound || attempt.exists() {
            let _ = fs::remove_file(&attempt);
            return Err(Error::io("put the finished file in its place,", path)(
                error,
            ));
        }
        if tried == TRIES {
            return Err(Error::corrupt(
                path,
                format!("was not written: its unfinished file was removed {TRIES} times"),
                "keep what removes hidden files out of that directory, and try again",
            ));
        }
    }
    Ok(())
}

/// A new file beside `path`, locked as a sign that its writer lives.
fn create_attempt(path: &Path) -> Result<(PathBuf, File)> {
    loop {
        let attempt = attempt_path(path);
        match File::create_new(&attempt) {
            Ok(file) => {
                // Not every file system has locks. Without one a leftover stays.
                let _ = file.try_lock();
                return Ok((attempt, file));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("write", path)(error)),
        }
    }
}

fn fill(file: &File, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::with_capacity(1 << 16, file);
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.sync_all()
}

/// Writes `contents` to `path` if nothing is there: of several processes that try at once, one does.
/// Returns whether it was this one.
///
/// # Errors
/// As those of [`write_atomically`].
pub fn write_new(path: &Path, contents: &[u8]) -> Result<bool> {
    let attempt = attempt_path(path);
    let linked = write_synced(&attempt, contents)
        .map(|()| fs::hard_link(&attempt, path))
        .inspect_err(|_| {
            let _ = fs::remove_file(&attempt);
        })?;
    // A leftover is hidden and harmless.
    let _ = fs::remove_file(&attempt);
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        // Not every file system has hard links.
        Err(_) if fs::symlink_metadata(path).is_ok() => Ok(false),
        Err(_) => write_atomically(path, contents).map(|()| true),
    }
}

/// Writes a file and waits until it is on disk.
pub fn write_synced(path: &Path, contents: &[u8]) -> Result<()> {
    let file = File::create(path).map_err(Error::io("write", path))?;
    fill(&file, &mut |file| file.write_all(contents)).map_err(Error::io("write", path))
}

/// Removes the unfinished files that killed processes have left of `path`. One whose writer lives
/// is locked and stays; so does every one where the file system has no locks.
pub fn remove_abandoned(path: &Path) {
    let prefix = attempt_prefix(path);
    let entries = path.parent().and_then(|parent| fs::read_dir(parent).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !entry.file_name().to_string_lossy().starts_with(&prefix) {
            continue;
        }
        let file = OpenOptions::new().write(true).open(entry.path());
        if file.is_ok_and(|file| file.try_lock().is_ok()) {
            // Only tidiness: a leftover that cannot be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes sure that `path` can be written by [`write_atomically`]: better now than after hours of work.
///
/// # Errors
/// When it is a directory, or nothing can be written beside it.
pub fn check_file(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::invalid(
            path.display().to_string(),
            "is a directory",
            "a file, which need not exist",
        ));
    }
    let trial = attempt_path(path);
    let written = write_synced(&trial, &[b' '; 4096]);
    let _ = fs::remove_file(&trial);
    // The name of the trial means nothing to the user.
    written.map_err(|error| match error {
        Error::Io { action, source, .. } => Error::io(action, path)(source),
        error => error,
    })
}

/// Makes `directory` and makes sure that files can be written there.
///
/// # Errors
/// When it cannot be made, or nothing can be written in it.
pub fn check_directory(directory: &Path) -> Result<()> {
    if directory.exists() && !directory.is_dir() {
        return Err(Error::invalid(
            directory.display().to_string(),
            "is a file",
            "a directory, which need not exist",
        ));
    }
    fs::create_dir_all(directory).map_err(Error::io("make the directory", directory))?;
    check_file(&directory.join("trial")).map_err(|error| match error {
        Error::Io { source, .. } => Error::io("write into", directory)(source),
        error => error,
    })
}

/// Opens a file for reading, unless it is a directory, a pipe or a device: those may have no end,
/// and opening a pipe may wait for ever.
///
/// # Errors
/// [`Error::Invalid`] when it is no regular file, [`Error::Io`] when it cannot be opened.
pub fn open_regular(path: &Path) -> Result<File> {
    let data = fs::metadata(path).map_err(Error::io("open", path))?;
    if !data.is_file() {
        let kind = if data.is_dir() {
            "a directory"
        } else {
            "a pipe or a device"
        };
        return Err(Error::invalid(
            path.display().to_string(),
            format!("is {kind}"),
            "a regular file",
        ));
    }
    File::open(path).map_err(Error::io("open", path))
}

/// The contents of a regular file.
///
/// # Errors
/// As [`open_regular`]'s, and when it cannot be read.
pub fn read_regular(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = open_regular(path)?;
    file.read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in a directory, sorted.
    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn attempts_are_told_apart_without_the_process_id() {
        let path = Path::new("/x/result");
        let (one, other) = (attempt_path(path), attempt_path(path));
        assert_ne!(one, other);
        let pid = format!("-{}", std::process::id());
        assert!(!one.to_string_lossy().contains(&pid), "{}", one.display());
        let long = "é".repeat(127);
        let name = attempt_path(Path::new(&long));
        assert!(name.as_os_str().len() <= 255);
    }

    #[test]
    fn a_write_whose_unfinished_file_is_removed_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let mut removed = 0;
        let mut write = |file: &mut dyn Write| file.write_all(b"whole");
        write_atomically_with(&path, &mut write, &mut || {
            if removed < 3 {
                removed += 1;
                for name in names(directory.path()) {
                    fs::remove_file(directory.path().join(name)).unwrap();
                }
            }
            Ok(())
        })
        .unwrap();
        assert_eq!((removed, fs::read(&path).unwrap()), (3, b"whole".to_vec()));
        assert_eq!(names(directory.path()), ["out"]);
    }

    #[test]
    fn a_rename_that_fails_says_what_is_in_the_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        fs::create_dir(&path).unwrap();
        let error = write_atomically(&path, b"x").unwrap_err().to_string();
        assert!(
            error.contains("directory") && error.contains("out"),
            "{error}"
        );
        assert!(!error.contains("No such file"), "{error}");
        assert_eq!(names(directory.path()), ["out"], "no leftover");
    }

    #[test]
    fn only_attempts_whose_writer_is_gone_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let (living, file) = create_attempt(&path).unwrap();
        let (left, gone) = create_attempt(&path).unwrap();
        drop(gone);
        let (other, another) = create_attempt(&directory.path().join("other")).unwrap();
        drop(another);
        remove_abandoned(&path);
        assert!(living.exists() && other.exists() && !left.exists());
        drop(file);
    }

    #[cfg(unix)]
    #[test]
    fn what_may_have_no_end_is_not_read() {
        for path in ["/dev/zero", "/"] {
            let error = read_regular(Path::new(path)).unwrap_err().to_string();
            assert!(error.contains("allowed: a regular file"), "{error}");
        }
    }
}
