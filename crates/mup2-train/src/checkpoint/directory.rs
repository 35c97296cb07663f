//! Where the checkpoints of a run are: the last one and the one before it. Several runs may share a
//! directory; none touches what is not its own.

use super::file::STATE;
use super::safetensors_file::read_header;
use super::{Checkpoint, TrainingState};
use crate::error::{Error, Result};
use crate::publish::{attempt_path, read_regular, remove_abandoned, write_atomically_with};
use mup2_sweep::config::RunId;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the names of checkpoints end with, after the run's id.
const ENDINGS: [&str; 2] = ["-last.safetensors", "-previous.safetensors"];

/// A directory of checkpoints.
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

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// The file of a run's last checkpoint.
    pub fn last(&self, id: &RunId) -> PathBuf {
        let [last, _] = self.paths(id);
        last
    }

    fn paths(&self, id: &RunId) -> [PathBuf; 2] {
        ENDINGS.map(|ending| self.directory.join(format!("{id}{ending}")))
    }

    /// Makes sure that nothing else has the names of the checkpoints of run `id`. A damaged one is set
    /// aside under another name: it must not take the place of the one before. Says so.
    ///
    /// # Errors
    /// When a file of another run or of another kind has the name of one of its checkpoints.
    pub fn prepare(&self, id: &RunId) -> Result<Vec<String>> {
        let directory = &self.directory;
        let mut notes = Vec::new();
        for path in self.paths(id) {
            let error = match lies(&path, id)? {
                Lies::Nothing => continue,
                Lies::Own => match Checkpoint::from_bytes(&read_regular(&path)?, id, &path) {
                    Ok(_) => continue,
                    Err(error) => error,
                },
                Lies::Unreadable(problem) => {
                    Error::corrupt(&path, problem, "it is no whole checkpoint")
                }
            };
            let aside = attempt_path(&directory.join(format!("{id}-damaged")));
            let name = aside.file_name().unwrap_or_default().to_string_lossy();
            let aside = directory.join(name.trim_start_matches('.'));
            fs::rename(&path, &aside).map_err(Error::io("set aside", &path))?;
            notes.push(format!("{error}; it is kept as {}", aside.display()));
        }
        Ok(notes)
    }

    /// Keeps a checkpoint as the last one of its run, and the last one as the one before.
    ///
    /// # Errors
    /// When the disk is full or not writable, or a file that is not of this run is in the way; an
    /// older checkpoint then stays.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<()> {
        let (directory, id) = (&self.directory, &checkpoint.state.id);
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        let [last, previous] = self.paths(id);
        let prepared = checkpoint.prepared()?;
        let mut write = |out: &mut dyn std::io::Write| prepared.write(out);
        write_atomically_with(&last, &mut write, &mut || {
            is_own(&previous, id)?;
            if !is_own(&last, id)? {
                return Ok(());
            }
            // Killed between the two renames, a run goes on from `previous`.
            match fs::rename(&last, &previous) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(Error::io("rename", &last)(error))
                }
                _ => Ok(()),
            }
        })
    }

    /// The newest checkpoint of a run that can be used, and why newer ones were refused.
    ///
    /// # Errors
    /// When a file exists but cannot be read.
    pub fn load(&self, id: &RunId) -> Result<(Option<Checkpoint>, Vec<Error>)> {
        let mut refused = Vec::new();
        for path in self.paths(id) {
            if !exists(&path)? {
                continue;
            }
            match Checkpoint::from_bytes(&read_regular(&path)?, id, &path) {
                Ok(checkpoint) => return Ok((Some(checkpoint), refused)),
                Err(error) => refused.push(error),
            }
        }
        Ok((None, refused))
    }

    /// How far the runs of this directory are, by their own words: for each the newest checkpoint
    /// whose header can be read. Their weights are not read.
    pub fn runs(&self) -> Vec<TrainingState> {
        let mut found: BTreeMap<String, TrainingState> = BTreeMap::new();
        for entry in fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                continue;
            }
            let Some(state) = state_of(&entry.path()) else {
                continue;
            };
            let id = state.id.to_string();
            let is_newer = |known: &TrainingState| known.result.steps < state.result.steps;
            if name.starts_with(&id) && found.get(&id).is_none_or(is_newer) {
                found.insert(id, state);
            }
        }
        found.into_values().collect()
    }

    /// Removes the checkpoints of run `id`, when they have served, and what its killed processes left
    /// unfinished; then the directory, if it is empty. What cannot be removed does no harm: it is not
    /// looked at again.
    pub fn remove(&self, id: &RunId) {
        for path in self.paths(id) {
            if is_own(&path, id).unwrap_or(false) {
                let _ = fs::remove_file(&path);
            }
            remove_abandoned(&path);
        }
        let _ = fs::remove_dir(&self.directory);
    }
}

fn exists(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

/// What there is where a checkpoint of a run belongs.
enum Lies {
    Nothing,
    /// A checkpoint of the run, damaged or not.
    Own,
    /// A file that does not even say what it is, and why.
    Unreadable(String),
}

/// What is at `path`, by what it says of itself.
///
/// # Errors
/// When it is not of run `id`: it must not be replaced or removed.
fn lies(path: &Path, id: &RunId) -> Result<Lies> {
    if !exists(path)? {
        return Ok(Lies::Nothing);
    }
    let header = match read_header(path) {
        Ok(header) => header,
        Err(Error::Corrupt { problem, .. }) => return Ok(Lies::Unreadable(problem)),
        Err(error) => return Err(error),
    };
    // Also of a version whose other keys differ.
    let state = header.metadata.get(STATE).map(String::as_str);
    let state: serde_json::Value =
        serde_json::from_str(state.unwrap_or_default()).unwrap_or_default();
    match state["id"].as_str() {
        Some(found) if found == id.as_str() => Ok(Lies::Own),
        Some(found) => Err(in_the_way(
            path,
            id,
            &format!("is a checkpoint of run {found}"),
        )),
        None => Err(in_the_way(path, id, "is no checkpoint of mup2")),
    }
}

/// Whether there is a checkpoint of run `id` at `path`.
///
/// # Errors
/// When there is anything else.
fn is_own(path: &Path, id: &RunId) -> Result<bool> {
    match lies(path, id)? {
        Lies::Nothing => Ok(false),
        Lies::Own => Ok(true),
        Lies::Unreadable(problem) => Err(in_the_way(path, id, &problem)),
    }
}

fn in_the_way(path: &Path, id: &RunId, problem: &str) -> Error {
    Error::invalid(
        path.display().to_string(),
        problem,
        format!(
            "a checkpoint of run {id}, or no such file; move it away or take another directory"
        ),
    )
}

fn state_of(path: &Path) -> Option<TrainingState> {
    let header = read_header(path).ok()?;
    serde_json::from_str(header.metadata.get(STATE)?).ok()
}
