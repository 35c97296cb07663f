//! Signs of life: which runs some process is working on at this moment.
//!
//! They save work and tell `sweep status` what is running; no result depends on them. Two live copies
//! of one run are allowed, and the first valid result wins.

use super::ResultStore;
use crate::config::RunId;
use mup2_scaling::publish::unique_number;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How often a living process renews its heartbeats.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);
/// A heartbeat older than this belongs to a process that is gone. Several intervals, since the
/// clocks of a file server and its clients may differ by seconds.
pub const STALE_HEARTBEAT: Duration = Duration::from_secs(60);

/// A run that some process is working on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningRun {
    /// Id of the run.
    pub id: RunId,
    /// Host name of the process.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// What tells it from processes of the same host name and id.
    token: String,
}

/// This process's sign of life for one run; dropping it takes the sign back.
#[derive(Debug)]
pub struct Heartbeat {
    path: PathBuf,
}

impl Heartbeat {
    /// Renews the sign. A failure is not an error: at worst another process repeats the run.
    pub fn renew(&self) {
        if let Err(error) = fs::write(&self.path, b"") {
            tracing::warn!(path = %self.path.display(), %error, "cannot write a heartbeat");
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        // A leftover grows stale by itself.
        let _ = fs::remove_file(&self.path);
    }
}

impl ResultStore {
    /// Says that this process works on a run, until the returned value is dropped.
    pub fn begin(&self, id: &RunId) -> Heartbeat {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(
            "{id}.{}.{}.{}-{count}",
            std::process::id(),
            host(),
            own_token()
        );
        let heartbeat = Heartbeat {
            path: self.running_directory().join(name),
        };
        // Made here and not with the results directory: an older one does not have it.
        let _ = fs::create_dir_all(self.running_directory());
        heartbeat.renew();
        heartbeat
    }

    /// Every run with a fresh sign of life of another process.
    pub fn running_elsewhere(&self) -> Vec<RunningRun> {
        let mut runs = self.running();
        runs.retain(|run| !run.is_own());
        runs
    }

    /// Every run with a fresh sign of life, by id; each process that works on it gives one entry.
    pub fn running(&self) -> Vec<RunningRun> {
        let Ok(entries) = fs::read_dir(self.running_directory()) else {
            return Vec::new();
        };
        let mut runs: Vec<RunningRun> = entries
            .flatten()
            .filter_map(|entry| {
                let run = parse(&entry.file_name().to_string_lossy())?;
                (self.is_fresh(&entry) && !is_gone(&run)).then_some(run)
            })
            .collect();
        runs.sort_by(|a, b| (&a.id, &a.host, a.pid).cmp(&(&b.id, &b.host, b.pid)));
        runs
    }

    /// Removes the signs of processes that are gone.
    pub(super) fn remove_stale_heartbeats(&self) {
        let Ok(entries) = fs::read_dir(self.running_directory()) else {
            return;
        };
        for entry in entries.flatten() {
            let gone = parse(&entry.file_name().to_string_lossy()).is_some_and(|run| is_gone(&run));
            if gone || !self.is_fresh(&entry) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Whether the sign was renewed lately. A time ahead of this machine's clock is another clock's, and
    /// says nothing but that it changes: such a sign is fresh until it has not changed for as long as a
    /// dead process's, by this process's own clock.
    fn is_fresh(&self, entry: &fs::DirEntry) -> bool {
        let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified()) else {
            return false;
        };
        match SystemTime::now().duration_since(modified) {
            Ok(age) => age <= STALE_HEARTBEAT,
            Err(ahead) if ahead.duration() <= STALE_HEARTBEAT => true,
            Err(_) => {
                let mut seen = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                let (last, since) = seen.entry(entry.path()).or_insert((modified, now));
                if *last != modified {
                    (*last, *since) = (modified, now);
                }
                now.duration_since(*since) <= STALE_HEARTBEAT
            }
        }
    }

    fn running_directory(&self) -> PathBuf {
        self.directory().join("running")
    }
}

impl RunningRun {
    fn is_own(&self) -> bool {
        self.token.starts_with(own_token())
    }
}

/// `ID.PID.HOST.TOKEN`; a host name may hold dots.
fn parse(name: &str) -> Option<RunningRun> {
    let (id, rest) = name.split_once('.')?;
    let (pid, rest) = rest.split_once('.')?;
    let (host, token) = rest.rsplit_once('.')?;
    Some(RunningRun {
        id: id.parse().ok()?,
        host: host.to_owned(),
        pid: pid.parse().ok()?,
        token: token.to_owned(),
    })
}

/// What no other process has: its namespace of process ids, for every container has a process 1, and a
/// random number, for hosts may share their name.
fn own_token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| format!("{}-{:016x}", process_namespace(), unique_number()))
}

/// The number of this process's namespace of process ids; 0 where there is none.
fn process_namespace() -> u64 {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let text = link.to_string_lossy();
    let number = text
        .strip_prefix("pid:[")
        .and_then(|text| text.strip_suffix(']'));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// Whether the process was on this host, where its id means the same, and does not exist any more, so
/// that nobody waits for it.
fn is_gone(run: &RunningRun) -> bool {
    let processes = Path::new("/proc");
    let namespace = run.token.split_once('-').map(|(namespace, _)| namespace);
    // The signs of version 0.1.0 name no namespace.
    let is_same = namespace.is_none_or(|namespace| namespace == process_namespace().to_string());
    run.host == host()
        && is_same
        && processes.join("self").exists()
        && !processes.join(run.pid.to_string()).exists()
}

/// This machine's name; without one every machine counts as the same and only ages tell.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "unknown".to_owned(),
        name => name.replace('/', "-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeats_name_says_whose_it_is() {
        let run = parse("0123456789abcdef.42.node-1.cluster.local.7").unwrap();
        assert_eq!(run.id.as_str(), "0123456789abcdef");
        assert_eq!((run.pid, run.host.as_str()), (42, "node-1.cluster.local"));
        assert!(!run.is_own());
        assert_eq!(parse("anything"), None);
    }
}
