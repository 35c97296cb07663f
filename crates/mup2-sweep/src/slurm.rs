//! A sweep as a Slurm job array: the scripts, and the record of what was submitted.
//!
//! Pure text; who submits it is not the library's business. `scripts/slurm/NOTES.md` says why each line
//! is there.

use serde::{Deserialize, Serialize};

/// Array tasks that Slurm allows by default (`MaxArraySize` 1001 counts from 0).
pub const DEFAULT_MOST_TASKS: usize = 1000;

/// How often a task may put itself back into the queue.
const MOST_RESTARTS: usize = 50;

/// `DIR/slurm/submission.json`: the jobs of a results directory, the latest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submissions {
    /// Each call of `mup2 sweep submit`.
    pub submissions: Vec<Submission>,
}

/// One call of `mup2 sweep submit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// SubmittedJob of the array.
    pub array_job: SubmittedJob,
    /// SubmittedJob of the report that follows it; absent until it is submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_job: Option<SubmittedJob>,
    /// Number of array tasks, each one part of the sweep.
    pub shards: usize,
}

/// A job as `sbatch --parsable` names it: `ID`, or `ID;CLUSTER` where there are several clusters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubmittedJob(String);

impl SubmittedJob {
    /// The job in what `sbatch` has printed, among lines that a site may add; none if there is none.
    pub fn in_output(output: &str) -> Option<Self> {
        let is_job = |line: &&str| {
            let (id, cluster) = line.split_once(';').unwrap_or((line, "-"));
            let digits = !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
            digits && !cluster.is_empty() && !cluster.contains(char::is_whitespace)
        };
        let line = output.lines().map(str::trim).rfind(is_job)?;
        Some(Self(line.to_owned()))
    }

    /// The id within its cluster.
    pub fn id(&self) -> &str {
        self.0.split(';').next().unwrap_or_default()
    }

    /// The cluster, where the scheduler has named it.
    pub fn cluster(&self) -> Option<&str> {
        self.0.split_once(';').map(|(_, cluster)| cluster)
    }
}

impl std::fmt::Display for SubmittedJob {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.cluster() {
            Some(cluster) => write!(formatter, "{} on {cluster}", self.id()),
            None => formatter.write_str(self.id()),
        }
    }
}

/// The seconds of a time limit in one of Slurm's forms: `MINUTES`, `MINUTES:SECONDS`,
/// `HOURS:MINUTES:SECONDS`, `DAYS-HOURS`, `DAYS-HOURS:MINUTES`, `DAYS-HOURS:MINUTES:SECONDS`; and
/// `0`, `INFINITE` or `UNLIMITED`, which set no limit.
///
/// # Errors
/// When it is none of these.
pub fn time_limit(text: &str) -> Result<TimeLimit, &'static str> {
    const FORMS: &str = "MINUTES, MINUTES:SECONDS, HOURS:MINUTES:SECONDS, DAYS-HOURS, \
                         DAYS-HOURS:MINUTES, DAYS-HOURS:MINUTES:SECONDS or UNLIMITED";
    if text == "0"
        || ["INFINITE", "UNLIMITED"]
            .iter()
            .any(|name| text.eq_ignore_ascii_case(name))
    {
        return Ok(TimeLimit::None);
    }
    let number = |part: &str| match part.chars().all(|c| c.is_ascii_digit()) {
        true => part.parse::<u64>().map_err(|_| FORMS),
        false => Err(FORMS),
    };
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(number(days)?), rest),
        None => (None, text),
    };
    let parts = rest.split(':').map(number).collect::<Result<Vec<_>, _>>()?;
    let (hours, minutes, seconds) = match (days, &parts[..]) {
        (None, [minutes]) => (0, *minutes, 0),
        (None, [minutes, seconds]) => (0, *minutes, *seconds),
        (_, [hours, minutes, seconds]) => (*hours, *minutes, *seconds),
        (Some(_), [hours]) => (*hours, 0, 0),
        (Some(_), [hours, minutes]) => (*hours, *minutes, 0),
        _ => return Err(FORMS),
    };
    let sum = [
        (days.unwrap_or(0), 86_400),
        (hours, 3600),
        (minutes, 60),
        (seconds, 1),
    ]
    .into_iter()
    .try_fold(0_u64, |sum, (count, unit)| {
        sum.checked_add(count.checked_mul(unit)?)
    });
    sum.map(TimeLimit::Seconds).ok_or(FORMS)
}

/// A time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// None.
    None,
    /// So many seconds.
    Seconds(u64),
}

/// What the scripts run; every text is a word that is already quoted for a POSIX shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobTexts<'a> {
    /// The program.
    pub program: &'a str,
    /// The sweep file.
    pub sweep: &'a str,
    /// The results directory.
    pub out: &'a str,
    /// Number of array tasks.
    pub tasks: usize,
    /// Whether each task does one part; the tasks of a search by halving share all of it.
    pub in_parts: bool,
    /// Variables that the program needs, with values as words.
    pub environment: Vec<(&'a str, String)>,
}

impl JobTexts<'_> {
    /// The script of an array task, put back into the queue when its time is
    /// nearly over.
    ///
    /// The program runs in the background, because a shell handles a signal only between commands
    /// or in `wait`. On USR1 it is asked to end, once, since a second request would end it at once;
    /// what is published stays, the runs in progress write checkpoints, and the requeued task goes on
    /// there. The number of restarts is bounded, for a task that gets nowhere.
    pub fn job(&self) -> String {
        let Self {
            program,
            sweep,
            out,
            tasks,
            in_parts,
            environment,
        } = self;
        let shard = match in_parts {
            true => format!("--shard \"$SLURM_ARRAY_TASK_ID/{tasks}\" "),
            false => String::new(),
        };
        let environment: String = environment
            .iter()
            .map(|(name, value)| format!("export {name}={value}\n"))
            .collect();
        format!(
            r#"#!/bin/bash
# Written by `mup2 sweep submit`: task $SLURM_ARRAY_TASK_ID of {tasks} of the sweep.
set -u
{environment}payload=
asked=no
again=no
# Slurm sends USR1 to this shell alone, 60 to 90 s before the time limit, and sometimes twice.
on_usr1() {{
    again=yes
    if [ $asked = no ] && [ -n "$payload" ]; then
        asked=yes
        kill -TERM "$payload" 2>/dev/null
    fi
}}
trap on_usr1 USR1
# Slurm sends TERM to every process of the job; this shell only has to outlive the payload.
trap 'again=yes' TERM
{program} sweep run {sweep} --out {out} \
    {shard}--workers "${{SLURM_CPUS_PER_TASK:-1}}" &
payload=$!
# A USR1 that came before the line above.
[ $again = no ] || on_usr1
while
    again=no
    wait "$payload"
    code=$?
    # A trap ends `wait` early; the next one returns the payload's own code.
    [ $again = yes ]
do :; done
# 130: interrupted, with work left. 143: asked before it could listen.
if [ $asked = yes ] && {{ [ $code -eq 130 ] || [ $code -eq 143 ]; }}; then
    if [ "${{SLURM_RESTART_COUNT:-0}}" -ge {MOST_RESTARTS} ]; then
        echo "mup2: not requeued again after {MOST_RESTARTS} times: does it get anywhere within its time limit?" >&2
    else
        scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
    fi
fi
exit $code
"#
        )
    }

    /// The script of the report that follows the array.
    pub fn report(&self) -> String {
        let Self { program, out, .. } = self;
        format!(
            "#!/bin/bash\n# Written by `mup2 sweep submit`: the report, when all parts have ended.\n\
             exec {program} report {out}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limits_are_read_in_all_forms_of_slurm() {
        for (text, seconds) in [
            ("60", 3600),
            ("00:30", 30),
            ("2:00", 120),
            ("12:00:00", 43_200),
            ("0-00:01", 60),
            ("1-2", 93_600),
            ("1-02:03:04", 93_784),
        ] {
            assert_eq!(time_limit(text), Ok(TimeLimit::Seconds(seconds)), "{text}");
        }
        assert_eq!(time_limit("unlimited"), Ok(TimeLimit::None));
        for text in [
            "abc",
            "",
            ":",
            "1:2:3:4",
            "1-",
            "-1",
            "1.5",
            "+3",
            "99999999999999999999",
        ] {
            assert!(time_limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_job_is_what_the_scheduler_calls_it() {
        let job = SubmittedJob::in_output("Welcome to nautilus\n779;nautilus\n").unwrap();
        assert_eq!((job.id(), job.cluster()), ("779", Some("nautilus")));
        assert_eq!(SubmittedJob::in_output("777\n").unwrap().cluster(), None);
        assert_eq!(SubmittedJob::in_output("Submitted batch job 777"), None);
    }

    #[test]
    fn the_scripts_hold_the_words_as_they_were_quoted() {
        let texts = JobTexts {
            program: "/opt/mup2",
            sweep: "'/data/my sweep.toml'",
            out: "'/data/it'\\''s here'",
            tasks: 40,
            in_parts: true,
            environment: vec![("MUP2_DATA", "/data".to_owned())],
        };
        let job = texts.job();
        assert!(
            job.contains("/opt/mup2 sweep run '/data/my sweep.toml' --out '/data/it'\\''s here'")
        );
        assert!(job.contains("\nexport MUP2_DATA=/data\n"));
        assert!(job.contains(r#"--shard "$SLURM_ARRAY_TASK_ID/40""#));
        assert!(
            texts
                .report()
                .ends_with("exec /opt/mup2 report '/data/it'\\''s here'\n")
        );
        let shared = JobTexts {
            in_parts: false,
            ..texts
        };
        assert!(!shared.job().contains("--shard"));
    }
}
