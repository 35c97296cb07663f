//! Where the checkpoints of one run are: the last one and the one before it.

use super::Checkpoint;
use crate::config::RunId;
use crate::error::{Error, Result};
use crate::publish::{ATTEMPT_PREFIX, attempt_path, write_synced};
use std::fs;
use std::path::{Path, PathBuf};

const LAST: &str = "last.safetensors";
const PREVIOUS: &str = "previous.safetensors";

/// The directory of one run's checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointDirectory {
    directory: PathBuf,
}

impl CheckpointDirectory {
    /// `directory`; it is made when the first checkpoint is.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_path_buf(),
        }
    }

    /// Keeps a checkpoint as the last one, and the last one as the one before.
    ///
    /// # Errors
    /// When the disk is full or not writable; an older checkpoint then stays.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<()> {
        let directory = &self.directory;
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        let (last, previous) = (directory.join(LAST), directory.join(PREVIOUS));
        let attempt = attempt_path(&last);
        let written = write_synced(&attempt, &checkpoint.to_bytes()?).and_then(|()| {
            // Killed between the two renames, a run goes on from `previous`.
            match fs::rename(&last, &previous) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::io("rename", &last)(error))
                }
                _ => fs::rename(&attempt, &last).map_err(Error::io("write", &last)),
            }
        });
        if written.is_err() {
            // The error that matters is the first one.
            let _ = fs::remove_file(&attempt);
        }
        written
    }

    /// The newest checkpoint of a run that can be used, and why newer ones were refused.
    ///
    /// # Errors
    /// When a file exists but cannot be read, or a file belongs to another run: that is a mistake in
    /// the directory and not a torn write.
    pub fn load(&self, id: &RunId) -> Result<(Option<Checkpoint>, Vec<Error>)> {
        let mut refused = Vec::new();
        for name in [LAST, PREVIOUS] {
            let path = self.directory.join(name);
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io("read", &path)(error)),
            };
            match Checkpoint::from_bytes(&bytes, id, &path) {
                Ok(checkpoint) => return Ok((Some(checkpoint), refused)),
                Err(error) => refused.push(error),
            }
        }
        Ok((None, refused))
    }

    /// Removes the checkpoints, when the run has its result.
    pub fn remove(&self) {
        // What cannot be removed does no harm: it is not looked at again.
        let _ = fs::remove_file(self.directory.join(LAST));
        let _ = fs::remove_file(self.directory.join(PREVIOUS));
        for entry in fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            // Left by a process that was killed while it wrote.
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(ATTEMPT_PREFIX)
            {
                let _ = fs::remove_file(entry.path());
            }
        }
        let _ = fs::remove_dir(&self.directory);
    }
}
