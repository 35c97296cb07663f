//! `mup2 sweep submit` and `cancel`: job arrays of Slurm.

use super::commands::quoted;
use super::read;
use crate::arguments::{StatusFormat, SweepCancelArguments, SweepSubmitArguments};
use crate::dataset;
use crate::terminal::print;
use mup2::built_in::{BuiltIn, StackSize, check_data, run_of};
use mup2::config::{SweepSpec, TrainingDevice};
use mup2::error::Error;
use mup2::publish::write_atomically;
use mup2::results::{Fingerprint, ResultStore};
use mup2::sweep::command::Commands;
use mup2::sweep::{
    DEFAULT_MOST_TASKS, JobTexts, Submission, Submissions, known_runs, refuse_halving,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const RECORD: &str = "slurm/submission.json";

/// Tasks of a search by halving, unless they are given: in its last rungs most would only wait.
const HALVING_TASKS: usize = 8;

pub fn submit(arguments: &SweepSubmitArguments) -> anyhow::Result<ExitCode> {
    let sweep = read(&arguments.sweep)?;
    check_time(arguments.time.as_deref())?;
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
    let array_job = sbatch(&array)?;
    let report_job = sbatch(&report_arguments(
        arguments,
        &files,
        &array_job.to_string(),
    )?)?;
    let submission = Submission {
        array_job,
        report_job,
        shards,
    };
    let mut record = read_record(&out)?;
    record.submissions.push(submission.clone());
    let text = serde_json::to_string_pretty(&record)?;
    write_atomically(&out.join(RECORD), format!("{text}\n").as_bytes())?;
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
    let Some(run) = run_of(sweep) else {
        Commands::new(sweep, &[])?;
        return Ok(Fingerprint::default());
    };
    let data = dataset::open(&run.data)?;
    check_data(run, sweep.selection, &data)?;
    let trainer = BuiltIn::new(sweep, &data, TrainingDevice::Flex, StackSize::AtMost(1))?;
    Ok(trainer.fingerprint())
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
    let jobs: Vec<String> = record
        .submissions
        .iter()
        // The report first: it would start as soon as the array is gone.
        .flat_map(|submission| [submission.report_job, submission.array_job])
        .map(|job| job.to_string())
        .collect();
    // Jobs that ended long ago are unknown to Slurm; that is what was asked for.
    let output = slurm("scancel", &[&["--quiet".to_owned()], &jobs[..]].concat())?;
    print(&format!("cancelled: {}\n{output}", jobs.join(" ")))?;
    Ok(ExitCode::SUCCESS)
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
fn check_time(time: Option<&str>) -> Result<(), Error> {
    match time.map(str::parse::<u64>) {
        Some(Ok(minutes)) if minutes < 3 => Err(Error::invalid(
            format!("--time {minutes}"),
            "leaves no time to work between start and warning",
            "at least 3 minutes",
        )),
        _ => Ok(()),
    }
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

/// Submits and returns the job id.
fn sbatch(call: &[String]) -> Result<u64, Error> {
    let output = slurm("sbatch", &[&["--parsable".to_owned()], call].concat())?;
    // `ID` or `ID;CLUSTER`.
    let id = output.trim().split(';').next().unwrap_or_default();
    id.parse().map_err(|_| {
        let problem = format!("answered `{}`", output.trim());
        Error::invalid("sbatch --parsable", problem, "a job id")
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
