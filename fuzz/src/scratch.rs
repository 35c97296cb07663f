//! Directories for readers that take a path.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// This process's directory below `$TMPDIR`, which `run_bounded` puts into memory and removes.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let made = tempfile::Builder::new().prefix("mup2-fuzz-").tempdir();
        made.expect("a temporary directory can be made").keep()
    })
}

/// An empty directory `name` in [`scratch`], whatever the last input left there.
pub fn empty_directory(name: &str) -> PathBuf {
    let path = scratch().join(name);
    // It is not there the first time.
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory can be made in the scratch directory");
    path
}
