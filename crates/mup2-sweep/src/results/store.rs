//! A results directory: `sweep.json` says whose it is, `runs/ID/result.json` holds one run.

use super::{RESULT_FORMAT, RunResult, RunStatus};
use crate::config::{Kind, RunId, Runs, Source, SweepSpec};
use crate::error::{Error, Result};
use crate::publish::{ATTEMPT_PREFIX, attempt_path, write_atomically, write_new, write_synced};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

const MANIFEST: &str = "sweep.json";
const RESULT: &str = "result.json";
/// An attempt is published within seconds of its creation; an older one was killed.
const STALE_ATTEMPT: Duration = Duration::from_secs(3600);

/// The name of the processor as a device; a manifest without a device means it.
pub const PROCESSOR: &str = "flex";

/// What results depend on beside their runs' specs: a directory holds those of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// SHA-256 of the dataset; empty where the runs see to their data themselves.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dataset_digest: String,
    /// What computes; absent for the processor.
    #[serde(default = "processor", skip_serializing_if = "is_processor")]
    pub device: String,
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self {
            dataset_digest: String::new(),
            device: processor(),
        }
    }
}

fn processor() -> String {
    PROCESSOR.to_owned()
}

fn is_processor(device: &str) -> bool {
    device == PROCESSOR
}

/// `sweep.json`: which sweep a directory belongs to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Manifest {
    /// Version of the file's format.
    pub format: u32,
    /// The sweep as it was last run.
    pub sweep: SweepSpec,
    /// What else its results depend on.
    #[serde(flatten)]
    pub fingerprint: Fingerprint,
}

/// The file of a manifest.
#[derive(Deserialize)]
struct GivenManifest {
    format: u32,
    sweep: serde_json::Value,
    #[serde(flatten)]
    fingerprint: Fingerprint,
}

/// How a run ended, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// How.
    pub status: RunStatus,
    /// When the result was published, if the file system tells.
    pub published: Option<SystemTime>,
}

/// An open results directory.
#[derive(Debug, Clone)]
pub struct ResultStore {
    directory: PathBuf,
    fingerprint: Fingerprint,
    runs: Arc<dyn Runs>,
    /// Heartbeats whose times are ahead of this machine's clock, with when that time was first seen.
    pub(super) ahead: Arc<Mutex<HashMap<PathBuf, (SystemTime, Instant)>>>,
}

impl ResultStore {
    /// Opens `directory` for `sweep`, creating it if needed; a sweep may extend its own grid.
    ///
    /// # Errors
    /// When the directory cannot be written, holds something else, or belongs to a sweep of
    /// another name, other data or another device.
    pub fn create(directory: &Path, sweep: &SweepSpec, fingerprint: &Fingerprint) -> Result<Self> {
        let store = Self {
            directory: directory.to_path_buf(),
            fingerprint: fingerprint.clone(),
            runs: Arc::clone(&sweep.runs),
            ahead: Arc::default(),
        };
        let place = directory.display().to_string();
        let exists = directory.join(MANIFEST).exists();
        if exists {
            store.check_owner(sweep)?;
        } else if directory.is_dir() {
            let entries = fs::read_dir(directory).map_err(Error::io("read", directory))?;
            // A process killed at its start leaves no more than an attempt at the manifest.
            let foreign = |entry: fs::DirEntry| !is_attempt(&entry);
            if entries.flatten().any(foreign) {
                return Err(Error::invalid(
                    place,
                    "is not empty and holds no sweep",
                    "a new or empty directory, or one that a sweep has made",
                ));
            }
        }
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        let manifest = Manifest {
            format: RESULT_FORMAT,
            sweep: sweep.clone(),
            fingerprint: fingerprint.clone(),
        };
        // First of all, so that a directory with anything in it says whose it is. Of two sweeps that
        // begin at once, one is first.
        let (path, contents) = (directory.join(MANIFEST), json(&manifest));
        if !exists && !write_new(&path, &contents)? {
            store.check_owner(sweep)?;
        }
        if exists {
            write_atomically(&path, &contents)?;
        }
        let runs = store.runs_directory();
        fs::create_dir_all(&runs).map_err(Error::io("create", &runs))?;
        store.remove_stale_attempts();
        store.remove_stale_heartbeats();
        Ok(store)
    }

    /// Opens an existing results directory of runs of one of `kinds` for reading.
    ///
    /// # Errors
    /// When it is not one.
    pub fn open(directory: &Path, kinds: &[Kind]) -> Result<(Self, Manifest)> {
        if !directory.join(MANIFEST).is_file() {
            return Err(Error::invalid(
                directory.display().to_string(),
                format!("has no `{MANIFEST}`"),
                "a directory made by `mup2 sweep run` or `mup2 quickstart`",
            ));
        }
        let given = given_manifest(directory)?;
        let path = directory.join(MANIFEST);
        let place = path.display().to_string();
        let sweep = SweepSpec::read(Source::Json(given.sweep), &place, kinds);
        let sweep = sweep.map_err(|error| match error {
            Error::NotBuilt { .. } => error,
            error => not_a_manifest(&path, &error),
        })?;
        // The grid of a damaged file could be too large to make.
        sweep.validate(&place)?;
        let store = Self {
            directory: directory.to_path_buf(),
            fingerprint: given.fingerprint.clone(),
            runs: Arc::clone(&sweep.runs),
            ahead: Arc::default(),
        };
        let manifest = Manifest {
            format: given.format,
            sweep,
            fingerprint: given.fingerprint,
        };
        Ok((store, manifest))
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What all its results are computed by.
    pub fn device(&self) -> &str {
        &self.fingerprint.device
    }

    /// The published result of a run, if there is a valid one.
    ///
    /// # Errors
    /// When the file exists but cannot be read. A torn or foreign file counts as absent: it is
    /// not what [`ResultStore::publish`] writes, and the run is repeated over it.
    pub fn result(&self, id: &RunId) -> Result<Option<RunResult>> {
        let path = self.runs_directory().join(id.as_str()).join(RESULT);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let result = serde_json::from_slice::<RunResult>(&bytes).ok();
        let valid = result.filter(|result: &RunResult| {
            let is_named = result.format == RESULT_FORMAT && result.id == *id;
            is_named && self.runs.id_of(&result.spec).as_ref() == Some(id)
        });
        if valid.is_none() {
            tracing::warn!(path = %path.display(), "not a valid result; the run is repeated");
        }
        Ok(valid)
    }

    /// How a run ended and when that was published, without the rest of its result; absent as in
    /// [`ResultStore::result`]. Much faster, for looking at thousands.
    ///
    /// # Errors
    /// As [`ResultStore::result`].
    pub fn ending(&self, id: &RunId) -> Result<Option<Ending>> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
            id: RunId,
            #[serde(flatten)]
            status: RunStatus,
        }
        let path = self.runs_directory().join(id.as_str()).join(RESULT);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let head = serde_json::from_slice::<Head>(&bytes).ok();
        let valid = head.filter(|head| head.format == RESULT_FORMAT && head.id == *id);
        let published = fs::metadata(&path).and_then(|metadata| metadata.modified());
        Ok(valid.map(|head| Ending {
            status: head.status,
            published: published.ok(),
        }))
    }

    /// Publishes a result: written aside, flushed, and renamed into place.
    ///
    /// Of two copies of one run the first to publish wins; a result is a function of its spec, so
    /// the second has nothing to add. A failed run is replaced by any later result.
    ///
    /// # Errors
    /// When the disk is full or the directory not writable; nothing is left half-written.
    pub fn publish(&self, result: &RunResult) -> Result<()> {
        self.put(result, false)
    }

    /// As [`ResultStore::publish`], over a valid result too: for a run that was repeated on purpose.
    ///
    /// # Errors
    /// As [`ResultStore::publish`]; the old result then stays.
    pub fn replace(&self, result: &RunResult) -> Result<()> {
        self.put(result, true)
    }

    fn put(&self, result: &RunResult, replace: bool) -> Result<()> {
        let target = self.runs_directory().join(result.id.as_str());
        let attempt = attempt_path(&target);
        let published = fs::create_dir(&attempt)
            .map_err(Error::io("create", &attempt))
            .and_then(|()| write_synced(&attempt.join(RESULT), &json(result)))
            .and_then(|()| self.rename(&attempt, &target, &result.id, replace));
        if published.is_err() {
            // The error that matters is the first one; the leftover is hidden and harmless.
            let _ = fs::remove_dir_all(&attempt);
        }
        published
    }

    /// Whether the manifest that is there is of this sweep, its data and its device.
    fn check_owner(&self, sweep: &SweepSpec) -> Result<()> {
        let place = self.directory.display().to_string();
        let manifest = given_manifest(&self.directory)?;
        let name = manifest.sweep.get("name").and_then(|name| name.as_str());
        if name != Some(&sweep.name) {
            return Err(Error::invalid(
                place,
                format!("holds the results of sweep `{}`", name.unwrap_or_default()),
                format!("a new directory, or one of sweep `{}`", sweep.name),
            ));
        }
        let (theirs, ours) = (manifest.fingerprint, &self.fingerprint);
        if theirs.dataset_digest != ours.dataset_digest {
            return Err(Error::invalid(
                place,
                "holds results made from other data",
                "a new directory, or the data that its results were made from",
            ));
        }
        if theirs.device != ours.device {
            // Results of devices differ in their last digits; which of them a run has would
            // depend on who was first.
            let (theirs, ours) = (theirs.device, &ours.device);
            return Err(Error::invalid(
                place,
                format!("holds results of device `{theirs}`, not of `{ours}`"),
                format!("a new directory, or `--device {theirs}`"),
            ));
        }
        Ok(())
    }

    fn rename(&self, attempt: &Path, target: &Path, id: &RunId, replace: bool) -> Result<()> {
        let Err(error) = fs::rename(attempt, target) else {
            return Ok(());
        };
        if fs::symlink_metadata(target).is_err() {
            return Err(Error::io("write", target)(error));
        }
        // The target exists: a twin was faster, or it holds a failed or torn result.
        match self.result(id)? {
            Some(result) if !replace && !matches!(result.status, RunStatus::Failed { .. }) => {
                fs::remove_dir_all(attempt).map_err(Error::io("remove", attempt))
            }
            _ => {
                let (from, to) = (attempt.join(RESULT), target.join(RESULT));
                fs::rename(&from, &to).map_err(Error::io("write", &to))?;
                fs::remove_dir(attempt).map_err(Error::io("remove", attempt))
            }
        }
    }

    fn runs_directory(&self) -> PathBuf {
        self.directory.join("runs")
    }

    fn remove_stale_attempts(&self) {
        let Ok(entries) = fs::read_dir(self.runs_directory()) else {
            return;
        };
        for entry in entries.flatten() {
            let age = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
                .and_then(|modified| SystemTime::now().duration_since(modified).ok());
            if is_attempt(&entry) && age.is_some_and(|age| age > STALE_ATTEMPT) {
                // Only tidiness: a leftover that cannot be removed does no harm.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

fn given_manifest(directory: &Path) -> Result<GivenManifest> {
    let path = directory.join(MANIFEST);
    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
    serde_json::from_slice(&bytes).map_err(|error| not_a_manifest(&path, &error))
}

fn not_a_manifest(path: &Path, problem: &dyn std::fmt::Display) -> Error {
    Error::corrupt(
        path,
        format!("is not a sweep manifest ({problem})"),
        "restore it, or start the sweep in a new directory",
    )
}

fn is_attempt(entry: &fs::DirEntry) -> bool {
    entry
        .file_name()
        .to_string_lossy()
        .starts_with(ATTEMPT_PREFIX)
}

/// JSON with a final newline. The types written here hold no maps with non-string keys and no
/// non-finite numbers by construction, the only things that JSON cannot hold.
fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
