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
    /// Job id of the array.
    pub array_job: u64,
    /// Job id of the report that follows it.
    pub report_job: u64,
    /// Number of array tasks, each one part of the sweep.
    pub shards: usize,
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
