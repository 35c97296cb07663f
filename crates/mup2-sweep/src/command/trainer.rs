//! The trainer that calls a command.

use super::arguments::CommandSpec;
use super::group::Group;
use super::outcome::{self, Given};
use super::output::Output;
use super::runs::command_of;
use crate::config::{Metric, PlannedRun, Runs, SweepSpec};
use crate::error::{Error, Result};
use crate::publish::attempt_path;
use crate::results::{RunResult, RunStatus};
use crate::{Job, Trainer};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A command that was asked to end is killed after this time.
const GRACE: Duration = Duration::from_secs(30);
/// What has left the group may hold a stream open; its words are waited for so long.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Between two looks at a command, from the first to the hundredth.
const LOOKS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));
/// A result is a handful of numbers.
const LARGEST_RESULT: u64 = 64 << 20;

/// Calls a command once a run.
#[derive(Debug)]
pub struct Commands<'a> {
    sweep: &'a SweepSpec,
    command: &'a CommandSpec,
    metric: Metric,
    limit: Option<Duration>,
    /// The devices of the workers, as `CUDA_VISIBLE_DEVICES` names them; one after the other.
    gpus: Vec<String>,
}

impl<'a> Commands<'a> {
    /// The trainer of `sweep`; each worker gets one of `gpus`, if there are any.
    ///
    /// # Errors
    /// When the sweep's runs call no command, its program is missing, or its files are not those of the
    /// sweep.
    pub fn new(sweep: &'a SweepSpec, gpus: &[String]) -> Result<Self> {
        let Some(command) = command_of(sweep) else {
            let place = format!("sweep `{}`", sweep.name);
            let problem = "has no `[command]` table";
            return Err(Error::invalid(place, problem, "a sweep of a command"));
        };
        let place = format!("sweep `{}`", sweep.name);
        check_program(command, &place)?;
        command.files.check()?;
        Ok(Self {
            sweep,
            command,
            metric: command.metric().unwrap_or(Metric {
                name: command.metric.clone(),
                test: None,
                minimize: false,
            }),
            limit: command.limit(&place)?,
            gpus: gpus.to_vec(),
        })
    }

    /// The words of a run's command: its program and arguments.
    pub fn words(&self, run: &PlannedRun) -> Vec<String> {
        self.command.words(&run.cell, run.epochs)
    }

    fn failed(&self, run: &PlannedRun, reason: String) -> RunResult {
        RunResult {
            status: RunStatus::Failed { reason },
            ..RunResult::new(run.id.clone(), self.sweep.spec(run))
        }
    }
}

/// # Errors
/// When the program is nowhere to be found.
fn check_program(command: &CommandSpec, place: &str) -> Result<()> {
    let words = command.templates(place)?;
    let Some(program) = words.first().map(|word| word.filled(&|_| String::new())) else {
        return Ok(());
    };
    let found = match program.contains('/') {
        true => is_program(Path::new(&program)),
        false => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|directory| is_program(&directory.join(&program)))
        }
    };
    if found {
        return Ok(());
    }
    Err(Error::invalid(
        format!("{place}: command.argv[0]"),
        format!("is `{program}`, which is no program here"),
        "a program in PATH, or the path of one from the directory in which mup2 is called",
    ))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

impl Trainer for Commands<'_> {
    fn train(&self, job: &Job) -> Result<RunResult> {
        let place = Place::of(job)?;
        let mut call = self.call(job, &place);
        let mut group = Group::start()?;
        group.add(&mut call);
        let mut child = match call.spawn() {
            Ok(child) => child,
            Err(error) => {
                let program = call.get_program().to_string_lossy().into_owned();
                return Ok(self.failed(job.run, format!("cannot start `{program}` ({error})")));
            }
        };
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Error::invalid(
                "command",
                "has no output",
                "a system with pipes",
            ));
        };
        let mut output = Output::follow(&place.log, stdout, stderr);
        let ending = self.wait(job, &mut child, &mut group);
        // What the command has left behind goes with it.
        drop(group);
        // Where somebody has killed the group's leader, this one is left.
        let _ = child.kill();
        let _ = child.wait();
        output.finish(LAST_WORDS);
        let result = ending.and_then(|ending| self.judge(job, ending, &place, &output));
        // It is hidden, and in nobody's way if it cannot be removed.
        let _ = fs::remove_file(&place.result);
        result
    }
}

/// Where a call finds and leaves its files.
struct Place {
    checkpoints: PathBuf,
    log: PathBuf,
    result: PathBuf,
}

impl Place {
    /// Makes the directories. A run without checkpoints of its own takes over those of the longest run
    /// that it begins with.
    fn of(job: &Job) -> Result<Self> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io("find", path));
        let checkpoints = absolute(&job.checkpoints)?;
        let is_new = !checkpoints.exists();
        if is_new && let Some(parent) = checkpoints.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
            let earlier = job.earlier.iter().map(|earlier| &earlier.checkpoints);
            // A twin may be faster, and then it is there.
            let _ = earlier
                .filter(|earlier| earlier.is_dir())
                .any(|earlier| fs::rename(earlier, &checkpoints).is_ok());
        }
        fs::create_dir_all(&checkpoints).map_err(Error::io("create", &checkpoints))?;
        let logs = absolute(&job.results.join("logs"))?;
        fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
        let id = &job.run.id;
        Ok(Self {
            checkpoints,
            log: logs.join(format!("{id}.log")),
            result: attempt_path(&logs.join(format!("{id}.json"))),
        })
    }
}

/// How a call ended.
enum Ending {
    Exited(ExitStatus),
    TimedOut,
}

impl Commands<'_> {
    fn call(&self, job: &Job, place: &Place) -> Command {
        let words = self.words(job.run);
        let mut words = words.iter();
        let mut call = Command::new(words.next().map_or("", String::as_str));
        call.args(words)
            .env("MUP2_RUN_ID", job.run.id.as_str())
            .env("MUP2_RESULT", &place.result)
            .env("MUP2_CHECKPOINTS", &place.checkpoints)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if !self.gpus.is_empty() {
            let gpu = &self.gpus[job.worker % self.gpus.len()];
            call.env("CUDA_VISIBLE_DEVICES", gpu);
        }
        call
    }

    /// Waits for the end of a call; asks for it when the run is cancelled or its time is over.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when cancelled.
    fn wait(&self, job: &Job, child: &mut Child, group: &mut Group) -> Result<Ending> {
        let start = Instant::now();
        let mut asked: Option<Instant> = None;
        let mut look = LOOKS.0;
        loop {
            let status = child.try_wait();
            let status = status.map_err(|error| {
                Error::invalid(
                    "command",
                    format!("cannot be waited for ({error})"),
                    "processes",
                )
            })?;
            let is_over = self.limit.is_some_and(|limit| start.elapsed() > limit);
            if let Some(status) = status {
                return match asked {
                    Some(_) if job.cancel.is_cancelled() => Err(Error::Interrupted),
                    Some(_) => Ok(Ending::TimedOut),
                    None => Ok(Ending::Exited(status)),
                };
            }
            let has_to_end = job.cancel.is_cancelled() || is_over;
            match asked {
                None if has_to_end => {
                    group.ask_to_end();
                    asked = Some(Instant::now());
                }
                Some(asked) if asked.elapsed() > GRACE => {
                    return match job.cancel.is_cancelled() {
                        true => Err(Error::Interrupted),
                        false => Ok(Ending::TimedOut),
                    };
                }
                _ => {}
            }
            std::thread::sleep(look);
            look = (look * 21 / 20).min(LOOKS.1);
        }
    }

    /// The result of a call that has ended.
    fn judge(
        &self,
        job: &Job,
        ending: Ending,
        place: &Place,
        output: &Output,
    ) -> Result<RunResult> {
        let problem = match ending {
            Ending::TimedOut => {
                let limit = self.command.timeout.as_deref().unwrap_or_default();
                Err(format!("took longer than {limit}"))
            }
            Ending::Exited(status) if !status.success() => Err(ended(status)),
            Ending::Exited(_) => self.given(place, output),
        };
        Ok(match problem {
            Ok(given) => RunResult {
                status: given.status,
                metrics: given.metrics,
                curves: given.curves,
                steps: given.steps,
                ..RunResult::new(job.run.id.clone(), self.sweep.spec(job.run))
            },
            Err(reason) => {
                let end = output.quoted();
                let reason = match end.is_empty() {
                    true => reason,
                    false => format!("{reason}; its log ends: {end}"),
                };
                self.failed(job.run, reason)
            }
        })
    }

    /// # Errors
    /// What is wrong with the result, in words.
    fn given(&self, place: &Place, output: &Output) -> std::result::Result<Given, String> {
        let text = match fs::metadata(&place.result) {
            Ok(file) if file.len() > LARGEST_RESULT => {
                return Err(format!("its result has {} bytes", file.len()));
            }
            Ok(file) if file.len() > 0 => {
                let text = fs::read(&place.result);
                let text = text.map_err(|error| format!("its result cannot be read ({error})"))?;
                Some(String::from_utf8_lossy(&text).into_owned())
            }
            _ => output.last_line(),
        };
        let Some(text) = text else {
            return Err(
                "it gave no result: neither a file $MUP2_RESULT nor a last line of output"
                    .to_owned(),
            );
        };
        outcome::read(&text, &self.metric)
    }
}

/// How a command ended that was not to end so.
fn ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return format!("ended by signal {signal}");
        }
    }
    format!("exit code {}", status.code().unwrap_or(-1))
}
