//! `mup2 sweep submit` and `cancel`: job arrays of Slurm.

use super::commands::quoted;
use super::read;
use crate::arguments::{StatusFormat, SweepCancelArguments, SweepSubmitArguments};
use crate::built_in;
use crate::terminal::print;
use mup2_scaling::error::Error;
use mup2_scaling::publish::{check_file, write_atomically};
use mup2_sweep::command::Commands;
use mup2_sweep::config::SweepSpec;
use mup2_sweep::results::{Fingerprint, ResultStore};
use mup2_sweep::{
    DEFAULT_MOST_TASKS, JobTexts, Submission, Submissions, SubmittedJob, TimeLimit, known_runs,
    refuse_halving, time_limit,
};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const RECORD: &str = "slurm/submission.json";

/// Tasks of a search by halving, unless they are given: in its last rungs most would only wait.
const HALVING_TASKS: usize = 8;

pub fn submit(arguments: &SweepSubmitArguments) -> anyhow::Result<ExitCode> {
    let sweep = read(&arguments.sweep)?;
    check_times(arguments)?;
    let shards = tasks(arguments, &sweep)?;
    // What is missing here would be found out hours later by a job.
    let fingerprint = fingerprint(&sweep)?;
    ResultStore::create(&arguments.out, &sweep, &fingerprint)?;
    let out = arguments.out.canonicalize()?;
    let files = Files::write(&out, &sweep, shards)?;
    let array = array_arguments(arguments, &files, shards)?;
    if arguments.dry_run {
        let report = report_arguments(arguments, &files, "ARRAY_JOB_ID")?;
        print(&format!("{}\n{}\n", shell(&array)?, shell(&report)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let record = Record::open(&out)?;
    let array_job = sbatch(&array)?;
    let mut submission = Submission {
        array_job,
        report_job: None,
        shards,
    };
    record.set(&submission)?;
    let array_job = &submission.array_job;
    let report_job = report_arguments(arguments, &files, array_job.id())
        .map(|call| on_cluster(call, arguments, array_job))
        .and_then(|call| sbatch(&call))
        .map_err(|error| {
            let directory = arguments.out.display();
            anyhow::anyhow!(
                "array job {array_job} is queued, its report job is not: {error}; when the array is \
                 done: mup2 report {directory}; to cancel it: mup2 sweep cancel {directory}"
            )
        })?;
    submission.report_job = Some(report_job.clone());
    record.set(&submission)?;
    let array_job = &submission.array_job;
    print(&match arguments.format {
        StatusFormat::Json => format!("{}\n", serde_json::to_string(&submission)?),
        StatusFormat::Table => format!(
            "array job {array_job} of {shards} tasks, then report job {report_job}\n\
             watch: mup2 sweep status {0} --watch\ncancel: mup2 sweep cancel {0}\n\
             logs: {1}\n",
            arguments.out.display(),
            files.logs.display()
        ),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What the results will depend on beside their specs; the data are read, and a command is looked for.
fn fingerprint(sweep: &SweepSpec) -> anyhow::Result<Fingerprint> {
    if let Some(fingerprint) = built_in::fingerprint(sweep)? {
        return Ok(fingerprint);
    }
    Commands::new(sweep, &[])?;
    Ok(Fingerprint::default())
}

pub fn cancel(arguments: &SweepCancelArguments) -> anyhow::Result<ExitCode> {
    let record = read_record(&arguments.directory)?;
    if record.submissions.is_empty() {
        return Err(Error::invalid(
            arguments.directory.display().to_string(),
            format!("has no `{RECORD}`: nothing was submitted"),
            "a directory that `mup2 sweep submit` was given",
        )
        .into());
    }
    let jobs: Vec<&SubmittedJob> = record
        .submissions
        .iter()
        // The report first: it would start as soon as the array is gone.
        .flat_map(|submission| submission.report_job.iter().chain([&submission.array_job]))
        .collect();
    let mut clusters: Vec<Option<&str>> = jobs.iter().map(|job| job.cluster()).collect();
    clusters.sort();
    clusters.dedup();
    let mut text = String::new();
    for cluster in clusters {
        // Jobs that ended long ago are unknown to Slurm; that is what was asked for.
        let mut call = vec!["--quiet".to_owned()];
        call.extend(cluster.map(|cluster| format!("--clusters={cluster}")));
        let own = jobs.iter().filter(|job| job.cluster() == cluster);
        call.extend(own.map(|job| job.id().to_owned()));
        text += &slurm("scancel", &call)?;
    }
    let jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
    print(&format!("cancelled: {}\n{text}", jobs.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}

/// The record of a results directory, which no other process writes while this one submits.
struct Record {
    path: PathBuf,
    before: Submissions,
    /// Locked until it is dropped.
    _lock: Option<File>,
}

impl Record {
    /// # Errors
    /// When the record cannot be read or written: a job that is not written down is lost.
    fn open(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(RECORD);
        let lock = path.with_extension("lock");
        let file = File::create(&lock).map_err(Error::io("write", &lock))?;
        // Not every file system has locks.
        let lock = file.lock().is_ok().then_some(file);
        check_file(&path)?;
        Ok(Self {
            path,
            before: read_record(directory)?,
            _lock: lock,
        })
    }

    /// Writes what is known of this submission.
    fn set(&self, submission: &Submission) -> anyhow::Result<()> {
        let mut record = self.before.clone();
        record.submissions.push(submission.clone());
        let text = serde_json::to_string_pretty(&record)?;
        write_atomically(&self.path, format!("{text}\n").as_bytes()).map_err(|error| {
            let array = &submission.array_job;
            let report = submission.report_job.iter();
            let report = report.map(|job| format!(" and report job {job}"));
            let report: String = report.collect();
            anyhow::anyhow!("array job {array}{report} could not be written down: {error}")
        })
    }
}

fn read_record(directory: &Path) -> Result<Submissions, Error> {
    let path = directory.join(RECORD);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Submissions::default());
        }
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        let advice = "remove it; the jobs it named can be cancelled with `scancel`";
        Error::corrupt(
            &path,
            format!("is no record of submissions ({error})"),
            advice,
        )
    })
}

/// The number of array tasks: at most one a run that is known beforehand, and no more than Slurm allows.
fn tasks(arguments: &SweepSubmitArguments, sweep: &SweepSpec) -> Result<usize, Error> {
    let runs = known_runs(sweep, None)?.runs.len();
    let most = match arguments.dry_run {
        true => DEFAULT_MOST_TASKS,
        false => most_tasks()?,
    };
    let (flag, asked) = match sweep.halving() {
        None if arguments.tasks.is_some() => {
            return Err(Error::invalid(
                "--tasks",
                "is for a search by halving, whose tasks share all runs",
                "--shards, the number of parts of this sweep",
            ));
        }
        None => ("--shards", arguments.shards),
        Some(_) => {
            if arguments.shards.is_some() {
                refuse_halving(sweep, "--shards")?;
            }
            ("--tasks", arguments.tasks)
        }
    };
    match asked {
        None if flag == "--tasks" => Ok(runs.min(most).min(HALVING_TASKS)),
        None => Ok(runs.min(most)),
        Some(tasks) if tasks as usize <= most => Ok((tasks as usize).min(runs)),
        Some(tasks) => Err(Error::invalid(
            format!("{flag} {tasks}"),
            "is more than an array of this Slurm may have (MaxArraySize)",
            format!("1 to {most}"),
        )),
    }
}

fn most_tasks() -> Result<usize, Error> {
    let config = slurm("scontrol", &["show".to_owned(), "config".to_owned()])?;
    let size = config
        .lines()
        .find_map(|line| line.strip_prefix("MaxArraySize")?.split_once('='))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    // The size counts the index 0, which parts do not use.
    Ok(size.map_or(DEFAULT_MOST_TASKS, |size| size.saturating_sub(1).max(1)))
}

/// The files of a submission.
struct Files {
    job: PathBuf,
    report: PathBuf,
    logs: PathBuf,
}

impl Files {
    fn write(out: &Path, sweep: &SweepSpec, shards: usize) -> anyhow::Result<Self> {
        let directory = out.join("slurm");
        let logs = directory.join("logs");
        fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
        let spec = directory.join("sweep.toml");
        // What was submitted, whatever becomes of the user's file while the jobs wait.
        write_atomically(&spec, toml::to_string(sweep)?.as_bytes())?;
        let (program, spec) = (quoted(&std::env::current_exe()?)?, quoted(&spec)?);
        let quoted_out = quoted(out)?;
        let texts = JobTexts {
            program: &program,
            sweep: &spec,
            out: &quoted_out,
            tasks: shards,
            in_parts: sweep.halving().is_none(),
            environment: environment()?,
        };
        let files = Self {
            job: directory.join("job.sh"),
            report: directory.join("report.sh"),
            logs,
        };
        write_atomically(&files.job, texts.job().as_bytes())?;
        write_atomically(&files.report, texts.report().as_bytes())?;
        Ok(files)
    }
}

/// `--export=NONE` and site policies drop the environment; what decides the data is written down.
fn environment() -> Result<Vec<(&'static str, String)>, Error> {
    const DATA: &str = "MUP2_DATA";
    match std::env::var_os(DATA) {
        Some(value) => Ok(vec![(DATA, quoted(Path::new(&value))?)]),
        None => Ok(Vec::new()),
    }
}

/// The path of a log, in which Slurm replaces what `pattern` asks for and nothing else.
fn log_path(logs: &Path, pattern: &str) -> Result<String, Error> {
    let logs = logs.display().to_string();
    if logs.contains('\\') {
        let problem = "holds a backslash, which Slurm does not take in the name of a log";
        return Err(Error::invalid(
            logs,
            problem,
            "a directory without backslashes",
        ));
    }
    Ok(format!("--output={}/{pattern}", logs.replace('%', "%%")))
}

/// Slurm looks at time limits every half minute and warns a minute before: of one or two minutes
/// hardly anything would be left.
fn check_times(arguments: &SweepSubmitArguments) -> Result<(), Error> {
    const LEAST: u64 = 180;
    let given = arguments.time.iter().map(|time| ("--time", time.as_str()));
    let through = arguments.sbatch.iter().filter_map(|argument| {
        let time = argument
            .strip_prefix("--time=")
            .or_else(|| argument.strip_prefix("-t"))?;
        Some(("--sbatch=--time", time))
    });
    for (flag, time) in given.chain(through) {
        let place = format!("{flag} {time}");
        match time_limit(time) {
            Ok(TimeLimit::Seconds(seconds)) if seconds < LEAST => {
                return Err(Error::invalid(
                    place,
                    format!(
                        "is {seconds} s, which leaves no time to work between start and warning"
                    ),
                    "at least 3 minutes",
                ));
            }
            Ok(_) => {}
            Err(forms) => {
                return Err(Error::invalid(place, "is no time limit of Slurm's", forms));
            }
        }
    }
    Ok(())
}

/// The call with the cluster of the array, without which its id means nothing there.
fn on_cluster(
    mut call: Vec<String>,
    arguments: &SweepSubmitArguments,
    array: &SubmittedJob,
) -> Vec<String> {
    let is_named =
        |argument: &String| argument.starts_with("--clusters") || argument.starts_with("-M");
    if let Some(cluster) = array.cluster()
        && !arguments.sbatch.iter().any(is_named)
    {
        call.insert(0, format!("--clusters={cluster}"));
    }
    call
}

fn array_arguments(
    arguments: &SweepSubmitArguments,
    files: &Files,
    shards: usize,
) -> Result<Vec<String>, Error> {
    let limit = arguments
        .array_limit
        .map_or(String::new(), |limit| format!("%{limit}"));
    let mut call = vec![
        format!("--array=1-{shards}{limit}"),
        "--job-name=mup2-sweep".to_owned(),
        "--signal=B:USR1@60".to_owned(),
        "--requeue".to_owned(),
        "--open-mode=append".to_owned(),
        format!("--cpus-per-task={}", arguments.cpus),
        log_path(&files.logs, "%A_%a.log")?,
    ];
    call.extend(arguments.time.iter().map(|time| format!("--time={time}")));
    call.extend(arguments.mem.iter().map(|mem| format!("--mem={mem}")));
    call.extend(shared_arguments(arguments));
    call.push(files.job.display().to_string());
    Ok(call)
}

fn report_arguments(
    arguments: &SweepSubmitArguments,
    files: &Files,
    array: &str,
) -> Result<Vec<String>, Error> {
    let mut call = vec![
        // Also after tasks that failed or were cancelled: the report says what is missing.
        format!("--dependency=afterany:{array}"),
        "--job-name=mup2-report".to_owned(),
        "--open-mode=append".to_owned(),
        log_path(&files.logs, "report_%j.log")?,
    ];
    call.extend(arguments.mem.iter().map(|mem| format!("--mem={mem}")));
    call.extend(shared_arguments(arguments));
    call.push(files.report.display().to_string());
    Ok(call)
}

fn shared_arguments(arguments: &SweepSubmitArguments) -> impl Iterator<Item = String> {
    let partition = arguments.partition.iter();
    let partition = partition.map(|name| format!("--partition={name}"));
    partition.chain(arguments.sbatch.iter().cloned())
}

fn shell(call: &[String]) -> Result<String, Error> {
    let words = call.iter().map(|word| quoted(Path::new(word)));
    Ok(format!(
        "sbatch --parsable {}",
        words.collect::<Result<Vec<_>, _>>()?.join(" ")
    ))
}

/// Submits and returns the job.
fn sbatch(call: &[String]) -> Result<SubmittedJob, Error> {
    let output = slurm("sbatch", &[&["--parsable".to_owned()], call].concat())?;
    SubmittedJob::in_output(&output).ok_or_else(|| {
        Error::invalid(
            "sbatch --parsable",
            format!(
                "answered `{}`; a job may be queued, see `squeue --me`",
                output.trim()
            ),
            "a job id, or a job id and its cluster",
        )
    })
}

/// Calls a program of Slurm and returns what it prints.
fn slurm(program: &str, arguments: &[String]) -> Result<String, Error> {
    let failed = |problem: String| {
        Error::invalid(
            program,
            problem,
            "a machine from which Slurm takes jobs, and arguments that it knows",
        )
    };
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| failed(format!("cannot be started ({error})")))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        return Err(failed(format!("said: {message}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
