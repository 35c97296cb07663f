//! The threads that read and decode image files, shared by everything that uses a dataset.
//!
//! A training runs in a rayon pool of one thread, so these are threads of their own, and since all
//! trainings of a sweep share one dataset they share its threads: there are never more than
//! `data.decode_threads` of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use crate::error::{Error, Result};

/// Threads that work through files in the order in which they were asked for. They end when the
/// pool is dropped.
#[derive(Debug)]
pub(super) struct DecodePool(rayon::ThreadPool);

/// Threads a core that decoding has a use for: some wait for a disk while others compute.
const THREADS_A_CORE: usize = 4;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The threads to start where `wanted` were asked for, and what to say where these are fewer.
fn threads(wanted: Option<usize>, cores: usize) -> (usize, Option<String>) {
    let most = THREADS_A_CORE * cores;
    match wanted {
        None => (cores, None),
        Some(wanted) if wanted <= most => (wanted, None),
        Some(wanted) => {
            let note = format!(
                "data.decode_threads: {wanted} were asked for, {most} are started, which is \
                 {THREADS_A_CORE} for each core"
            );
            (most, Some(note))
        }
    }
}

impl DecodePool {
    /// What to say where fewer threads than `wanted` are started.
    pub fn note(wanted: Option<usize>) -> Option<String> {
        threads(wanted, cores()).1
    }

    /// Starts `wanted` threads, but no more than the cores can have a use for; by default as many as
    /// there are cores.
    pub fn start(wanted: Option<usize>) -> Result<Self> {
        static POOLS: AtomicUsize = AtomicUsize::new(0);
        let number = POOLS.fetch_add(1, Ordering::Relaxed);
        let (threads, _) = threads(wanted, cores());
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(move |thread| format!("decode-{number}-{thread}"))
            .build()
            .map_err(|error| {
                Error::invalid(
                    "data.decode_threads",
                    error.to_string(),
                    "as many threads as the system can start",
                )
            })?;
        Ok(Self(pool))
    }

    /// Has `task` done on each of `files`, in the background. A task that panics is an error.
    pub fn begin<T: Send + 'static>(
        &self,
        files: impl IntoIterator<Item = Arc<Path>>,
        task: impl Fn(&Path) -> Result<T> + Send + Sync + 'static,
    ) -> Pending<T> {
        let task = Arc::new(task);
        let unwanted = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = channel();
        let mut count = 0;
        for (place, file) in files.into_iter().enumerate() {
            count += 1;
            let (task, unwanted, sender) = (task.clone(), unwanted.clone(), sender.clone());
            self.0.spawn_fifo(move || {
                if unwanted.load(Ordering::Relaxed) {
                    return;
                }
                let outcome = catch_unwind(AssertUnwindSafe(|| task(&file)));
                let outcome = outcome.unwrap_or_else(|_| {
                    let problem = "it cannot be read as an image (the decoder broke off)";
                    let advice = "replace or remove this file";
                    Err(Error::corrupt(&file, problem, advice))
                });
                // Who no longer waits has no use for the outcome.
                let _ = sender.send((place, outcome));
            });
        }
        Pending {
            receiver,
            arrived: (0..count).map(|_| None).collect(),
            next: 0,
            unwanted,
        }
    }

    /// As [`DecodePool::begin`] for more files than should be asked for at once: hands each
    /// outcome to `take`, with the place of its file.
    pub fn each<T: Send + 'static>(
        &self,
        files: &[Arc<Path>],
        task: impl Fn(&Path) -> Result<T> + Clone + Send + Sync + 'static,
        mut take: impl FnMut(usize, Result<T>) -> Result<()>,
    ) -> Result<()> {
        const AT_ONCE: usize = 1024;
        let mut place = 0;
        for some in files.chunks(AT_ONCE) {
            for outcome in self.begin(some.iter().cloned(), task.clone()) {
                take(place, outcome)?;
                place += 1;
            }
        }
        Ok(())
    }
}

/// Outcomes on their way, in the order of the files whenever each is ready. Dropped early, the
/// files that no thread has begun are left alone.
#[derive(Debug)]
pub(super) struct Pending<T> {
    receiver: Receiver<(usize, Result<T>)>,
    arrived: Vec<Option<Result<T>>>,
    next: usize,
    unwanted: Arc<AtomicBool>,
}

impl<T> Pending<T> {
    /// The number of files asked for.
    pub fn len(&self) -> usize {
        self.arrived.len()
    }
}

impl<T> Iterator for Pending<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(outcome) = self.arrived.get_mut(self.next)?.take() {
                self.next += 1;
                return Some(outcome);
            }
            match self.receiver.recv() {
                Ok((place, outcome)) => self.arrived[place] = Some(outcome),
                Err(_) => {
                    self.next = self.arrived.len();
                    return Some(Err(Error::invalid(
                        "data.decode_threads",
                        "a decoding thread has ended before its work",
                        "threads that go on as long as the dataset is in use",
                    )));
                }
            }
        }
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::DecodePool;
    use crate::error::Result;
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};

    fn files(count: usize) -> Vec<Arc<Path>> {
        let name = |index: usize| Arc::from(Path::new(&format!("{index}.png")));
        (0..count).map(name).collect()
    }

    #[test]
    fn outcomes_come_in_the_order_of_the_files_whichever_is_ready_first() {
        let pool = DecodePool::start(Some(4)).unwrap();
        let name = |path: &Path| -> Result<String> {
            // The first file is the last to be ready.
            if path == Path::new("0.png") {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            Ok(path.display().to_string())
        };
        let found: Vec<String> = pool.begin(files(20), name).map(Result::unwrap).collect();
        let expected: Vec<String> = (0..20).map(|index| format!("{index}.png")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_task_that_panics_is_an_error_that_names_its_file_alone() {
        let pool = DecodePool::start(Some(2)).unwrap();
        let fall = |path: &Path| -> Result<()> {
            assert!(path != Path::new("1.png"), "a panic that a test asks for");
            Ok(())
        };
        let mut outcomes = pool.begin(files(3), fall);
        outcomes.next().unwrap().unwrap();
        let message = outcomes.next().unwrap().unwrap_err().to_string();
        assert!(message.starts_with("1.png: "), "{message}");
        outcomes.next().unwrap().unwrap();
        assert!(outcomes.next().is_none());
    }

    #[test]
    fn files_that_are_not_begun_when_nobody_waits_any_more_are_left_alone() {
        let pool = DecodePool::start(Some(1)).unwrap();
        let begun = Arc::new(AtomicUsize::new(0));
        let (go_on, gate) = channel();
        let gate = Mutex::new(gate);
        let count = begun.clone();
        let pending = pool.begin(files(100), move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            gate.lock().unwrap().recv().unwrap();
            Ok(())
        });
        drop(pending);
        go_on.send(()).unwrap();
        // The one thread takes files in order, so all of the above are behind it then.
        pool.begin(files(1), |_| Ok(())).next().unwrap().unwrap();
        assert!(begun.load(Ordering::Relaxed) <= 1);
    }

    #[test]
    fn one_core_does_not_start_a_thousand_threads() {
        let (threads, note) = super::threads(Some(1024), 1);
        assert_eq!(threads, 4);
        assert!(
            note.unwrap()
                .starts_with("data.decode_threads: 1024 were asked for, 4 ")
        );
        assert_eq!(super::threads(Some(3), 1), (3, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn threads_end_with_their_pool() {
        let name = |_: &Path| Ok(std::thread::current().name().unwrap().to_owned());
        let pool = DecodePool::start(Some(3)).unwrap();
        let thread = pool.begin(files(1), name).next().unwrap().unwrap();
        let (prefix, _) = thread.rsplit_once('-').unwrap();
        let alive = || {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap();
            tasks
                .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
                .filter(|name| {
                    name.trim()
                        .rsplit_once('-')
                        .is_some_and(|(p, _)| p == prefix)
                })
                .count()
        };
        assert!((1..=3).contains(&alive()));
        let pending = pool.begin(files(100), name);
        drop(pool);
        drop(pending);
        let start = std::time::Instant::now();
        while alive() > 0 {
            assert!(start.elapsed().as_secs() < 20, "{} are left", alive());
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}
